"""Chords: equivariance to transposition, and decoding from all outputs."""

import argparse
import functools

import jams
import numpy as np
import pumpp
import pytest
from conftest import ROOT, load_script

from crema import features, models
from crema.models.chord import spell, structure
from crema.notes import transpose
from crema.tasks import chord

keras = pytest.importorskip("keras")


def test_a_transposed_piece_has_transposed_chords():
    train = load_script(ROOT / "training" / "chord" / "02-train.py")
    pump = pumpp.Pump(features.HCQT("hcqt"), chord.ChordTags(), chord.StructuredChord())
    options = {"local_filters": 2, "semitone_filters": 2, "dropout": 0.0}
    options |= {"colour": 12.0, "seed": 0}
    sizes = {"channels": 4, "layers": 1, "recurrent_units": 3}
    keras.utils.set_random_seed(0)
    network, _, _ = train.network(pump, argparse.Namespace(**options, **sizes))
    # Db to F, which stay in the octave when moved up by two semitones.
    levels = np.zeros((1, 20, 216, 2), np.uint8)
    inside = slice(3 * 36 + 3, 3 * 36 + 18)
    levels[:, :, inside] = np.random.default_rng(0).integers(0, 256, (1, 20, 15, 2))
    tags, *struct = network.predict(levels, verbose=0)
    moved_tags, *moved_struct = network.predict(np.roll(levels, 6, axis=2), verbose=0)
    names = pump["chord_tag"].labels
    for number, name in enumerate(names):
        same = next(n for n in names if transpose(n, 0) == transpose(name, 2))
        expected = tags[..., number]
        assert moved_tags[..., names.index(same)] == pytest.approx(expected, abs=1e-6)
    for before, after in zip(struct, moved_struct, strict=True):
        assert after[..., :12] == pytest.approx(
            np.roll(before[..., :12], 2, -1), abs=1e-6
        )
        assert after[..., 12:] == pytest.approx(before[..., 12:], abs=1e-6)
        assert np.ptp(before) > 1e-3


def opinions(tags, root=None, pitch=None):
    """Return posteriors of one frame: tags by name, a root, sounding pitch classes."""
    labels = released().task.labels
    outputs = {"chord_tag.chord": np.full((1, len(labels)), 1e-5)}
    for label, share in tags.items():
        outputs["chord_tag.chord"][0, labels.index(label)] = share
    outputs["chord_tag.chord"] /= outputs["chord_tag.chord"].sum()
    outputs["chord_struct.root"] = np.full((1, 13), 1 / 13)
    outputs["chord_struct.bass"] = np.full((1, 13), 1 / 13)
    outputs["chord_struct.pitch"] = np.full((1, 12), 0.5)
    if root is not None:
        outputs["chord_struct.root"] = np.eye(13)[[root]]
    if pitch is not None:
        outputs["chord_struct.pitch"] = np.isin(np.arange(12), pitch)[None] * 0.8 + 0.1
    return outputs


@functools.cache
def released():
    return models.load(models.RELEASED / "chord")


@pytest.mark.parametrize(
    ("tags", "known", "label"),
    [
        ({"C:maj": 0.5, "A:min": 0.4}, {}, "C:maj"),
        ({"C:maj": 0.5, "A:min": 0.4}, {"root": 9}, "A:min"),
        ({"C:maj": 0.5, "C:sus4": 0.4}, {"pitch": [0, 5, 7]}, "C:sus4"),
        ({"C:maj": 0.5, "N": 0.4}, {"root": 12}, "N"),
        ({"C:maj": 0.9, "A:min": 0.01}, {"root": 9}, "C:maj"),
    ],
)
def test_root_and_tones_have_a_say(tags, known, label):
    outputs = opinions({**tags, "X": 0.05}, **known)
    before = outputs["chord_tag.chord"].copy()
    after = released().together(outputs)
    labels = released().task.labels
    assert labels[after[0].argmax()] == label
    assert after.sum() == pytest.approx(1)
    unknown = labels.index("X")
    assert after[0, unknown] == pytest.approx(before[0, unknown])
    assert (outputs["chord_tag.chord"] == before).all()


def test_together_stays_finite_at_the_edges():
    outputs = opinions({"X": 1.0}, root=3, pitch=[1])
    outputs["chord_tag.chord"] = np.eye(170, dtype=np.float32)[[5, 169]]
    outputs["chord_struct.pitch"] = np.eye(12, dtype=np.float32)[[0, 0]]
    for name in ("root", "bass"):
        outputs[f"chord_struct.{name}"] = np.eye(13, dtype=np.float32)[[12, 0]]
    after = released().together(outputs)
    np.testing.assert_allclose(after, outputs["chord_tag.chord"], atol=1e-4)


def test_chords_are_taken_apart():
    roots, basses, tones = structure(["D:min7", "N"])
    assert roots.tolist() == [2, 12]
    assert np.flatnonzero(tones[0]).tolist() == [0, 2, 5, 9]
    assert np.flatnonzero(basses[0]).tolist() == [0, 2, 5, 9]
    assert not tones[1].any() and np.flatnonzero(basses[1]).tolist() == [12]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        *(("C:(b3,5)", "C:min"), ("C:(3,5,b7)/3", "C:7"), ("C:maj(7)", "C:maj7")),
        *(("C:maj(9)", "C:maj"), ("G:7(13)", "G:7"), ("C:sus4(b7)", "C:sus4")),
        *(("C:7(*5)", "C:7"), ("C:9(*3)", "X")),
        *(("C:(1,5)", "X"), ("C:maj(*3)", "X"), ("C:min(*5)", "C:min"), ("N", "N")),
    ],
)
def test_listed_degrees_count(label, expected):
    assert chord.ChordTags().simplify(label) == expected


def test_chords_are_spelled_as_their_keys():
    chords = jams.Annotation("chord", time=0, duration=6, sandbox={"name": "chord"})
    labels = ["Gb:min7/b3", "N", "Ab:7", "Ab:7"]
    for start, label in zip((0, 1, 2, 5), labels, strict=True):
        chords.append(start, 1, label, 0.5)
    keys = jams.Annotation("key_mode", time=0, duration=6)
    keys.append(0, 4, "E:major", 1)
    keys.append(4, 2, "Db:major", 1)
    found = spell(chords, keys)
    expected = ["F#:min7/b3", "N", "G#:7", "Ab:7"]
    assert [o.value for o in found] == expected
    assert [o.time for o in found] == [0, 1, 2, 5]
    assert found.sandbox.name == "chord"
    assert [o.value for o in chords] == labels
