"""Reading, writing and resampling audio files.

What a damaged file provokes in libsndfile becomes one line that names the file.
"""

import contextlib
import math
import os

import numpy as np

from crema.exceptions import AudioError, CremaError
from crema.utils import containers, processes
from crema.utils.disk import atomic

# libsndfile crashes when minutes of Vorbis are encoded in a single call.
BLOCK = 1 << 18
#: Samples for which memory is asked at once, an hour and a half at 44.1 kHz.
LONGEST = 1 << 28


def read(path, sample_rate=None):
    """Read an audio file as one channel.

    Parameters
    ----------
    path : str or path-like
        A file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, ...).
    sample_rate : int, optional
        Resample to this rate in Hz; by default the file's own is kept.

    Returns
    -------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        The mean of the channels.
    sample_rate : int
        Samples per second of `y`.

    Raises
    ------
    AudioError
        The file is missing, may not be read, is not audio, is truncated, is empty, or
        holds samples that are not finite.
    """
    import soundfile

    path = os.fspath(path)
    check_file(path)
    opened = False
    try:
        # soundfile takes text for text, which the name of a file need not be.
        name = os.fsencode(path) if os.name == "posix" else path
        with contextlib.ExitStack() as stack:
            # libmpg123 prints notes about MP3, and about what only has the name of one.
            with processes.quiet():
                stream = stack.enter_context(soundfile.SoundFile(name))
            if stream.format == "MP3":
                stack.enter_context(processes.quiet())
            opened = True
            expected, rate = stream.frames, stream.samplerate
            missing = containers.missing(path, stream)
            y = mixed_down(path, stream)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise unreadable(path, error, opened) from error
    if not len(y):
        raise AudioError(f"{path}: holds no audio; replace the file or leave it out")
    if len(y) < expected - missing:
        raise AudioError(
            f"{path}: truncated or damaged, {len(y)} of {expected} samples could be "
            "read; replace the file or leave it out"
        )
    if sample_rate is not None and sample_rate != rate:
        y, rate = resample(y, rate, sample_rate), sample_rate
    return y, rate


def check_file(path):
    """Raise AudioError if there is no file at `path` that may be read."""
    if not os.path.exists(path):
        raise AudioError(f"{path}: no such audio file; add it or leave it out")
    if os.path.isdir(path):
        raise AudioError(f"{path}: is a directory; name the files in it")
    if not os.path.isfile(path):
        raise AudioError(f"{path}: is no regular file; write the audio to one")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: permission denied; make it readable or leave it out")


def mixed_down(path, stream):
    """Read an open audio file up to its end, as the mean of its channels.

    One block is mixed after the other, so that memory holds one channel, not all.

    Parameters
    ----------
    path : str
        The file.
    stream : soundfile.SoundFile
        The same, open; it cannot seek any more afterwards.

    Returns
    -------
    np.ndarray, shape=(n_samples,), dtype=float32

    Raises
    ------
    AudioError
        A sample is not finite.
    """
    # soundfile would seek after each read of what can seek, which makes the MP3 decoder
    # forget what the next 20 ms need; and its stream.blocks() repeats a block where an
    # MP3 breaks off.
    stream.seekable = lambda: False
    last = stream.frames if containers.tagged(path, stream) else math.inf
    # A damaged header can promise any length.
    y = np.empty(min(max(0, stream.frames), LONGEST), np.float32)
    n_samples = 0
    block = np.empty((BLOCK, stream.channels), np.float32)
    while len(block) == BLOCK:
        most = min(BLOCK, last - n_samples)
        block = stream.read(most, dtype="float32", always_2d=True)
        # What mean(axis=1) computes, in a fraction of the time.
        mono = sum(block.T[1:], block.T[0]) / np.float32(stream.channels)
        if not np.isfinite(mono).all():
            raise AudioError(
                f"{path}: holds samples that are not finite numbers; replace the file "
                "or leave it out"
            )
        end = n_samples + len(mono)
        if end > len(y):
            y = np.concatenate([y[:n_samples], np.empty(end, np.float32)])
        y[n_samples:end] = mono
        n_samples = end
    return y[:n_samples]


def unreadable(path, error, opened):
    """Return the AudioError for what libsndfile says of a file.

    Parameters
    ----------
    path : str
        The file.
    error : Exception
        What was raised.
    opened : bool
        Whether it was by reading, and not by opening it.
    """
    reason = getattr(error, "error_string", str(error)).rstrip(".")
    reason = reason.removeprefix("Error : ")
    # libsndfile's numbers: a header that breaks off is 3, "malformed"; what has the
    # name of an MP3 and is none is 7, of which it says that it does not exist.
    code = getattr(error, "code", None)
    if code == 7:
        reason = "not a format that libsndfile knows"
    if opened or code == 3:
        return AudioError(
            f"{path}: truncated or damaged ({reason}); replace the file or leave it out"
        )
    return AudioError(
        f"{path}: cannot be read as audio ({reason}); "
        "convert it to WAV, FLAC, Ogg or MP3, or leave it out"
    )


def resample(y, sample_rate, target):
    """Resample with the quality that librosa uses by default (soxr, HQ)."""
    import soxr

    return soxr.resample(y, sample_rate, target)


def fix_length(y, n_samples):
    """Cut `y` to `n_samples`, or pad it with silence."""
    return np.pad(y[:n_samples], (0, max(0, n_samples - len(y))))


def write(path, y, sample_rate):
    """Write audio in the format that the suffix of `path` names.

    Parameters
    ----------
    path : str or path-like
        ``.flac``, ``.ogg`` or ``.wav``.
    y : np.ndarray, shape=(n_samples,) or (n_samples, n_channels)
        Samples; what lies outside [-1, 1] is clipped.
    sample_rate : int
        Samples per second.

    Raises
    ------
    CremaError
        The format is not supported or the file cannot be written.
    """
    import soundfile

    y = np.asarray(y, dtype=np.float32)
    if not np.isfinite(y).all():
        raise AudioError(f"cannot write {path}: not all samples are finite numbers")
    channels = 1 if y.ndim == 1 else y.shape[1]
    with atomic(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", samplerate=sample_rate, channels=channels
            ) as stream:
                for start in range(0, len(y), BLOCK):
                    stream.write(np.clip(y[start : start + BLOCK], -1, 1))
            if soundfile.info(temporary).frames != len(y):
                raise OSError("the disk took only a part of it")
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise CremaError(f"cannot write {path}: {error}") from error
