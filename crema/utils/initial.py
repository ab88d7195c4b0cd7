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
    inputs : callable
        Returns a batch to train on, a dict of np.ndarray, from which the statistics of
        normalisation are taken that a ``model.onnx`` does not have.

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
                f"{path}: is not there; initial: names files, each a model.h5 or a "
                "model.onnx"
            )
        try:
            if path.suffix == ".onnx":
                from_onnx(onnx.load(path, load_external_data=False), model)
            else:
                model.load_weights(path)
        # Keras, h5py and protobuf raise many kinds for a damaged file.
        except Exception as error:
            raise ModelError(
                f"{path}: does not hold the weights of this network "
                f"({first_line(error)}); train with the network's options of that "
                "time, or without initial:"
            ) from error
        if path.suffix == ".onnx":
            normalise(model, inputs())
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
        statistics 0 and 1, and the factor and summand of the export: to be trained, it
        needs :func:`normalise`.

    Raises
    ------
    ModelError
        It is the export of another network, or one that cannot be taken back.
    """
    if not all(layer.scale and layer.center for layer in normalisations(model)):
        raise ModelError(
            "only a model.h5 keeps normalisation without factor or summand"
        )
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ModelError("only a model.h5 keeps a model in the model")
    shapes = [weight.shape for weight in model.weights]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if ends[-1] >= MOST:
        raise ModelError(f"only a model.h5 keeps more than {MOST:,} weights")
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

    assign(numbers)
    places = to_onnx(model)
    assign(-numbers)
    opposites = constants(to_onnx(model))
    stored = constants(exported)
    if list(exported.graph.node) != list(places.graph.node) or any(
        one.shape != other.shape for one, other in zip(stored, opposites, strict=True)
    ):
        raise ModelError("another network, or other sizes")
    for place, opposite, values in zip(
        constants(places), opposites, stored, strict=True
    ):
        # What does not change its sign with the weights is none.
        weights = (place != 0) & (place == -opposite)
        found[np.rint(place[weights]).astype(int) - 1] = values[weights]
    assign(found)
    if any(np.isnan(weight).any() for weight in model.get_weights()):
        raise ModelError("some weights are not in it")


def normalise(model, inputs):
    """Give batch normalisation the statistics of a batch, leaving what is computed.

    Parameters
    ----------
    model : keras.Model
        Factors and summands are set so that, with the new statistics, each layer
        computes what it did.
    inputs : dict of np.ndarray
        The batch, which passes as in training: what comes later is filtered, and has
        values dropped, at random.
    """
    found = normalisations(model)
    if not found:
        return
    into = keras.Model(model.inputs, [layer.input for layer in found])
    for layer in found:
        layer.trainable = False  # and so does not take the batch's own statistics
    inside = into([inputs[tensor.name] for tensor in model.inputs], training=True)
    for layer in found:
        layer.trainable = True
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
    """Return the layers of batch normalisation."""
    kind = keras.layers.BatchNormalization
    return [layer for layer in model.layers if isinstance(layer, kind)]
