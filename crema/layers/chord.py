"""Layers of the chord estimator, whose network all twelve pitch classes share."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="crema")
class EachPitchClass(keras.layers.Layer):
    """Make each pitch class a sequence of its own.

    Called on shape ``(batch, n_frames, n_classes, n)``; returns
    ``(batch * n_classes, n_frames, n)``.
    """

    def call(self, x):
        """Return the sequences; those of a piece are successive."""
        n_frames = ops.shape(x)[1]
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, n_frames, x.shape[3]))

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        return (None, input_shape[1], input_shape[3])

    def to_onnx(self, op, x):
        """Write the layer; see :mod:`crema.export`."""
        n_frames, n = (op("Shape", x, start=i, end=i + 1) for i in (1, 3))
        x = op("Transpose", x, perm=[0, 2, 1, 3])
        return op("Reshape", x, op("Concat", [-1], n_frames, n, axis=0))


@keras.saving.register_keras_serializable(package="crema")
class AllPitchClasses(keras.layers.Layer):
    """Undo :class:`EachPitchClass`.

    Parameters
    ----------
    n_classes : int
        Pitch classes.
    """

    def __init__(self, n_classes=12, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes

    def call(self, x):
        """Return the sequences of each piece, side by side."""
        x = ops.reshape(x, (-1, self.n_classes, ops.shape(x)[1], x.shape[2]))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        return (None, input_shape[1], self.n_classes, input_shape[2])

    def to_onnx(self, op, x):
        """Write the layer; see :mod:`crema.export`."""
        n_frames, n = (op("Shape", x, start=i, end=i + 1) for i in (1, 2))
        shape = op("Concat", [-1], [self.n_classes], n_frames, n, axis=0)
        return op("Transpose", op("Reshape", x, shape), perm=[0, 2, 1, 3])

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "n_classes": self.n_classes}


@keras.saving.register_keras_serializable(package="crema")
class Order(keras.layers.Layer):
    """Reorder the last axis but one.

    Parameters
    ----------
    indices : list of int
        Index in the input for each index in the output.
    """

    def __init__(self, indices, **kwargs):
        super().__init__(**kwargs)
        self.indices = list(indices)

    def call(self, x):
        """Return the values at the indices."""
        return ops.take(x, self.indices, axis=2)

    def compute_output_shape(self, input_shape):
        """Return the shape of the result."""
        return (*input_shape[:2], len(self.indices), input_shape[3])

    def to_onnx(self, op, x):
        """Write the layer; see :mod:`crema.export`."""
        return op("Gather", x, self.indices, axis=2)

    def get_config(self):
        """Return the parameters."""
        return {**super().get_config(), "indices": self.indices}
