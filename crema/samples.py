"""Operations on audio samples."""

import numpy as np


def resample(y, sample_rate, target):
    """Resample with the default quality of librosa (soxr, HQ)."""
    import soxr

    return soxr.resample(y, sample_rate, target)


def fix_length(y, n_samples):
    """Truncate `y` to `n_samples`, or pad it with silence."""
    return np.pad(y[:n_samples], (0, max(0, n_samples - len(y))))
