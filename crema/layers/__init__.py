"""Keras layers: those that networks share, and a module NAME for those of NAME alone.

:func:`register` imports them all, which lets Keras find them in the file of a model.
"""

import importlib
import pkgutil

import keras
from keras import ops


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

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "factor": self.factor}


def register():
    """Import every module of layers."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
