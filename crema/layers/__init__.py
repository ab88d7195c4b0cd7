"""Keras layers shared by networks; a module NAME holds those of estimator NAME.

:func:`register` imports them all, so that Keras can load models that use them.
"""

import importlib
import pkgutil

import keras
import numpy as np
from keras import ops

from crema.features import DYNAMIC_RANGE


@keras.saving.register_keras_serializable(package="crema")
class Downsample(keras.layers.Layer):
    """Average each group of `factor` frames.

    Called on shape ``(batch, n_frames, n)``; returns ``(batch, ceil(n_frames / factor),
    n)``.  The last group is padded with zeros.  Pooling with ``padding="same"`` would
    pad at the beginning too, and shift all frames by half the padding.

    Parameters
    ----------
    factor : int
        Frames per group.
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
        """Repeat the frames, and cut those that :class:`Downsample` added."""
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
    """Filter a harmonic constant-Q transform at random, in training only.

    Called on the transform in decibels, shape ``(batch, n_frames, n_bins,
    n_harmonics)``, scaled so that silence is 0; returns the same shape.  Each patch has
    its own curve of attenuation over frequency, a sum of cosines, which is the same in
    all harmonics.  Values below silence become silence.

    Parameters
    ----------
    depth : float
        Scale of the curve, in units of the input: each cosine has an amplitude of at
        most ``depth / sqrt(WAVES)``.
    offsets : list of int
        Bins from the first bin of the first harmonic to that of each harmonic.
    seed : int
        Seed of the curves.
    """

    #: Number of cosines in the curve; cosine k has k half-periods over all bins.
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

    After filters of 5 frames by 5 bins and filters one semitone wide, the octaves of
    each pitch class are put side by side, so all pitch classes share later weights.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_frames, n_bins, n_harmonics)
        The transform, in which silence is 0.
    hcqt : crema.features.HCQT
        Extractor that computes the transform.
    local_filters, semitone_filters : int
        Number of filters of either kind.
    activation : str
        Activation of the filters.
    colour : float
        Depth of the :class:`Colour` applied in training, in dB; 0 for none.
    seed : int
        Seed of the :class:`Colour`.

    Returns
    -------
    KerasTensor, shape=(batch, n_frames, 12, n_octaves * semitone_filters)
    """
    layers = keras.layers
    if colour:
        octave = 12 * hcqt.over_sample
        offsets = [octave * (harmonic.bit_length() - 1) for harmonic in hcqt.harmonics]
        x = Colour(colour / DYNAMIC_RANGE, offsets, seed)(x)
    # Pad with silence before normalisation; zeros after it would be an edge that tells
    # one pitch class from another.
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

    The convolution is circular in pitch class, so a transposed piece gives transposed
    values.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_frames, 12, n)
        Values of each pitch class.
    channels : int
        Number of filters.
    n_frames : int
        Frames that a filter covers, an odd number.
    dilation : int
        Distance between these in frames.

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
