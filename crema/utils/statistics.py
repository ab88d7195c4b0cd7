"""Statistics of an evaluation: means, calibration and confusion over all tracks."""

import numpy as np

from crema.utils import disk, rng

#: Number of equal-width bins of confidence for the calibration, and of random draws for
#: its floor.
N_BINS, N_DRAWS = 10, 100


def calibration(said):
    """Measure the calibration of confidences.

    Parameters
    ----------
    said : list of (float, float, float)
        Confidence, correctness in [0, 1], and weight.

    Returns
    -------
    dict
        ``error``: expected calibration error, the weighted mean over ten bins of equal
        width of the distance between the mean confidence and the share that is correct.
        ``floor``: the error on average if each label were right with the probability
        that its confidence states.  It is above 0, for a bin holds few labels.
        ``bins``: for each bin that is not empty, the mean ``confidence``, the share
        ``correct`` and the ``share`` of the weight.

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated
    probabilities using Bayesian binning", AAAI 2015.  The floor: J. Bröcker and L. A.
    Smith, "Increasing the reliability of reliability diagrams", Weather and
    Forecasting 22, 2007.
    """
    confidence, hit, weight = np.reshape(np.asarray(said, dtype=float), (-1, 3)).T
    places = np.clip((confidence * N_BINS).astype(int), 0, N_BINS - 1)
    weight = weight / max(weight.sum(), 1e-9)

    def sums(values):
        return np.bincount(places, weight * values, N_BINS)

    def error(hit):
        return float(np.abs(sums(confidence - hit)).sum())

    share = sums(np.ones_like(weight))
    each = np.maximum(share, 1e-9)
    columns = np.stack([sums(confidence) / each, sums(hit) / each, share], axis=1)
    names = ("confidence", "correct", "share")
    bins = [dict(zip(names, row, strict=True)) for row in columns[share > 0].tolist()]
    random = rng.generator("calibration").random
    perfect = [error(random(len(confidence)) < confidence) for _ in range(N_DRAWS)]
    return {"error": error(hit), "floor": float(np.mean(perfect)), "bins": bins}


def confusion(given, labels):
    """Compute the confusion matrices of the model and of the baseline.

    Parameters
    ----------
    given : dict of list of (str, str, float)
        For the ``model`` and the ``baseline``: reference label, estimated label and
        weight.
    labels : sequence of str
        Order of the labels; others follow in alphabetical order.

    Returns
    -------
    dict
        ``labels``: those that occur.  ``model`` and ``baseline``: matrices of summed
        weights, with a row per reference label and a column per estimated label.
    """
    found = {label for rows in given.values() for row in rows for label in row[:2]}
    labels = [label for label in labels if label in found]
    labels += sorted(found.difference(labels))
    place = {label: number for number, label in enumerate(labels)}
    result = {"labels": labels}
    for kind, rows in given.items():
        matrix = np.zeros((len(labels), len(labels)))
        for expected, answer, weight in rows:
            matrix[place[expected], place[answer]] += weight
        result[kind] = matrix.tolist()
    return result


def summarise(rows):
    """Average the scores over tracks.

    Returns
    -------
    dict of dict
        Per metric: the ``mean`` over tracks; the duration-weighted mean, ``weighted``;
        that of the ``baseline`` over those of the same tracks on which it has a value
        (None if there are none); the number of ``tracks`` with a value.
    """
    summary = {}
    metrics = dict.fromkeys(name for row in rows for name in row["scores"])
    for name in metrics:
        scored = [row for row in rows if row["scores"].get(name) is not None]
        if not scored:
            continue
        summary[name] = {
            "mean": float(np.mean([row["scores"][name] for row in scored])),
            "weighted": weighted(scored, "scores", name),
            "baseline": weighted(scored, "baseline", name),
            "tracks": len(scored),
        }
    return summary


def weighted(rows, kind, name):
    """Return the duration-weighted mean of a score, None if no track has it."""
    rows = [row for row in rows if row[kind].get(name) is not None]
    if not rows:
        return None
    values, durations = zip(
        *((row[kind][name], row["duration"]) for row in rows), strict=True
    )
    return float(np.average(values, weights=durations))


def table(summary, rows):
    """Format the summary for a terminal."""
    width = max(map(len, summary)) + 2
    lines = [f"{'':{width}}{'model':>9}{'baseline':>10}{'mean':>9}{'tracks':>8}"]
    for name, line in summary.items():
        simple = "-" if line["baseline"] is None else f"{line['baseline']:.3f}"
        lines.append(
            f"{name:{width}}{line['weighted']:9.3f}{simple:>10}"
            f"{line['mean']:9.3f}{line['tracks']:8}"
        )
    lines.append(
        "model, baseline: means weighted by duration; mean: unweighted, of the model"
    )
    for row in rows:
        if row["status"] != "ok":
            lines.append(f"{row['status']}: {row['track_id']}: {row['reason']}")
    return "\n".join(lines)


def write_table(path, rows):
    """Write the scores as CSV, one row per track."""
    metrics = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    baselines = [f"baseline_{name}" for name in metrics]
    lines = [["track_id", "status", "duration", *metrics, *baselines]]
    lines += [
        [row["track_id"], row["status"], row["duration"]]
        + [row[kind].get(name) for kind in ("scores", "baseline") for name in metrics]
        for row in rows
    ]
    disk.write_csv(path, lines)
