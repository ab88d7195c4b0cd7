"""Weights to begin a training with: those of earlier trainings, or of released models.

A ``model.h5`` holds the weights as Keras has them.  A released model has none: its
``model.onnx`` holds them as the constants of operators, where normalisation is folded
into a factor and a summand.  What went where is found by exporting the network once
more with a number of its own for each weight.
"""

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from crema.exceptions import ModelError, first_line
from crema.export import to_onnx

#: Single precision tells whole numbers apart up to here.
MOST = 2**24


def begin_with(paths, model, inputs):
    """Load the mean of the weights of earlier trainings of the same network.

    Parameters
    ----------
    paths : list of pathlib.Path
        A ``model.h5`` or ``model.onnx`` each.
    model : keras.Model
        Gets the weights.
    inputs : dict of np.ndarray
        A batch to train on, by which normalisation is restored from ``model.onnx``.

    Raises
    ------
    ModelError
        A file is not there, or does not hold the weights of this network.

    References
    ----------
    M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models
    improves accuracy without increasing inference time", ICML 2022: of trainings that
    all began with the same one.
    """
    each = []
    for path in paths:
        if not path.is_file():
            raise ModelError(
                f"{path}: is not there; initial: names a model.h5 or model.onnx to "
                "begin with"
            )
        try:
            if path.suffix == ".onnx":
                from_onnx(onnx.load(path), model)
                normalise(model, inputs)
            else:
                model.load_weights(path)
        # Keras, h5py and protobuf raise many kinds for a damaged file.
        except Exception as error:
            raise ModelError(
                f"{path}: does not hold the weights of this network "
                f"({first_line(error)}); train with the network's options of that "
                "time, or without initial:"
            ) from error
        each.append(model.get_weights())
    model.set_weights([np.mean(alike, axis=0) for alike in zip(*each, strict=True)])


def from_onnx(exported, model):
    """Give a network the weights of an export of it.

    Parameters
    ----------
    exported : onnx.ModelProto
        What :func:`crema.export.to_onnx` made of the same network.
    model : keras.Model
        Computes the same afterwards, but for rounding.  Its normalisation has the
        statistics 0 and 1, and the factor and summand of the export: before it is
        trained, it needs :func:`normalise`.

    Raises
    ------
    ModelError
        It is the export of another network.
    """
    shapes = [weight.shape for weight in model.weights]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if ends[-1] >= MOST:
        raise ModelError(f"it has more than {MOST:,} weights")
    if not all(layer.scale and layer.center for layer in normalisations(model)):
        raise ModelError("a layer of normalisation has no factor or no summand")
    numbers = np.arange(1, ends[-1] + 1, dtype=np.float32)
    found = np.full(len(numbers), np.nan, np.float32)

    def assign(values):
        parts = np.split(values, ends[:-1])
        model.set_weights([p.reshape(s) for p, s in zip(parts, shapes, strict=True)])
        for layer in normalisations(model):
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
            unit = np.full(layer.moving_variance.shape, 1 - layer.epsilon)
            layer.moving_variance.assign(unit)

    def constants(proto):
        return [numpy_helper.to_array(one) for one in proto.graph.initializer]

    kinds = [node.op_type for node in exported.graph.node]
    assign(numbers)
    places = to_onnx(model)
    assign(-numbers)
    opposites = constants(to_onnx(model))
    stored = constants(exported)
    if (
        kinds != [node.op_type for node in places.graph.node]
        or len(stored) != len(opposites)
        or any(a.shape != b.shape for a, b in zip(stored, opposites, strict=True))
    ):
        raise ModelError("another network, or other sizes")
    for place, opposite, values in zip(
        constants(places), opposites, stored, strict=True
    ):
        # What does not change its sign with the weights is none.
        own = (place != 0) & (place == -opposite)
        found[np.rint(place[own]).astype(int) - 1] = values[own]
    assign(found)
    for one, same in zip(stored, constants(to_onnx(model)), strict=True):
        if not np.allclose(one, same, rtol=1e-5, atol=1e-6):
            raise ModelError("its constants are not the weights of this network")


def normalise(model, inputs):
    """Give batch normalisation the statistics of a batch, leaving what is computed.

    Parameters
    ----------
    model : keras.Model
        Factors and summands are set so that, with the new statistics, each layer
        computes what it did.
    inputs : dict of np.ndarray
        The batch.
    """
    found = normalisations(model)
    if not found:
        return
    into = keras.Model(model.inputs, [layer.input for layer in found])
    inside = into([inputs[tensor.name] for tensor in model.inputs])
    for layer, x in zip(found, inside, strict=True):
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
    """Return the layers of batch normalisation, which are to be the model's own."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]
