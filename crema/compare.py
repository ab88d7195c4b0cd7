"""Test whether one evaluation is better than another by more than chance.

Both evaluations score the same tracks, so their scores are compared track by track: the
spread between easy and hard songs, which is much larger, cancels out.
"""

import numpy as np
from scipy import stats

from crema.exceptions import CremaError
from crema.utils import disk, rng

#: Number of bootstrap resamples of the tracks.
RESAMPLES = 10_000
#: Confidence level of the interval.
LEVEL = 0.95
#: With fewer tracks, even a change of all in one direction is not significant (sign
#: test at LEVEL).
FEWEST = 6
#: Number of drawn tracks held in memory.
AT_ONCE = 5_000_000


def compare(before, after):
    """Compare two evaluations track by track.

    Parameters
    ----------
    before, after : str or path-like
        Paths of two ``test_data.json`` files.

    Returns
    -------
    dict of str to dict
        For each metric that both have: ``before`` and ``after``, duration-weighted
        means over the tracks that have a score in both; ``difference``, the second less
        the first; ``low`` and ``high``, the ends of its 95 % confidence interval;
        ``tracks``, the number of these tracks.

    Raises
    ------
    CremaError
        A file is not a ``test_data.json``, the files are of different estimators, or no
        track has a score in both.

    References
    ----------
    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993: percentile
    intervals of paired differences.  T. Hesterberg, "What teachers should know about
    the bootstrap", The American Statistician 69, 2015: their expansion, without which
    they are too narrow for few tracks.
    """
    evaluations = [read(path) for path in (before, after)]
    names = [evaluation["estimator"] for evaluation in evaluations]
    if names[0] != names[1]:
        raise CremaError(
            f"{before} evaluates the estimator {names[0]} and {after} {names[1]}; "
            "compare two evaluations of the same estimator"
        )
    tracks = [
        {row["track_id"]: row for row in evaluation["tracks"]}
        for evaluation in evaluations
    ]
    comparison = {}
    for metric in evaluations[0]["summary"]:
        pairs = [
            (row["scores"][metric], other["scores"][metric], row["duration"])
            for track, row in tracks[0].items()
            if (other := tracks[1].get(track))
            and row["scores"].get(metric) is not None
            and other["scores"].get(metric) is not None
        ]
        if pairs:
            comparison[metric] = interval(*np.asarray(pairs, dtype=float).T)
    if not comparison:
        raise CremaError(
            f"{before} and {after} share no scored track; compare evaluations on "
            "the same test tracks"
        )
    return comparison


def interval(before, after, weights):
    """Return the difference of two weighted means with its confidence interval.

    Parameters
    ----------
    before, after, weights : np.ndarray, shape=(n_tracks,)
        Two scores of each track, and the weight of the track.

    Returns
    -------
    dict
        An entry of the result of :func:`compare`.
    """
    n = len(weights)
    draw = rng.generator(0, "compare", n)
    difference = after - before

    def resampled(count):
        drawn = draw.integers(n, size=(count, n))
        return (difference * weights)[drawn].sum(axis=1) / weights[drawn].sum(axis=1)

    # In batches, so that memory does not grow with the number of tracks.
    step = max(1, AT_ONCE // n)
    counts = [min(step, RESAMPLES - begun) for begun in range(0, RESAMPLES, step)]
    means = np.concatenate([resampled(count) for count in counts])
    # As far out as the ends of a t interval are in units of the deviation of the means.
    ends = stats.t.ppf((1 + LEVEL) / 2, max(1, n - 1)) * np.sqrt(n / max(1, n - 1))
    low, high = np.quantile(means, stats.norm.cdf((-ends, ends)))
    return {
        "before": float(np.average(before, weights=weights)),
        "after": float(np.average(after, weights=weights)),
        "difference": float(np.average(difference, weights=weights)),
        "low": float(low),
        "high": float(high),
        "tracks": n,
    }


def differ(before, after):
    """Return whether two evaluations are known to differ in audio or annotations."""
    corpora = [
        (read(path).get("origin") or {}).get("evaluation", {}).get("corpus")
        for path in (before, after)
    ]
    return None not in corpora and corpora[0] != corpora[1]


def read(path):
    """Read a ``test_data.json``.

    Raises
    ------
    CremaError
        The file is missing or has other content.
    """
    result = disk.read_json(path)
    try:
        result["estimator"], list(result["summary"])
        for row in result["tracks"]:
            row["track_id"], row["scores"].get, row["duration"]
    except (TypeError, KeyError, AttributeError) as error:
        raise CremaError(
            f"{path}: is not a test_data.json; give one that 03-evaluate.py wrote"
        ) from error
    return result


def table(found):
    """Format what :func:`compare` returns for a terminal."""
    width = max(map(len, found)) + 2
    lines = [
        f"{'':{width}}{'before':>8}{'after':>8}{'difference':>12}"
        f"{'95 % interval':>20}{'tracks':>8}"
    ]
    for metric, line in found.items():
        low, high = line["low"], line["high"]
        # Rounded first: a bound that the table shows as 0 counts as 0.
        significant = round(low, 3) > 0 or round(high, 3) < 0
        note = "" if significant else "   may be chance"
        if line["tracks"] < FEWEST:
            note = "   too few tracks"
        lines.append(
            f"{metric:{width}}{line['before']:8.3f}{line['after']:8.3f}"
            f"{line['difference']:+12.3f}{f'{low:+.3f} to {high:+.3f}':>20}"
            f"{line['tracks']:8}{note}"
        )
    lines.append("means are weighted by duration, over the tracks with a score in both")
    return "\n".join(lines)
