"""The chord network: a transposed piece has transposed chords."""

import argparse

import numpy as np
import pumpp
import pytest
from conftest import ROOT, load_script

from crema import features
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
    # Db to F of one octave, which two semitones more do not leave.
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
