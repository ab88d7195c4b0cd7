"""One piece of music and the features computed from it so far."""

import numbers
import pickle
import threading

import numpy as np

from crema import samples
from crema.exceptions import AudioError
from crema.utils import audiofile

#: Lowest sampling rate in Hz; files with a lower one are damaged.
LOWEST = 1000
#: Longest audio in seconds; longer audio overflows the counters of libraries.
LONGEST = 24 * 3600
#: Largest sample; spectra of larger ones overflow single precision.
LOUDEST = 1e15


class Audio:
    """Audio that several estimators analyse.

    It is resampled once to each requested rate, and each feature is computed once for
    all estimators that have an operator with the same parameters.  It is thread-safe:
    one thread computes at a time, with all cores.

    Parameters
    ----------
    filename : str or path-like, optional
        An audio file; or else `y` and `sr`.
    y : np.ndarray, shape=(n_samples,) or (n_channels, n_samples)
        Samples: floating point within [-1, 1], or integers of full scale.
    sr : int
        Sampling rate of `y` in Hz.

    Attributes
    ----------
    duration : float
        Duration in seconds.

    Raises
    ------
    AudioError
        The file cannot be read, both `filename` and `y` are given, `sr` is missing, or
        `y` is empty, not numeric, of 64-bit integers, not finite or has its channels
        last.  The sampling rate, the duration or the samples are out of range.
    """

    def __init__(self, filename=None, y=None, sr=None):
        if y is not None:
            if filename is not None:
                raise AudioError("give filename=, or y= and sr=, not both")
            if not isinstance(sr, numbers.Real) or isinstance(sr, bool):
                raise AudioError(
                    "audio given as y needs its sampling rate as a number, sr=44100, "
                    f"not sr={sr!r}"
                )
            y = as_mono(y)
        elif filename is not None:
            y, sr = audiofile.read(filename)
        else:
            raise AudioError("nothing to analyse: give filename=, or y= and sr=")
        self.duration = check(y, sr, "audio" if filename is None else filename)
        self._filename, self._sr = filename, sr
        self._at = {sr: y}
        self._known = {}
        self._lock = threading.RLock()

    def at(self, sr):
        """Return the samples at a sampling rate, shape=(n_samples,), dtype=float32."""
        with self._lock:
            if sr not in self._at:
                y = self._at.get(self._sr)
                if self._filename is not None:
                    # Samples at the file's own rate are dropped, as hours of them are
                    # large: resampling to another rate reads the file again.
                    y = self._at.pop(self._sr, None)
                    y = audiofile.read(self._filename)[0] if y is None else y
                self._at[sr] = samples.resample(y, self._sr, sr)
            return self._at[sr]

    def features(self, operator):
        """Return the features that an extractor computes from the audio.

        Parameters
        ----------
        operator : pumpp.feature.FeatureExtractor

        Returns
        -------
        dict of np.ndarray
            Pump fields, with a leading axis of length 1.
        """

        def compute():
            y = self.at(operator.sr)
            if len(y) <= operator.hop_length:  # shorter than a frame
                y = np.pad(y, (0, operator.hop_length + 1 - len(y)))
            return operator.transform(y, operator.sr)

        # The pickle holds the operator's class, name and parameters.
        return self.once(pickle.dumps(operator), compute)

    def once(self, key, compute):
        """Return the result of `compute`, which is called once for each `key`."""
        with self._lock:
            if key not in self._known:
                self._known[key] = compute()
            return self._known[key]


def check(y, sr, name):
    """Return the duration of audio in seconds; errors refer to it as `name`.

    Raises
    ------
    AudioError
        The sampling rate, the duration or the samples are out of range.
    """
    if not LOWEST <= sr < np.inf:
        raise AudioError(
            f"{name}: a sampling rate of {sr} Hz is not usable; resample to "
            f"{LOWEST} Hz or more"
        )
    duration = len(y) / sr
    if duration > LONGEST:
        raise AudioError(
            f"{name}: lasts {duration / 3600:.0f} hours; cut it into parts of a day at "
            "most"
        )
    peak = max(y.max(), -y.min())
    if peak > LOUDEST:
        raise AudioError(
            f"{name}: has samples as large as {peak:.0e}, but full scale is 1; "
            "normalise it"
        )
    return duration


def as_mono(y):
    """Return mono float32, shape=(n_samples,); integers are scaled to [-1, 1]."""
    y = np.asarray(y)
    if np.issubdtype(y.dtype, np.integer) and y.dtype.itemsize > 4:
        raise AudioError(
            f"audio of type {y.dtype} has no defined full scale; give int16 or int32 "
            "as recorded, or floating point within [-1, 1]"
        )
    if np.issubdtype(y.dtype, np.unsignedinteger):
        middle = np.iinfo(y.dtype).max // 2 + 1
        y = (y.astype(np.float32) - middle) / middle
    elif np.issubdtype(y.dtype, np.integer):
        y = y.astype(np.float32) / -float(np.iinfo(y.dtype).min)
    elif not np.issubdtype(y.dtype, np.floating):
        raise AudioError(f"audio must be numbers, not {y.dtype}")
    if y.ndim == 2 and y.size:
        if y.shape[0] > y.shape[1] > 0:
            raise AudioError(
                f"audio of shape {y.shape} has more channels than samples; give y.T if "
                "its channels come last, as in soundfile"
            )
        y = y.mean(axis=0)
    if y.ndim != 1 or not y.size:
        raise AudioError(
            "audio must have the shape (n_samples,) or (n_channels, n_samples) and "
            f"not be empty; its shape is {y.shape}"
        )
    y = y.astype(np.float32, copy=False)
    if not np.isfinite(y).all():
        raise AudioError("audio contains samples that are not finite numbers")
    return y
