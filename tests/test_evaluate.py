"""Scores: tracks without a score are reported, and one bad track costs no other."""

import types

import jams
import numpy as np
import pytest
from conftest import ROOT, load_script

from crema.models import base
from crema.tasks.chord import ChordTags
from crema.utils import audiofile, evaluate, index, jamsfile, statistics

stage = load_script(ROOT / "training" / "chord" / "03-evaluate.py")
SCORING = evaluate.Scoring(
    stage.score, stage.baseline, stage.correct, stage.confused, stage.LABELS
)


def chords(*observations):
    annotation = jams.Annotation("chord", time=0, duration=10)
    for start, end, label in observations:
        annotation.append(start, end - start, label, confidence=0.5)
    return annotation


def test_a_perfect_estimate_scores_one():
    reference = chords((0, 4, "C:maj"), (4, 10, "A:min7/b3"))
    scores = stage.score(reference, reference)
    assert all(value == pytest.approx(1) for value in scores.values())


def test_scores_are_those_of_mir_eval():
    reference = chords((0, 4, "C:maj"), (4, 10, "A:min"))
    estimate = chords((0, 6, "C:maj"), (6, 10, "A:maj"))
    scores = stage.score(reference, estimate)
    assert scores["root"] == pytest.approx(0.8)
    assert scores["majmin"] == pytest.approx(0.4)


def test_what_is_not_comparable_is_none_and_not_zero():
    scores = stage.score(chords((0, 10, "C:sus4")), chords((0, 10, "C:maj")))
    assert scores["majmin"] is None and scores["sevenths"] is None
    assert scores["root"] == 1 and scores["tetrads"] == 0


def test_time_without_annotation_is_not_scored():
    reference = chords((2, 4, "C:maj"), (6, 8, "G:maj"))
    estimate = chords((0, 5, "C:maj"), (5, 10, "G:maj"))
    scores = stage.score(reference, estimate)
    assert scores["majmin"] == pytest.approx(1)


def test_one_bit_of_overlap_is_no_overlap():
    start = 0.1 + 0.2
    reference = chords((0, start, "C:maj"), (0.3, 10, "G:maj"))
    assert stage.score(reference, reference)["majmin"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (chords(), "empty"),
        (chords((0, 5, "C:maj"), (3, 10, "G:maj")), "overlap at 3.000 s"),
        (chords((0, 10, "C:majestic")), "'C:majestic' at 0.000 s does not parse"),
    ],
)
def test_bad_references_say_why(reference, reason):
    with pytest.raises(evaluate.NotComparable, match=reason):
        stage.score(reference, chords((0, 10, "C:maj")))


def test_the_baseline_hears_plain_triads():
    sr, second = 22050, np.arange(2 * 22050) / 22050
    triads = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)]
    y = np.concatenate(
        [sum(np.sin(2 * np.pi * 261.63 * 2 ** (n / 12) * second) for n in t)
         for t in triads]
    )  # fmt: skip
    labels = ["C:maj", "A:min", "F:maj", "G:maj"]
    reference = chords(*[(2 * i, 2 * i + 2, x) for i, x in enumerate(labels)])
    estimate = stage.baseline(y.astype(np.float32), sr)
    assert stage.score(reference, estimate)["majmin"] > 0.9


def test_the_baseline_takes_silence_and_short_clips():
    for y in (np.zeros(22050 * 3, np.float32), np.zeros(500, np.float32)):
        annotation = stage.baseline(y, 22050)
        last = annotation.data[-1]
        assert last.time + last.duration == pytest.approx(annotation.duration)


class Fake(base.Estimator):
    """A model that estimates the same chord for everything."""

    name, version, origin = "fake", "abc1234.0", {"estimator": "fake"}
    task = types.SimpleNamespace(namespace="chord")

    def __init__(self):
        pass

    def posteriors(self, audio):
        return {}

    def decode(self, outputs, duration):
        return [chords((0, duration, "C:maj"))]


class Pulse(Fake):
    """Another estimator, whose beats make the first revise its chord."""

    name, origin = "pulse", {"estimator": "pulse"}


class Reviser(Fake):
    """A model that uses the beats of Pulse."""

    def revise(self, made):
        label = "D:min" if "pulse" in made else "C:maj"
        (own,) = made["fake"]
        mended = chords((0, own.duration, label))
        mended.sandbox = own.sandbox
        return [mended]


def test_one_bad_track_does_not_lose_the_others(tmp_path):
    corpus = index.Corpus(tmp_path)
    y = np.zeros(22050 * 10, np.float32)
    for track in ("good", "empty", "truncated", "keyless"):
        jam = jams.JAMS()
        jam.file_metadata.duration = 10
        if track != "keyless":
            jam.annotations.append(
                chords() if track == "empty" else chords((0, 10, "C:maj"))
            )
        audiofile.write(corpus.audio(track), y, 22050)
        jamsfile.write(corpus.jams(track), jam)
    whole = corpus.audio("truncated").read_bytes()
    corpus.audio("truncated").write_bytes(whole[: len(whole) // 2])
    rows = {
        track: evaluate.evaluate(
            *(track, corpus, Fake(), []),
            SCORING._replace(correct=lambda *_: [], confused=lambda *_: []),
            tmp_path / "out",
        )[0]
        for track in ("good", "empty", "truncated", "keyless", "absent")
    }
    status = {track: row["status"] for track, row in rows.items()}
    assert status == {
        "good": "ok",
        "empty": "not comparable",
        "truncated": "failed",
        "keyless": "not comparable",
        "absent": "failed",
    }
    assert "truncated.flac" in rows["truncated"]["reason"]
    assert "no chord annotation" in rows["keyless"]["reason"]
    summary = statistics.summarise(list(rows.values()))
    assert summary["majmin"]["tracks"] == 1
    assert summary["majmin"]["weighted"] == pytest.approx(1)
    kept = jamsfile.read(tmp_path / "out" / "good.jams")
    assert len(kept.annotations) == 2


def test_what_fails_at_the_last_counts_nowhere(tmp_path):
    corpus = silent(tmp_path, "C:maj")

    def broken(*_):
        raise ValueError("broken")

    scoring = SCORING._replace(correct=lambda *_: [(0.5, 1.0, 1.0)], confused=broken)
    row, said, labelled = evaluate.evaluate(
        "a", corpus, Fake(), [], scoring, tmp_path / "out"
    )
    assert row["status"] == "failed" and "ValueError: broken" in row["reason"]
    assert not row["scores"] and not row["baseline"] and not said and not labelled


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"correct": lambda *_: [(None, 1.0, 1.0)]}, "confidence, correctness and"),
        ({"correct": lambda *_: [(np.nan, 1.0, 1.0)]}, "confidence, correctness and"),
        ({"score": lambda *_: {"root": np.nan}}, "track a: root of scores is nan"),
    ],
)
def test_what_is_not_a_number_fails_its_track_only(tmp_path, broken, reason):
    corpus = silent(tmp_path, "C:maj")
    scoring = SCORING._replace(**broken)
    row, said, _ = evaluate.evaluate("a", corpus, Fake(), [], scoring, tmp_path / "out")
    assert row["status"] == "failed" and reason in row["reason"] and not said


def silent(directory, label):
    """Return a corpus of one silent track, `a`, with one chord."""
    corpus = index.Corpus(directory)
    jam = jams.JAMS()
    jam.file_metadata.duration = 10
    jam.annotations.append(chords((0, 10, label)))
    audiofile.write(corpus.audio("a"), np.zeros(22050 * 10, np.float32), 22050)
    jamsfile.write(corpus.jams("a"), jam)
    return corpus


def test_a_defect_on_one_track_does_not_lose_the_others(tmp_path):
    corpus = silent(tmp_path, "C:maj")

    def broken(y, sr):
        raise ZeroDivisionError("by zero")

    scoring = SCORING._replace(baseline=broken)
    row, said, labelled = evaluate.evaluate(
        "a", corpus, Fake(), [], scoring, tmp_path / "out"
    )
    assert not said and not labelled
    assert row["status"] == "failed" and "ZeroDivisionError: by zero" in row["reason"]


@pytest.mark.parametrize(("others", "root"), [([], 0), ([Pulse()], 1)])
def test_what_is_scored_is_revised_by_the_models_beside(tmp_path, others, root):
    corpus = silent(tmp_path, "D:min")
    row, said, _ = evaluate.evaluate(
        "a", corpus, Reviser(), others, SCORING, tmp_path / "out"
    )
    assert row["scores"]["root"] == root and len(said) == 1
    kept = jamsfile.read(tmp_path / "out" / "a.jams")
    assert len(kept.annotations) == 2 + len(others)


def test_what_is_correct_of_chords_is_told_with_its_time():
    reference = chords((0, 4, "C:maj"), (4, 9, "A:min7"), (9, 10, "X"))
    estimate = jams.Annotation("chord", time=0, duration=10)
    estimate.append(time=0, duration=6, value="C:maj/3", confidence=0.75)
    estimate.append(time=6, duration=4, value="A:min", confidence=0.5)
    assert stage.correct(reference, estimate) == [
        (0.75, 1, 4),
        (0.75, 0, 2),
        (0.5, 0, 3),
    ]


def test_chords_are_confused_by_quality_where_the_root_is_right():
    reference = chords((0, 4, "Db:maj/3"), (4, 6, "A:9"), (6, 7, "N"), (7, 8, "X"))
    estimate = chords((0, 1, "C#:maj"), (1, 2, "C#:min"), (2, 3, "D:maj"), (3, 4, "N"))
    for start, label in [(4, "A:7/b7"), (5, "X"), (6, "C:maj"), (7, "C:maj")]:
        estimate.append(time=start, duration=1, value=label)
    assert stage.confused(reference, estimate) == [
        ("maj", "maj", 1),
        ("maj", "min", 1),
        ("maj", "other root", 1),
        ("maj", "N", 1),
        ("7", "7", 1),
        ("7", "X", 1),
        ("N", "other root", 1),
    ]


def test_every_label_of_the_vocabulary_has_its_place_in_the_confusion():
    known = {label.partition(":")[2] or label for label in ChordTags().labels}
    assert set(stage.LABELS) == {*known, "other root"}


def test_a_scoring_without_labels_has_no_confusion(tmp_path):
    corpus = silent(tmp_path, "C:maj")
    scoring = evaluate.Scoring(stage.score, stage.baseline, stage.correct)
    row, _, labelled = evaluate.evaluate("a", corpus, Fake(), [], scoring, tmp_path)
    assert row["status"] == "ok" and not any(labelled.values())


def test_the_estimate_of_an_earlier_model_goes(tmp_path):
    corpus = silent(tmp_path, "C:maj")
    corpus.audio("a").write_bytes(b"damaged")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jams").touch()
    evaluate.evaluate("a", corpus, Fake(), [], SCORING, tmp_path / "out")
    assert not (tmp_path / "out" / "a.jams").exists()
