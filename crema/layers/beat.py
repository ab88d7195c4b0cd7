"""Blocks of the beat estimator's network, and its loss."""

import keras
from keras import ops

from crema.layers import around


class EventCrossentropy(keras.losses.Loss):
    """Cross-entropy of events, widened over neighbouring frames.

    Called on labels of shape ``(batch, n_frames, 1)``, 1 for an event, 0 for none and
    -1 for an unknown frame, whose loss is 0, and on probabilities.  The frames next to
    an event count as half an event and those beyond as a quarter, since annotations are
    not exact to a frame.  The mean is over all frames, so known frames weigh the same.

    References
    ----------
    S. Böck and M. Davies, "Deconstruct, analyse, reconstruct: how to improve tempo,
    beat, and downbeat estimation", ISMIR 2020.
    """

    def __init__(self):
        # Padding of validation excerpts has weight 0 and must not lower their mean.
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


def residual(x, channels, dilation, dropout):
    """Add a dilated convolution to its input.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_frames, channels)
        Values of each frame.
    channels, dilation : int
        Number of filters, of five frames each, and distance between these in frames.
    dropout : float
        Share of the filters to drop.

    Returns
    -------
    KerasTensor, shape=(batch, n_frames, channels)
    """
    layers = keras.layers
    y = layers.Conv1D(
        channels, 5, padding="same", dilation_rate=dilation, activation="elu"
    )(x)
    y = layers.SpatialDropout1D(dropout)(y)
    return layers.Add()([x, layers.Dense(channels)(y)])


def harmony(x, filters, channels):
    """Compute transposition-invariant features of harmonic change.

    Bars begin where chords change, and chord changes are alike in all keys: the twelve
    pitch classes share their filters, whose outputs are pooled by maximum and mean.

    Parameters
    ----------
    x : KerasTensor, shape=(batch, n_steps, 12 * n_octaves)
        A constant-Q transform with one bin per semitone, about twelve steps per second.
    filters : int
        Number of filters over nine steps, past and future, of one pitch class in all
        octaves.
    channels : int
        Number of filters over all pitch classes.

    Returns
    -------
    KerasTensor, shape=(batch, n_steps, 2 * channels)
    """
    layers = keras.layers
    x = layers.Reshape((-1, x.shape[2] // 12, 12))(x)
    x = layers.BatchNormalization()(layers.Permute((1, 3, 2))(x))
    x = layers.ELU()(layers.Conv2D(filters, (9, 1), padding="same")(x))
    x = layers.ELU()(around(x, channels, n_frames=3, dilation=2))
    pools = layers.MaxPooling2D((1, 12)), layers.AveragePooling2D((1, 12))
    x = layers.Concatenate()([pool(x) for pool in pools])
    return layers.Reshape((-1, 2 * channels))(x)
