"""Random numbers that can be drawn again: each stream is named by what it is for."""

import hashlib
import random

import numpy as np


def seed_everything(seed):
    """Seed Python, NumPy's global state and, where it is imported, Keras.

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
    """Return the random number generator that belongs to `key`.

    Parameters
    ----------
    *key : int or str
        What the numbers are for, such as ``(seed, track_id, visit)``; a number is
        Python's, for one of NumPy is another key.  Two different keys give independent
        streams, the same key the same stream, on any machine.

    Returns
    -------
    np.random.Generator
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype="<u4"))
