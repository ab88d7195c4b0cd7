"""Keras layers and losses that networks share; imported before a model is loaded."""

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


class EventCrossentropy(keras.losses.Loss):
    """Cross-entropy of events, widened over the frames beside them.

    Called on labels of shape ``(batch, n_frames, 1)``, 1 for an event, 0 for none and
    -1 for a frame whose loss is 0, and on probabilities.  The frames beside an event
    count as half an event and the next as a quarter, since annotations are not exact to
    a frame.  The mean is over all frames, so that each known frame weighs the same.

    References
    ----------
    S. Böck and M. Davies, "Deconstruct, analyse, reconstruct: how to improve tempo,
    beat, and downbeat estimation", ISMIR 2020.
    """

    def __init__(self):
        # Padding of validation excerpts has weight 0 and must not thin out their mean.
        super().__init__(reduction="mean_with_sample_weight")

    def call(self, y_true, y_pred):
        """Return the loss of each frame, shape ``(batch, n_frames)``."""
        y_true = ops.cast(y_true, y_pred.dtype)[..., 0]
        known = ops.cast(y_true >= 0, y_pred.dtype)
        event = target = ops.maximum(y_true, 0)
        n_frames = ops.shape(event)[1]
        padded = ops.pad(event, [[0, 0], [2, 2]])
        for shift, weight in ((1, 0.5), (3, 0.5), (0, 0.25), (4, 0.25)):
            target = ops.maximum(target, weight * padded[:, shift : shift + n_frames])
        estimate = ops.clip(y_pred[..., 0], 1e-6, 1 - 1e-6)
        return -known * (
            target * ops.log(estimate) + (1 - target) * ops.log(1 - estimate)
        )
