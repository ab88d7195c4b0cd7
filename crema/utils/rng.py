"""Reproducible random streams, each named by its purpose."""

import hashlib
import random

import numpy as np


def seed_everything(seed):
    """Seed Python, NumPy's global state and, if it is imported, Keras.

    Parameters
    ----------
    seed : int
        A non-negative number below 2**32.
    """
    import sys

    random.seed(seed)
    np.random.seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)


def generator(*key):
    """Return the random number generator of a key.

    Parameters
    ----------
    *key : int or str
        Purpose of the numbers, such as ``(seed, track_id, visit)``.  Different keys
        give independent streams, the same key the same stream on any machine.  Numbers
        must be Python's: NumPy's make another key.

    Returns
    -------
    np.random.Generator
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))
