"""Keras, set up once: quiet, on TensorFlow if no other is chosen."""

import logging
import os

from crema.utils import processes


def keras(threads=None):
    """Import Keras.

    Parameters
    ----------
    threads : int, optional
        Limit TensorFlow to so many threads; with one, results repeat bit for bit.
        Has an effect before the first computation only.

    Returns
    -------
    module
        ``keras``.
    """
    quiet()
    # Neither setting keeps TensorFlow from telling how it was built.
    with processes.quiet():
        import keras

    if threads and name() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    return keras


def name():
    """Return the package that Keras computes with."""
    import keras

    return keras.backend.backend()


def quiet():
    """See that Keras finds TensorFlow, and that neither says more than errors."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The contract names model.h5; absl warns at every save that .keras is newer.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # Every song has another length, which TensorFlow takes for a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
