"""Stage 3: score a model and a baseline, end to end from audio.

Each test track goes through :func:`crema.analyze.analyze`, the code behind the
program ``crema``; no cached feature is read.  A track that fails is recorded with the
reason, and a score that cannot be computed is null, not 0.
"""

import csv
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crema import analyze, models, origin
from crema.exceptions import CremaError
from crema.utils import audiofile, cli, disk, hashes, index, jamsfile, rng, version

#: Number of equal-width bins of confidence for the calibration, and of random draws for
#: its floor.
N_BINS, N_DRAWS = 10, 100
#: Seconds between frames of :func:`chroma`.
HOP = 2048 / 22050


class NotComparable(CremaError):
    """The reference cannot be scored against; the message says why."""


def parser(description):
    """Return the parser of a ``03-evaluate.py``.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = cli.parser(description)
    cli.corpus_options(made)
    files = made.add_argument_group("files")
    cli.path_option(files, "--index", "FILE", "index_test.json")
    cli.leave_out_option(files)
    model = "the trained model; test_data.json and estimates/ are written here too"
    cli.path_option(files, "--resources", "DIR", model)
    made.add_argument_group("evaluation").add_argument(
        "--beside",
        nargs="*",
        default=[],
        metavar="DIR",
        help="companion models of other estimators, used as in crema",
    )
    return made


class Scoring(NamedTuple):
    """How to score an estimator; references and estimates are jams.Annotation."""

    score: Callable
    """``score(reference, *estimates)`` returns a dict of scores in [0, 1], or None if
    not comparable, and of quantities named with their unit, such as ``offset_seconds``.
    It can raise NotComparable."""
    baseline: Callable
    """``baseline(y, sr)`` returns the annotation of an untrained method."""
    correct: Callable
    """``correct(reference, *estimates)`` returns rows for the calibration: the
    confidence of an estimate, its correctness in [0, 1], and its weight."""
    confused: Callable
    """``confused(reference, *estimates)`` returns rows for the confusion matrix: the
    reference label, the estimated label, and the weight.  The estimates are those of
    the model, or that of the baseline."""
    labels: Sequence
    """Order of these labels in the figure."""


def run(args, estimator, scoring):
    """Score one model on the test index and write ``test_data.json``.

    Parameters
    ----------
    args : argparse.Namespace
        From :func:`parser`.
    estimator : str
        Name of the module under :mod:`crema.models`.
    scoring : Scoring
        Scoring functions of the estimator.

    Raises
    ------
    CremaError
        The index or the model cannot be used, or no track could be scored.
    """
    tracks = index.read_index(args.index, args.leave_out)
    corpus = cli.corpus(args)
    rng.seed_everything(args.seed)
    model = models.estimator(estimator)(args.resources)
    others = analyze.load_models(args.beside) if args.beside else []
    known = origin_of(args, model, others, corpus, tracks)
    estimates = args.resources / "estimates"
    rows, said, given = [], [], {"model": [], "baseline": []}
    for number, track in enumerate(tracks, 1):
        row, one, labelled = evaluate(track, corpus, model, others, scoring, estimates)
        rows.append(row)
        said += one
        for kind, some in labelled.items():
            given[kind] += some
        note = row["reason"] or " ".join(
            f"{name} {value:.3f}"
            for name, value in row["scores"].items()
            if value is not None
        )
        cli.progress(number, len(tracks), track, f": {note}")
    summary = summarise(rows)
    if not summary:
        raise CremaError(
            f"{args.index}: no track could be scored; the first failed with: "
            f"{rows[0]['reason']}"
        )
    kept = {f"{track}.jams" for track in tracks}
    for stale in estimates.glob("*.jams"):
        if stale.name not in kept:
            stale.unlink()
    result = {"estimator": estimator, "version": model.version, "origin": known}
    result |= {"summary": summary, "calibration": calibration(said)}
    result |= {"confusion": confusion(given, scoring.labels), "tracks": rows}
    disk.write_json(args.resources / "test_data.json", result)
    write_table(args.resources / "test_data.csv", rows)
    print(table(summary, rows))
    found = result["calibration"]
    print(
        f"calibration error: {found['error']:.3f} (of perfect confidences on as few "
        f"labels: {found['floor']:.3f})"
    )
    print(args.resources / "test_data.json")


def origin_of(args, model, others, corpus, tracks):
    """Return the provenance of the scores, for ``crema info``."""
    pairs = [path(track) for track in tracks for path in (corpus.audio, corpus.jams)]
    commit, dirty = version.revision(pathlib.Path(__file__).parent)
    return {
        "model": model.origin,
        "settings": disk.read_json(args.resources / "settings.json"),
        "evaluation": {
            "command": sys.argv,
            "beside": {other.name: other.origin for other in others},
            "revision": {"commit": commit, "dirty": dirty},
            "index": hashes.of(args.index),
            "corpus": hashes.of_all([path for path in pairs if path.is_file()]),
            **origin.program(),
        },
    }


def evaluate(track, corpus, model, others, scoring, estimates):
    """Annotate and score one track.

    Returns
    -------
    row : dict
        ``track_id``; ``status``: 'ok', 'not comparable' or 'failed'; ``reason``, None
        if ok; ``duration`` in seconds; ``scores`` and ``baseline``, dicts.
    said : list
        Rows of ``scoring.correct``; empty if the track could not be scored.
    labelled : dict of list
        Rows of ``scoring.confused`` for the ``model`` and the ``baseline``; likewise.
    """
    said, labelled = [], {}
    row = {"track_id": track, "status": "ok", "reason": None, "duration": None}
    row |= {"scores": {}, "baseline": {}}
    try:
        y, sr = audiofile.read(corpus.audio(track))
        row["duration"] = len(y) / sr
        jam = analyze.analyze(y=y, sr=sr, model=[model, *others])
        jam.file_metadata.title = track
        estimated = [
            annotation
            for annotation in jam.annotations
            if annotation.sandbox.model["estimator"] == model.name
        ]
        simple = scoring.baseline(y, sr)
        jam.annotations.append(simple)
        jamsfile.write(estimates / f"{track}.jams", jam)
        # In the namespace of the training labels, which the estimate's can differ from.
        reference = reference_of(corpus.jams(track), model.task.namespace)
        scores = {
            "scores": scoring.score(reference, *estimated),
            "baseline": scoring.score(reference, simple),
        }
        pairs = {
            "model": scoring.confused(reference, *estimated),
            "baseline": scoring.confused(reference, simple),
        }
        rows = scoring.correct(reference, *estimated)
        check_numbers(track, scores, rows)
        # All or nothing: a track whose last call fails must not count anywhere.
        said, labelled = rows, pairs
        row |= scores
    except NotComparable as error:
        row |= {"status": "not comparable", "reason": str(error)}
    except CremaError as error:
        row |= {"status": "failed", "reason": str(error)}
    except Exception as error:  # a bug must not cost the other tracks
        traceback.print_exc()
        reason = f"track {track}: {type(error).__name__}: {error}"
        row |= {"status": "failed", "reason": reason}
    return row, said, labelled


def check_numbers(track, scores, rows):
    """Check the scores of a track, and the rows of ``scoring.correct``.

    Raises
    ------
    CremaError
        One is not finite: JSON cannot hold it, and a mean would hide it.
    """
    for kind, some in scores.items():
        for name, value in some.items():
            if value is not None and not np.isfinite(value):
                raise CremaError(f"track {track}: {name} of {kind} is {value}")
    for row in rows:
        if None in row or not np.isfinite(row).all():
            raise CremaError(
                f"track {track}: confidence, correctness and weight {row} are not "
                "numbers; `correct` in the evaluation script makes them"
            )


def reference_of(path, namespace):
    """Return the first non-empty annotation in `path`, as `namespace`."""
    import jams

    usable = jamsfile.usable(jamsfile.read(path), namespace)
    if not usable:
        raise NotComparable(
            f"{path}: has no {namespace} annotation; add one or leave the track out of "
            "the test index"
        )
    return jams.nsconvert.convert(usable[0], namespace)


def overlaps(reference, estimate):
    """Yield the overlapping segments of two annotations.

    Parameters
    ----------
    reference, estimate : jams.Annotation
        Segments of `estimate` must not overlap each other.

    Yields
    ------
    (jams.Observation, jams.Observation, float)
        A segment of each, and the duration of their overlap in seconds.
    """
    others, first = list(estimate.data), 0
    for one in reference.data:
        end = end_of(one)
        while first < len(others) and end_of(others[first]) <= one.time:
            first += 1
        for number in range(first, len(others)):
            other = others[number]
            if other.time >= end:
                break
            seconds = float(min(end, end_of(other)) - max(one.time, other.time))
            if seconds > 0:
                yield one, other, seconds


def end_of(observation):
    """Return the time at which an observation ends, in seconds."""
    return observation.time + observation.duration


def chroma(y, sr, norm=np.inf):
    """Return the chroma of a track, as input to a baseline.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio; silence is appended if it is shorter than a second.
    sr : int
        Its sampling rate in Hz.
    norm : float or None
        Norm by which frames are divided, as in ``librosa.util.normalize``.

    Returns
    -------
    np.ndarray, shape=(12, n_frames)
        One frame per :data:`HOP` seconds.
    """
    from crema.compiled import librosa

    y = audiofile.resample(np.pad(y, (0, max(0, sr - len(y)))), sr, 22050)
    return librosa.feature.chroma_cqt(y=y, sr=22050, hop_length=2048, norm=norm)


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
    with (
        disk.atomic(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        baselines = [f"baseline_{name}" for name in metrics]
        writer.writerow(["track_id", "status", "duration", *metrics, *baselines])
        for row in rows:
            writer.writerow(
                [row["track_id"], row["status"], row["duration"]]
                + [row["scores"].get(name) for name in metrics]
                + [row["baseline"].get(name) for name in metrics]
            )
