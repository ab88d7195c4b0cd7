"""The loss of the beat estimator."""

import keras
from keras import ops


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
