"""Keras networks as ONNX: each layer computes the same."""

import numpy as np
import onnxruntime
import pytest
from conftest import randomise

from crema import backend

keras = backend.keras()

from keras import layers  # noqa: E402

from crema.exceptions import ModelError  # noqa: E402
from crema.export import ACTIVATIONS, to_onnx  # noqa: E402
from crema.layers import Downsample, Upsample  # noqa: E402


def run(exported, arrays):
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    names = [node.name for node in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def assert_same(outputs, *inputs, lengths=(1, 7, 16)):
    """Both compute the same for a batch of two, for inputs of several lengths."""
    model = randomise(keras.Model(list(inputs), outputs))
    exported = to_onnx(model)
    rng = np.random.default_rng(0)
    for length in lengths:
        shapes = [[length if n is None else n for n in x.shape[1:]] for x in inputs]
        arrays = [rng.normal(0, 2, (2, *shape)).astype(np.float32) for shape in shapes]
        expected = model(arrays)
        expected = expected if isinstance(expected, list) else [expected]
        for one, other in zip(expected, run(exported, arrays), strict=True):
            one = np.asarray(one)
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)


def sequence(n=6):
    return keras.Input((None, n))


def image(bins=9, channels=4):
    return keras.Input((None, bins, channels))


SEQUENCE_LAYERS = [
    layers.Dense(3),
    layers.Dense(3, activation="softmax", use_bias=False),
    layers.Conv1D(5, 3),
    layers.Conv1D(5, 4, padding="same", activation="elu"),
    layers.Conv1D(5, 3, padding="same", dilation_rate=4, use_bias=False),
    layers.Conv1D(5, 4, padding="same", strides=3),
    layers.Conv1D(6, 3, padding="causal", dilation_rate=2, groups=2),
    layers.MaxPooling1D(3, padding="same"),
    layers.MaxPooling1D(3, strides=2),
    layers.AveragePooling1D(4, strides=1, padding="same"),
    layers.AveragePooling1D(4, padding="same"),
    layers.GlobalAveragePooling1D(),
    layers.GlobalAveragePooling1D(keepdims=True),
    layers.ZeroPadding1D((2, 1)),
    layers.Cropping1D((2, 0)),
    layers.Cropping1D((1, 3)),
    layers.Permute((2, 1)),
    layers.Reshape((-1, 2, 3)),
    layers.Flatten(),
    layers.Rescaling(1 / 4, -0.5),
    layers.BatchNormalization(),
    layers.BatchNormalization(center=False, scale=False),
    layers.Softmax(axis=1),
    layers.ReLU(),
    layers.ELU(alpha=0.5),
    layers.Dropout(0.5),
    layers.SpatialDropout1D(0.5),
    Downsample(4),
    layers.GRU(4),
    layers.GRU(4, return_sequences=True, reset_after=False),
    layers.GRU(4, return_sequences=True, use_bias=False, activation="relu"),
    layers.LSTM(4, return_sequences=True),
    layers.LSTM(4, recurrent_activation="tanh", activation="relu"),
    *(
        layers.Bidirectional(cell(4, return_sequences=sequences))
        for cell in (layers.GRU, layers.LSTM)
        for sequences in (True, False)
    ),
    keras.Sequential([layers.Dense(3), layers.GRU(2)]),
]
IMAGE_LAYERS = [
    layers.Conv2D(3, 5, padding="same", activation="relu"),
    layers.Conv2D(3, (2, 4), padding="same", strides=2),
    layers.Conv2D(3, (1, 9)),
    layers.Conv2D(
        3, (3, 1), dilation_rate=(2, 1), padding="same", activation="softmax"
    ),
    layers.Conv2D(8, (1, 3), strides=(1, 3), groups=4),
    layers.Dense(3, activation="elu"),
    layers.MaxPooling2D((1, 3)),
    layers.MaxPooling2D((1, 9)),
    layers.AveragePooling2D((1, 9)),
    layers.AveragePooling2D((1, 9), padding="same"),
    layers.MaxPooling2D(2, padding="same"),
    layers.AveragePooling2D((1, 4), padding="same"),
    layers.ZeroPadding2D(((2, 0), (1, 3))),
    layers.Cropping2D(((0, 0), (0, 1))),
    layers.Permute((1, 3, 2)),
    layers.Reshape((-1, 36)),
    layers.BatchNormalization(),
    layers.BatchNormalization(axis=2),
    layers.SpatialDropout2D(0.5),
]


def is_long_enough(layer, length):
    """Return false for inputs shorter than a filter, which Keras cannot process."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", [1]))[0]
    size += sum(np.ravel(getattr(layer, "cropping", 0))[:2])
    return length >= size or getattr(layer, "padding", "") in ("same", "causal")


@pytest.mark.parametrize("layer", SEQUENCE_LAYERS, ids=lambda layer: layer.name)
def test_layers_of_sequences(layer):
    x = sequence()
    lengths = [n for n in (1, 7, 16) if is_long_enough(layer, n)]
    assert_same(layer(x), x, lengths=lengths)


@pytest.mark.parametrize("layer", IMAGE_LAYERS, ids=lambda layer: layer.name)
def test_layers_of_images(layer):
    x = image()
    assert_same(
        layer(x), x, lengths=[n for n in (1, 7, 16) if is_long_enough(layer, n)]
    )


@pytest.mark.parametrize(
    "function", ACTIVATIONS, ids=lambda function: function.__name__
)
def test_activations(function):
    x = sequence()
    assert_same(layers.Activation(function)(x), x)


@pytest.mark.parametrize(
    "layer",
    [
        *(layers.Add(), layers.Concatenate(), layers.Concatenate(axis=1)),
        *(layers.Dot(axes=1), Upsample(1)),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_merge(layer):
    x, y = sequence(), sequence()
    assert_same(layer([x, y]), x, y)


def test_adding_more_than_two():
    x, y, z = sequence(), keras.Input((1, 6)), sequence()
    assert_same(layers.Add()([x, y, z]), x, y, z)


@pytest.mark.parametrize("factor", [3, 8])
def test_there_and_back_to_the_frame_rate(factor):
    x = sequence()
    slow = layers.Dense(2)(Downsample(factor)(x))
    assert_same(Upsample(factor)([slow, x]), x, lengths=(1, 7, 8, 9, 24, 25))


def test_layers_that_are_shared_and_models_within_models():
    x, y = sequence(), sequence()
    shared = layers.Dense(4, activation="tanh")
    inner = keras.Input((None, 4))
    both = keras.Model(inner, [layers.GRU(3)(inner), layers.Dense(2)(inner)])
    last, each = both(shared(x))
    assert_same([layers.ELU()(last), layers.ReLU()(each), shared(y)], x, y)


def test_a_sequential_model():
    model = keras.Sequential([sequence(), layers.Dense(3), layers.GRU(2, name="last")])
    x = np.ones((1, 5, 6), np.float32)
    (found,) = run(to_onnx(model), [x])
    np.testing.assert_allclose(found, np.asarray(model(x)), atol=1e-5)


def test_outputs_need_names_of_their_own():
    x, inner = sequence(), sequence()
    both = keras.Model(inner, [layers.ReLU()(inner), layers.ELU()(inner)])
    with pytest.raises(ModelError, match="output names multiple times"):
        to_onnx(keras.Model(x, both(x)))


def test_names_order_and_types_are_kept():
    levels = keras.Input((None, 5), dtype="uint8", name="mel.mag")
    extra = keras.Input((None, 5), name="a.first")
    x = layers.Add()([layers.Rescaling(1 / 255)(levels), extra])
    z = layers.Dense(2, name="z.frames")(x)
    a = layers.GRU(3, name="a.whole")(z)
    exported = to_onnx(keras.Model([levels, extra], [z, a]))
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    nodes = [*session.get_inputs(), *session.get_outputs()]
    assert [(node.name, node.type) for node in nodes] == [
        ("mel.mag", "tensor(uint8)"),
        ("a.first", "tensor(float)"),
        ("z.frames", "tensor(float)"),
        ("a.whole", "tensor(float)"),
    ]
    assert [node.shape[0] for node in nodes] == ["batch"] * 4
    assert [node.shape[1] for node in nodes] == [None, None, None, 3]


def test_the_same_model_gives_the_same_bytes():
    x = sequence()
    model = keras.Model(x, layers.GRU(3)(layers.Dense(2)(x)))
    assert to_onnx(model).SerializeToString() == to_onnx(model).SerializeToString()


class Double(layers.Dense):
    def call(self, x):
        return 2 * super().call(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Double(2, name="mine"),
            r"layer mine \(Double\): a layer of this class cannot",
        ),
        (layers.TimeDistributed(layers.Dense(2)), "TimeDistributed"),
        (layers.Conv1D(2, 3, data_format="channels_first"), "data_format"),
        (layers.Dense(2, activation="squareplus"), "activation"),
        (layers.GRU(2, recurrent_activation="hard_sigmoid"), "hard_sigmoid"),
        (layers.GRU(2, go_backwards=True), "directions"),
        (layers.GRU(2, stateful=True), "states"),
        (layers.Bidirectional(layers.GRU(2), merge_mode=None), "directions"),
        (layers.Bidirectional(layers.LSTM(2), merge_mode="sum"), "directions"),
        (layers.LayerNormalization(), "a layer of this class"),
        (layers.ReLU(max_value=6.0), "maximum"),
        (layers.Dense(2, activation=layers.LeakyReLU()), "activation"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_cannot_be_exported_is_named(layer, message):
    x = keras.Input((6, 6), batch_size=2)
    with pytest.raises(ModelError, match=message) as caught:
        to_onnx(keras.Model(x, layer(x)))
    assert layer.name in str(caught.value) and "crema/export.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_functional_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    for model in (Mine(), keras.Sequential([layers.Dense(2)])):
        with pytest.raises(ModelError, match="not functional"):
            to_onnx(model)


def test_what_keras_does_with_axes_or_types_alone_is_refused():
    x, y = sequence(), keras.Input((6,))
    with pytest.raises(ModelError, match="numbers of axes"):
        to_onnx(keras.Model([x, y], layers.Add()([x, y])))
    with pytest.raises(ModelError, match="product over the frames"):
        to_onnx(keras.Model(x, layers.Dot(axes=2)([x, x])))
    with pytest.raises(ModelError, match="training=True"):
        to_onnx(keras.Model(x, layers.Dropout(0.5)(x, training=True)))
    with pytest.raises(ModelError, match="states"):
        to_onnx(keras.Model([x, y], layers.GRU(6)(x, initial_state=y)))
    levels = keras.Input((None, 6), dtype="uint8")
    with pytest.raises(ModelError, match="cannot be exported"):
        to_onnx(keras.Model(levels, layers.BatchNormalization()(levels)))
