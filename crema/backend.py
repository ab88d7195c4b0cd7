"""Import Keras with little logging, on TensorFlow unless another backend is set."""

import logging
import os

from crema.utils import processes


def keras(threads=None):
    """Import Keras.

    Parameters
    ----------
    threads : int, optional
        Maximum number of TensorFlow threads; with one, results are reproducible bit for
        bit.  It takes effect only before the first computation.

    Returns
    -------
    module
        ``keras``.
    """
    quiet()
    # Despite these settings, TensorFlow logs how it was built.
    with processes.quiet():
        import keras

    if threads and name() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    return keras


def name():
    """Return the name of the Keras backend."""
    import keras

    return keras.backend.backend()


def quiet():
    """Make TensorFlow the default backend of Keras, and log only errors of both."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The contract requires model.h5; absl recommends .keras at every save.
    logging.getLogger("absl").setLevel(logging.ERROR)
    # Songs differ in length, about which TensorFlow warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
