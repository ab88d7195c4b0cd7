"""Initial weights, from the files of earlier models."""

import numpy as np
import onnx
import pytest
from conftest import randomise

from crema import backend

keras = backend.keras()

from keras import layers  # noqa: E402

from crema.exceptions import ModelError  # noqa: E402
from crema.export import to_onnx  # noqa: E402
from crema.utils.initial import begin_with, from_onnx  # noqa: E402


def network(units=5, scale=True, inner=False, activation="relu"):
    """Layers whose weights an export folds, reorders, transposes and stacks."""
    frames = keras.Input((None, 6, 2), name="frames")
    x = layers.Dropout(0.5)(layers.BatchNormalization()(frames))
    x = layers.Rescaling(0.5, 1.0)(layers.Conv2D(4, (3, 2), activation=activation)(x))
    x = layers.Reshape((-1, 20))(layers.BatchNormalization(scale=scale)(x))
    gru = layers.GRU(units, return_sequences=True)
    x = layers.Bidirectional(gru)(x)
    if inner:
        x = keras.Sequential([layers.Dense(7)])(x)
    x = layers.LSTM(units, return_sequences=True, use_bias=False)(x)
    return keras.Model(frames, layers.Dense(3, activation="softmax", name="y")(x))


@pytest.fixture
def batch():
    return {"frames": np.random.default_rng(1).normal(3, 2, (4, 30, 6, 2))}


def test_an_export_gives_its_weights_back(batch):
    trained, other = randomise(network()), randomise(network(), seed=1)
    expected = np.asarray(trained(batch["frames"]))
    assert np.abs(other(batch["frames"]) - expected).max() > 0.01
    from_onnx(to_onnx(trained), other)
    np.testing.assert_allclose(other(batch["frames"]), expected, atol=1e-6)
    for one, same in zip(trained.layers, other.layers, strict=True):
        if isinstance(one, (layers.Conv2D, layers.Bidirectional, layers.LSTM)):
            for weight, copy in zip(one.get_weights(), same.get_weights(), strict=True):
                np.testing.assert_array_equal(weight, copy)


def test_a_training_goes_on_where_the_export_was(tmp_path, batch):
    trained, model = randomise(network()), network()
    path = tmp_path / "model.onnx"
    onnx.save(to_onnx(trained), path)
    begin_with([path], model, lambda: batch)
    expected = np.asarray(trained(batch["frames"]))
    np.testing.assert_allclose(model(batch["frames"]), expected, atol=1e-6)
    first = next(x for x in model.layers if isinstance(x, layers.BatchNormalization))
    mean = batch["frames"].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(first.moving_mean, mean, rtol=1e-5)
    # With a step size of 0, training only updates the statistics.
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(batch["frames"], expected, batch_size=4, epochs=300, verbose=0)
    np.testing.assert_allclose(model(batch["frames"]), expected, atol=0.01)


@pytest.mark.parametrize(
    ("exported", "into", "reason"),
    [
        ({}, {"units": 6}, "another architecture, or other sizes"),
        ({}, {"activation": "elu"}, "another architecture, or other sizes"),
        ({"scale": False}, {"scale": False}, "without scale or centre"),
        ({"inner": True}, {"inner": True}, "nested models"),
    ],
)
def test_what_is_not_to_be_had_is_refused(tmp_path, batch, exported, into, reason):
    path = tmp_path / "model.onnx"
    onnx.save(to_onnx(network(**exported)), path)
    with pytest.raises(ModelError, match=rf"model.onnx: .*{reason}"):
        begin_with([path], network(**into), lambda: batch)


@pytest.mark.parametrize("name", ["model.onnx", "model.h5"])
def test_what_is_no_model_is_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ModelError, match=f"{name}: no such file"):
        begin_with([path], network(), None)
    path.write_text("nothing of the kind")
    with pytest.raises(ModelError, match=f"{name}: does not match this network"):
        begin_with([path], network(), None)
