"""Stage 3: score a model and a baseline, end to end from audio.

Each test track goes through :func:`crema.analyze.analyze`, the code behind the
program ``crema``; no cached feature is read.  A track that fails is recorded with the
reason, and a score that cannot be computed is null, not 0.
"""

import pathlib
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from crema import analyze, models, origin
from crema.exceptions import CremaError
from crema.utils import (
    audiofile,
    cli,
    disk,
    hashes,
    index,
    jamsfile,
    rng,
    statistics,
    version,
)


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
    confused: Callable = lambda reference, *estimates: ()
    """``confused(reference, *estimates)`` returns rows for the confusion matrix: the
    reference label, the estimated label, and the weight.  The estimates are those of
    the model, or that of the baseline.  Leave it out if there are no labels."""
    labels: Sequence = ()
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
    summary = statistics.summarise(rows)
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
    result |= {"summary": summary, "calibration": statistics.calibration(said)}
    result |= {"confusion": statistics.confusion(given, scoring.labels), "tracks": rows}
    disk.write_json(args.resources / "test_data.json", result)
    statistics.write_table(args.resources / "test_data.csv", rows)
    print(statistics.table(summary, rows))
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
            "command": shlex.join(sys.argv),
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
    path = estimates / f"{track}.jams"
    path.unlink(missing_ok=True)  # of an earlier model
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
        jamsfile.write(path, jam)
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
