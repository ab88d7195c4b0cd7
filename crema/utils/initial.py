"""Initial weights of a training, from earlier trainings or released models.

A ``model.h5`` holds the weights as Keras stores them.  A released model only has a
``model.onnx``, which holds them as constants of operators, with batch normalisation
folded into scale and offset.  To find the constant of each weight, the network is
exported once more with a distinct number for each weight.
"""

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from crema.exceptions import ModelError, first_line
from crema.export import to_onnx

#: Single precision represents all integers up to here.
MOST = 2**24


def begin_with(paths, model, inputs):
    """Load the mean of the weights of earlier trainings of the same network.

    Parameters
    ----------
    paths : list of pathlib.Path
        A ``model.h5`` or ``model.onnx`` each.
    model : keras.Model
        Receives the weights.
    inputs : callable
        Returns a training batch, a dict of np.ndarray.  It provides the statistics of
        batch normalisation, which a ``model.onnx`` lacks.

    Raises
    ------
    ModelError
        A file is missing, or does not hold the weights of this network.

    References
    ----------
    M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models
    improves accuracy without increasing inference time", ICML 2022.  Their trainings
    all began with the same weights.
    """
    all_weights = []
    for path in paths:
        if not path.is_file():
            raise ModelError(
                f"{path}: no such file; initial: must list model.h5 or model.onnx files"
            )
        try:
            if path.suffix == ".onnx":
                from_onnx(onnx.load(path, load_external_data=False), model)
            else:
                model.load_weights(path)
        # Keras, h5py and protobuf raise many kinds of errors for a damaged file.
        except Exception as error:
            raise ModelError(
                f"{path}: does not match this network ({first_line(error)}); train "
                "with the network options of that model, or without initial:"
            ) from error
        if path.suffix == ".onnx":
            normalise(model, inputs())
        all_weights.append(model.get_weights())
    model.set_weights(
        [np.mean(alike, axis=0) for alike in zip(*all_weights, strict=True)]
    )


def from_onnx(exported, model):
    """Load the weights of a network from its ONNX export.

    Parameters
    ----------
    exported : onnx.ModelProto
        The same network, exported by :func:`crema.export.to_onnx`.
    model : keras.Model
        Receives the weights, and then computes the same up to rounding.  Its batch
        normalisation has mean 0, variance 1, and the scale and offset of the export:
        call :func:`normalise` before training.

    Raises
    ------
    ModelError
        It is the export of another network, or cannot be inverted.
    """
    if not all(layer.scale and layer.center for layer in normalisations(model)):
        raise ModelError("batch normalisation without scale or centre needs a model.h5")
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ModelError("nested models need a model.h5")
    shapes = [weight.shape for weight in model.weights]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if ends[-1] >= MOST:
        raise ModelError(f"more than {MOST:,} weights need a model.h5")
    numbers = np.arange(1, ends[-1] + 1, dtype=np.float32)
    recovered = np.full(len(numbers), np.nan, np.float32)

    def assign(values):
        parts = np.split(values, ends[:-1])
        model.set_weights([p.reshape(s) for p, s in zip(parts, shapes, strict=True)])
        for layer in normalisations(model):
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
            unit = np.full(layer.moving_variance.shape, 1 - layer.epsilon)
            layer.moving_variance.assign(unit)

    def constants(proto):
        return [numpy_helper.to_array(one) for one in proto.graph.initializer]

    assign(numbers)
    places = to_onnx(model)
    assign(-numbers)
    opposites = constants(to_onnx(model))
    stored = constants(exported)
    if list(exported.graph.node) != list(places.graph.node) or any(
        one.shape != other.shape for one, other in zip(stored, opposites, strict=True)
    ):
        raise ModelError("another architecture, or other sizes")
    for place, opposite, values in zip(
        constants(places), opposites, stored, strict=True
    ):
        # A constant that does not change its sign with the weights is not a weight.
        weights = (place != 0) & (place == -opposite)
        recovered[np.rint(place[weights]).astype(int) - 1] = values[weights]
    assign(recovered)
    if any(np.isnan(weight).any() for weight in model.get_weights()):
        raise ModelError("some weights are missing")


def normalise(model, inputs):
    """Set the statistics of batch normalisation from a batch; keep the outputs.

    Parameters
    ----------
    model : keras.Model
        Scales and offsets are set so that, with the new statistics, each layer
        computes the same as before.
    inputs : dict of np.ndarray
        The batch; it passes in training mode, with random filters and dropout.
    """
    layers = normalisations(model)
    if not layers:
        return
    to_inputs = keras.Model(model.inputs, [layer.input for layer in layers])
    for layer in layers:
        layer.trainable = False  # so that it uses its stored statistics
    layer_inputs = to_inputs(
        [inputs[tensor.name] for tensor in model.inputs], training=True
    )
    for layer in layers:
        layer.trainable = True
    for layer, x in zip(layers, layer_inputs, strict=True):
        x = np.asarray(x, dtype=np.float64)
        axes = tuple(axis for axis in range(x.ndim) if axis != layer.axis % x.ndim)
        mean, variance = x.mean(axes), x.var(axes)
        old = np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
        factor = np.asarray(layer.gamma) / old
        summand = np.asarray(layer.beta) - factor * np.asarray(layer.moving_mean)
        layer.gamma.assign(factor * np.sqrt(variance + layer.epsilon))
        layer.beta.assign(summand + factor * mean)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


def normalisations(model):
    """Return the batch normalisation layers."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]
