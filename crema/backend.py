"""Keras, set up once: quiet, on TensorFlow unless the user chose another backend."""

import logging
import os


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
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The contract names model.h5; absl warns at every save that .keras is newer.
    logging.getLogger("absl").setLevel(logging.ERROR)
    import keras

    if threads and keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    return keras
