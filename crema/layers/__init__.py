"""Keras layers: those that networks share, and a module NAME for those of NAME alone.

:func:`register` imports them all, which lets Keras find them in the file of a model.
"""

import importlib
import pkgutil

import keras
import numpy as np
from keras import ops

from crema.features import DYNAMIC_RANGE


@keras.saving.register_keras_serializable(package="crema")
class Downsample(keras.layers.Layer):
    """Replace each so many frames by their mean.

    Called on shape ``(batch, n_frames, n)``; returns ``(batch, ceil(n_frames / factor),
    n)``.  Silence follows where the last frames are fewer.  Pooling that pads to keep
    the length would pad at the beginning too, and shift all frames by half of that.

    Parameters
    ----------
    factor : int
        Frames per step.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        """Return the means."""
        missing = -ops.shape(x)[1] % self.factor
        x = ops.pad(x, [[0, 0], [0, missing], [0, 0]])
        steps = ops.shape(x)[1] // self.factor
        return ops.mean(ops.reshape(x, (-1, steps, self.factor, x.shape[2])), axis=2)

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        batch, n_frames, n = input_shape
        return (batch, None if n_frames is None else -(-n_frames // self.factor), n)

    def to_onnx(self, op, x):
        """Write the layer; see :mod:`crema.export`."""
        n = self.factor
        window = {"kernel_shape": [n], "strides": [n], "pads": [0, n - 1]}
        x = op("Transpose", x, perm=[0, 2, 1])
        x = op("AveragePool", x, count_include_pad=1, **window)
        return op("Transpose", x, perm=[0, 2, 1])

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="crema")
class Upsample(keras.layers.Layer):
    """Repeat the frames of a slow sequence to the frame rate and length of a fast one.

    Called on ``[slow, fast]``, shapes ``(batch, ceil(n_frames / factor), n_slow)`` and
    ``(batch, n_frames, n_fast)``; returns shape ``(batch, n_frames, n_slow)``.

    Parameters
    ----------
    factor : int
        Frames of the fast sequence per frame of the slow one.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        """Repeat, and cut what :class:`Downsample` had added."""
        slow, fast = inputs
        return ops.repeat(slow, self.factor, axis=1)[:, : ops.shape(fast)[1]]

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        slow, fast = input_shape
        return (*fast[:2], slow[-1])

    def to_onnx(self, op, slow, fast):
        """Write the layer; see :mod:`crema.export`."""
        n_frames = op("Squeeze", op("Shape", fast, start=1, end=2))
        steps = op("Div", op("Range", 0, n_frames, 1), self.factor)
        return op("Gather", slow, steps, axis=1)

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="crema")
class Colour(keras.layers.Layer):
    """In training, filter what a harmonic constant-Q transform hears, at random.

    Called on the transform in decibels, shape ``(batch, n_frames, n_bins,
    n_harmonics)``, scaled so that silence is 0; returns the same shape.  Each patch has
    a curve of its own over the frequencies, a sum of a few cosines, that lowers them by
    up to twice `depth`, and the same frequency equally in all harmonics.  What falls
    below silence is silent.  Outside training nothing is changed.

    Parameters
    ----------
    depth : float
        Greatest distance of the curve from its mean, on the scale of the input.
    offsets : list of int
        Bins from the first of the first harmonic to that of each.
    seed : int
        Decides the curves.
    """

    #: Slowest waves of the curve over all bins, and how many there are.
    WAVES = 5

    def __init__(self, depth, offsets, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.depth, self.offsets, self.seed = depth, list(offsets), seed
        self.draw = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """Return the filtered transform."""
        if not training:
            return x
        n_bins = x.shape[2]
        place = np.arange(n_bins + max(self.offsets)) / (n_bins + max(self.offsets))
        waves = np.cos(np.pi * np.arange(1, self.WAVES + 1)[:, np.newaxis] * place)
        size = (ops.shape(x)[0], self.WAVES)
        weights = keras.random.uniform(size, -1, 1, seed=self.draw)
        weights = weights * self.depth / self.WAVES**0.5
        curve = ops.matmul(weights, ops.cast(waves, x.dtype))
        curve = curve - ops.max(curve, axis=1, keepdims=True)
        gain = ops.stack([curve[:, o : o + n_bins] for o in self.offsets], axis=-1)
        return ops.maximum(x + gain[:, np.newaxis], 0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        return input_shape

    def to_onnx(self, op, x):
        """Write the layer; see :mod:`crema.export`."""
        return op("Identity", x)

    def get_config(self):
        """Return the parameters."""
        own = {"depth": self.depth, "offsets": [*self.offsets], "seed": self.seed}
        return {**super().get_config(), **own}


def pitch_classes(
    x, hcqt, local_filters, semitone_filters, activation, colour=0.0, seed=0
):
    """Fold a harmonic constant-Q transform to pitch classes, by learned weights.

    5 x 5 filters, filters as wide as a semitone, and then the octaves side by side:
    what an octave tells of a pitch class is learned once for all pitch classes.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_frames, n_bins, n_harmonics)
        The transform, in which silence is 0.
    hcqt : crema.features.HCQT
        What makes it.
    local_filters, semitone_filters : int
        How many of either kind.
    activation : str
        Of the filters.
    colour : float
        Decibels by which :class:`Colour` filters the transform in training, if any.
    seed : int
        Of these filters.

    Returns
    -------
    KerasTensor, shape=(batch, n_frames, 12, n_octaves * semitone_filters)
    """
    layers = keras.layers
    if colour:
        octave = 12 * hcqt.over_sample
        offsets = [octave * (harmonic.bit_length() - 1) for harmonic in hcqt.harmonics]
        x = Colour(colour / DYNAMIC_RANGE, offsets, seed)(x)
    # Beyond the edges is silence, and no edge that tells one pitch class from another.
    x = layers.BatchNormalization()(layers.ZeroPadding2D(2)(x))
    x = layers.Conv2D(local_filters, 5, activation=activation)(x)
    x = layers.BatchNormalization()(x)
    bins = (1, hcqt.over_sample)
    x = layers.Conv2D(semitone_filters, bins, strides=bins, activation=activation)(x)
    x = layers.Reshape((-1, hcqt.n_octaves, 12, semitone_filters))(x)
    x = layers.Permute((1, 3, 2, 4))(x)
    return layers.Reshape((-1, 12, hcqt.n_octaves * semitone_filters))(x)


def around(x, channels, n_frames=1, dilation=1):
    """Convolve over all twelve pitch classes, upwards from each, and a few frames.

    Pitch classes have no end: the filters go round, so that a transposed piece gives
    transposed values.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_frames, 12, n)
        Values of each pitch class.
    channels : int
        Filters.
    n_frames : int
        Frames that a filter sees, an odd number.
    dilation : int
        Frames from one of these to the next.

    Returns
    -------
    KerasTensor, shape=(batch, n_frames, 12, channels)
    """
    layers = keras.layers
    x = layers.Concatenate(axis=2)([x, layers.Cropping2D(((0, 0), (0, 1)))(x)])
    reach = dilation * (n_frames // 2)
    x = layers.ZeroPadding2D(((reach, reach), (0, 0)))(x)
    return layers.Conv2D(channels, (n_frames, 12), dilation_rate=(dilation, 1))(x)


def register():
    """Import every module of layers."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
