"""Chroma, for pictures and for baselines that are not trained."""

import warnings

import numpy as np

from crema.samples import fix_length, resample

#: Sampling rate (Hz) and hop length (samples), and the time between frames in seconds.
RATE, HOP = 22050, 2048
FRAME = HOP / RATE
#: Seconds of audio that are processed at once, in half a gigabyte.
BLOCK = 300


def chromagram(y, sr, norm=None):
    """Return the chroma of audio.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio; silence is appended if it is shorter than a second.
    sr : int
        Its sampling rate in Hz.
    norm : float, optional
        Norm by which frames are divided, as in ``librosa.util.normalize``.

    Returns
    -------
    np.ndarray, shape=(12, n_frames)
        One frame every :data:`FRAME` seconds.
    """
    from crema.compiled import librosa

    if sr != RATE:
        y = resample(y, sr, RATE)
    if len(y) < RATE:  # the filters are longer than a short clip
        y = fix_length(y, RATE)
    starts = range(0, max(1, len(y) - RATE), BLOCK * RATE // HOP * HOP)
    parts = []
    with warnings.catch_warnings():
        # librosa warns for each octave of a short clip, and of silence without tuning.
        for message in ("n_fft=.* is too large", "Trying to estimate tuning"):
            warnings.filterwarnings("ignore", message, UserWarning)
        blocks = np.split(y, starts[1:])
        # The first block decides the tuning of all.
        options = {"sr": RATE, "bins_per_octave": 36}
        options["tuning"] = librosa.estimate_tuning(y=blocks[0], **options)
        for block in blocks:
            parts.append(
                librosa.feature.chroma_cqt(
                    y=block, hop_length=HOP, norm=None, **options
                )
            )
    # The last frame of a block is the first of the next.
    parts[:-1] = [part[:, :-1] for part in parts[:-1]]
    return librosa.util.normalize(np.concatenate(parts, axis=1), norm=norm, axis=0)
