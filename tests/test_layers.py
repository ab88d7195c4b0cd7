"""Layers and losses that networks share."""

import numpy as np
import pytest

from crema import backend

keras = backend.keras()

from crema.layers import Colour, Downsample, Upsample  # noqa: E402
from crema.layers.beat import EventCrossentropy  # noqa: E402


def labels(*values):
    return np.asarray(values, dtype=np.int8)[np.newaxis, :, np.newaxis]


def loss(y_true, probability, weights=None):
    y_pred = np.full(y_true.shape, probability, dtype=np.float32)
    return float(EventCrossentropy()(y_true, y_pred, sample_weight=weights))


def test_events_are_widened_over_their_neighbours():
    y_true = labels(0, 0, 0, 1, 0, 0, 0)
    found = EventCrossentropy().call(y_true, np.full(y_true.shape, 0.5, np.float32))
    np.testing.assert_allclose(found, np.full((1, 7), np.log(2)), rtol=1e-5)
    # The loss at each frame is lowest at the widened target.
    for target, frame in ((1, 3), (0.5, 2), (0.5, 4), (0.25, 1), (0.25, 5), (0, 0)):
        trials = np.linspace(0.001, 0.999, 999)
        costs = [
            np.asarray(
                EventCrossentropy().call(y_true, np.full(y_true.shape, p, np.float32))
            )[0, frame]
            for p in trials[::37]
        ]
        best = trials[::37][int(np.argmin(costs))]
        assert best == pytest.approx(target, abs=0.05)


def test_events_near_the_edges_and_near_each_other():
    y_true = labels(1, 0, 1)
    found = EventCrossentropy().call(y_true, np.full(y_true.shape, 0.5, np.float32))
    assert np.asarray(found).shape == (1, 3) and np.isfinite(found).all()


def test_unknown_frames_and_padding_cost_nothing():
    assert loss(labels(-1, -1, -1), 0.3) == 0
    known = loss(labels(0, 0, 0, 0), 0.3)
    assert loss(labels(0, 0, -1, -1), 0.3) == pytest.approx(known / 2)
    weights = np.asarray([[1, 1, 0, 0]], dtype=np.float32)
    assert loss(labels(0, 0, 1, 1), 0.3, weights) != pytest.approx(known)
    assert loss(labels(0, 0, 0, 0), 0.3, weights) == pytest.approx(known)


@pytest.mark.parametrize("n_frames", [1, 7, 8, 9, 40])
def test_the_slow_sequence_gets_the_length_of_the_fast_one(n_frames):
    fast = np.arange(n_frames, dtype=np.float32)[np.newaxis, :, np.newaxis]
    slow = Downsample(8)(fast)
    found = np.asarray(Upsample(8)([slow, fast]))
    assert found.shape == fast.shape
    blocks = [fast[0, start : start + 8].sum() / 8 for start in range(0, n_frames, 8)]
    np.testing.assert_allclose(found[0, :, 0], np.repeat(blocks, 8)[:n_frames])


def test_a_saved_model_finds_the_layer(tmp_path):
    x = keras.Input((None, 2), name="x")
    model = keras.Model(x, Upsample(4)([Downsample(4)(x), x]))
    model.save(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    y = np.random.default_rng(0).normal(size=(1, 10, 2)).astype(np.float32)
    np.testing.assert_allclose(again.predict(y, verbose=0), model.predict(y, verbose=0))


# --- filters --------------------------------------------------------------------------


def spectra(seed=0):
    """Two spectra that are equal; the second harmonic begins three bins later."""
    one = np.random.default_rng(seed).uniform(0.6, 1, (1, 4, 8, 2)).astype(np.float32)
    return np.repeat(one, 2, axis=0)


def test_colour_lowers_each_frequency_of_a_patch_alike():
    x = spectra()
    change = np.asarray(Colour(0.2, [0, 3])(x, training=True)) - x
    assert np.ptp(change, axis=1) == pytest.approx(0, abs=1e-6)
    assert change[:, :, 3:, 0] == pytest.approx(change[:, :, :-3, 1], abs=1e-6)
    assert change.max() <= 1e-6
    assert change.min() >= -2 * 0.2 * Colour.WAVES**0.5
    assert np.abs(change[0] - change[1]).max() > 0.01  # different curves
    assert np.ptp(change[0, 0, :, 0]) > 0.01


def test_colour_leaves_silence_and_what_is_not_training():
    x = spectra()
    x[:, :, 2] = 0.0
    coloured = np.asarray(Colour(0.2, [0, 3])(x, training=True))
    assert not coloured[:, :, 2].any()
    assert coloured.min() >= 0
    np.testing.assert_array_equal(Colour(0.2, [0, 3])(x), x)


def test_colour_is_seeded():
    one, same, other = (
        Colour(0.2, [0, 3], seed)(spectra(), training=True) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(np.asarray(one) - np.asarray(other)).max() > 0.01
