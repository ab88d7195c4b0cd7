"""Keras, set up once: quiet, on TensorFlow if no other is chosen; and its threads."""

import contextlib
import logging
import os

from crema.utils import io

#: What the libraries that compute read when they are loaded.
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


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
    with io.quiet():
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


@contextlib.contextmanager
def limited(threads):
    """Limit the threads of the processes that are started within.

    Parameters
    ----------
    threads : int or None
        Of each library in each process, unless the user has set its variable; None
        leaves everything as it is.
    """
    names = [name for name in THREADS if threads and name not in os.environ]
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def n_threads():
    """Return how many threads a library may have, as OpenMP's variable says."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(said) if said.isdecimal() and int(said) else n_cpus()


def n_cpus():
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1
