"""Keras layers that models share; imported before a model is built or loaded."""

import keras
from keras import ops


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
        """Repeat, and cut what the pooling of the slow sequence had padded."""
        slow, fast = inputs
        return ops.repeat(slow, self.factor, axis=1)[:, : ops.shape(fast)[1]]

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        slow, fast = input_shape
        return (*fast[:2], slow[-1])

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "factor": self.factor}
