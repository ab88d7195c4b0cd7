"""Keys: classes, decoding, kinds of errors."""

import argparse

import jams
import numpy as np
import pumpp
import pytest
from conftest import ROOT, load_script

from crema import features
from crema.exceptions import AnnotationError
from crema.models import key as model
from crema.tasks import key
from crema.utils import evaluate, hdf5

SR, HOP = 22050, 2048
RATE = SR / HOP
stage = load_script(ROOT / "training" / "key" / "03-evaluate.py")


def keys(*observations, duration=None):
    duration = duration or max(end for _, end, _ in observations)
    annotation = jams.Annotation("key_mode", time=0, duration=duration)
    for start, end, label in observations:
        annotation.append(start, end - start, label, None)
    return annotation


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("C:major", "C:major"),
        ("C#:major", "Db:major"),
        ("Cb:minor", "B:minor"),
        ("A", "A:major"),
        ("Bb", "Bb:major"),
        ("B", "B:major"),
        ("D:dorian", "D:minor"),
        ("G:mixolydian", "G:major"),
        ("E#:phrygian", "F:minor"),
        ("B:locrian", "B:minor"),
        ("F:lydian", "F:major"),
    ],
)
def test_labels(label, name):
    assert key.KEYS[key.parse(label)] == name


def test_no_key_is_no_class():
    assert key.parse("N") == -1


@pytest.mark.parametrize("label", ["H:major", "C:min", "C:Minor", "Cm", "A minor", ""])
def test_what_is_no_key(label):
    with pytest.raises(AnnotationError, match=f"'{label}' is not a key"):
        key.parse(label)


def test_frames_and_the_whole():
    annotation = keys((0, 4, "C:major"), (4, 10, "A:minor"), duration=20)
    data = key.Keys("key", SR, HOP).transform_annotation(annotation, 20.0)
    local = data["local"][:, 0]
    assert len(local) == int(20 * RATE)
    found = [local[int(time * RATE)] for time in (2, 6, 15)]
    assert found == [key.parse("C:major"), key.parse("A:minor"), -1]
    assert data["overall"].tolist() == [key.parse("A:minor")]


def test_a_key_that_returns_lasts_as_long_as_all_its_parts():
    annotation = keys((0, 3, "C:major"), (3, 7, "G:major"), (7, 10, "C:major"))
    data = key.Keys().transform_annotation(annotation, 10.0)
    assert data["overall"].tolist() == [key.parse("C:major")]


def test_decoding_the_whole_and_the_frames():
    task = key.Keys("key", SR, HOP)
    posterior = np.full(24, 0.01)
    posterior[13] = 0.77
    (found,) = task.inverse(posterior, duration=12.5)
    assert (found.time, found.duration, found.value) == (0, 12.5, "C#:minor")
    classes = np.repeat([[3], [15]], 50, axis=0)
    annotation = task.inverse(classes, duration=100 / RATE)
    assert [o.value for o in annotation] == ["Eb:major", "Eb:minor"]
    assert annotation.validate(strict=True)


def test_what_is_encoded_is_decoded():
    task = key.Keys("key", SR, HOP)
    annotation = keys((0, 3, "N"), (3, 10, "G:major"))
    data = task.transform_annotation(annotation, 10.0)
    found = task.inverse(data["local"], duration=10.0)
    assert [o.value for o in found] == ["N", "G:major"]
    (whole,) = task.inverse(data["overall"], duration=10.0)
    assert (whole.duration, whole.value) == (10, "G:major")


class Untrained(model.Model):
    """The decoder without a network."""

    def __init__(self, self_transition):
        self.pump = pumpp.Pump(key.Keys("key", SR, HOP))
        self.output_names = ["key.overall", "key.local"]
        self.self_transition = self_transition


def test_local_keys_are_smoothed_and_the_whole_is_not_asked():
    overall = np.full(24, 0.5 / 23)
    overall[5] = 0.5
    local = np.full((400, 24), 0.2 / 23)
    local[:200, 0] = local[200:, 7] = 0.8
    # Five seconds of another key are a chord or two, not a modulation.
    local[50:104, [0, 3]] = local[50:104, [3, 0]]
    whole, changing = Untrained(0.999).decode(
        {"key.overall": overall, "key.local": local}, 400 / RATE
    )
    (one,) = whole
    assert (one.time, one.duration, one.value) == (0, 400 / RATE, "F:major")
    other = (0.5 / 23) ** 1.5
    assert one.confidence == pytest.approx(0.5**1.5 / (0.5**1.5 + 23 * other))
    assert [o.value for o in changing] == ["C:major", "G:major"]
    assert changing.data[1].time == pytest.approx(200.5 / RATE)
    assert changing.validate(strict=True)


def test_what_the_decoder_learns_from_annotations(tmp_path):
    train = load_script(ROOT / "training" / "key" / "02-train.py")
    local = np.repeat([-1, 0, 7, -1], [50, 50, 51, 49])[None, :, None].astype(np.int8)
    hdf5.write(tmp_path / "a.h5", {"key.local": local}, {})
    # 100 transitions, one of them a change; see sampling.self_transition.
    assert train.decoder([tmp_path / "a.h5"]) == {"self_transition": 100 / 102}


@pytest.mark.parametrize(
    ("estimate", "kind", "weighted"),
    [
        ("C:major", "correct", 1.0),
        ("G:major", "fifth", 0.5),
        ("F:major", "fifth", 0.0),
        ("A:minor", "relative", 0.3),
        ("C:minor", "parallel", 0.2),
        ("D:major", "other", 0.0),
        ("E:minor", "other", 0.0),
    ],
)
def test_kinds_of_errors(estimate, kind, weighted):
    scores = stage.score(keys((0, 10, "C:major")), keys((0, 10, estimate)))
    assert scores["weighted_score"] == weighted
    kinds = ("correct", "fifth", "relative", "parallel", "other")
    assert {name for name in kinds if scores[name]} == {kind}


def test_relative_of_minor():
    scores = stage.score(keys((0, 10, "A:minor")), keys((0, 10, "C:major")))
    assert scores["relative"] == 1 and scores["weighted_score"] == 0.3


def test_an_estimate_without_a_key_is_wrong():
    scores = stage.score(keys((0, 10, "B:minor")), keys((0, 10, "N")))
    assert scores["weighted_score"] == 0 and scores["other"] == 1
    assert scores["correct"] == scores["local"] == 0


def test_local_keys_are_confused_by_their_relation():
    reference = keys((0, 5, "C:major"), (5, 10, "A:dorian"), (10, 20, "N"))
    whole = keys((0, 20, "B:major"))
    local = keys((0, 4, "C:major"), (4, 8, "E:minor"), (8, 20, "N"))
    assert stage.confused(reference, whole, local) == [
        ("major", "correct", 4),
        ("major", "other", 1),
        ("minor", "fifth", 3),
        ("minor", "other", 2),
    ]
    assert stage.confused(reference, whole) == [
        ("major", "other", 5),
        ("minor", "other", 5),
    ]


def test_local_keys_are_scored_by_time():
    reference = keys((0, 5, "C:major"), (5, 10, "D:major"), (10, 20, "N"))
    whole = keys((0, 20, "C:major"))
    assert stage.score(reference, whole)["local"] == 0.5
    local = keys((0, 4, "C:major"), (4, 20, "D:major"))
    assert stage.score(reference, whole, local)["local"] == pytest.approx(0.9)


def test_a_reference_without_a_key_is_not_comparable():
    with pytest.raises(evaluate.NotComparable, match="names no key"):
        stage.score(keys((0, 10, "N")), keys((0, 10, "C:major")))


def test_the_baseline_hears_a_scale_and_takes_silence():
    second = np.arange(SR // 2) / SR
    notes = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0]
    y = np.concatenate(
        [np.sin(2 * np.pi * 261.63 * 2 ** ((n + 2) / 12) * second) for n in notes]
    )
    (found,) = stage.baseline(y.astype(np.float32), SR)
    assert found.value == "D:major"
    for clip in (np.zeros(SR, np.float32), np.zeros(500, np.float32)):
        assert stage.baseline(clip, SR).validate(strict=True)


def test_a_transposed_piece_has_transposed_keys():
    keras = pytest.importorskip("keras")
    train = load_script(ROOT / "training" / "key" / "02-train.py")
    pump = pumpp.Pump(features.HCQT("hcqt"), key.Keys("key"))
    options = {"local_filters": 2, "semitone_filters": 2, "pooling": 10, "dropout": 0.0}
    args = argparse.Namespace(channels=4, dilations=2, **options)
    keras.utils.set_random_seed(0)
    network, _, _ = train.network(pump, args)
    # Db to F, which stay in the octave when moved up by two semitones.
    levels = np.zeros((1, 60, 216, 2), np.uint8)
    inside = slice(3 * 36 + 3, 3 * 36 + 18)
    levels[:, :, inside] = np.random.default_rng(0).integers(0, 256, (1, 60, 15, 2))
    overall, local = network.predict(levels, verbose=0)
    moved, moved_local = network.predict(np.roll(levels, 6, axis=2), verbose=0)
    assert local.shape == (1, 60, 24) and np.ptp(local) > 1e-3
    for before, after in ((overall, moved), (local, moved_local)):
        modes = before.reshape(*before.shape[:-1], 2, 12)
        expected = np.roll(modes, 2, axis=-1).reshape(before.shape)
        assert after == pytest.approx(expected, abs=1e-6)
        assert after != pytest.approx(before, abs=1e-4)
