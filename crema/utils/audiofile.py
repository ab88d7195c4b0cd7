"""Reading and writing audio files.

Errors of libsndfile become one line that names the file.
"""

import contextlib
import math
import os

import numpy as np

from crema import samples
from crema.exceptions import AudioError, CremaError
from crema.utils import containers, processes
from crema.utils.disk import atomic

#: Lower-case extensions of the formats that libsndfile reads.
EXTENSIONS = {
    *("aif", "aifc", "aiff", "au", "caf", "flac", "mp3", "oga", "ogg", "opus"),
    *("rf64", "snd", "w64", "wav", "wave"),
}
#: Those of other common formats.
UNREADABLE = {
    *("aac", "alac", "ape", "dff", "dsf", "m4a", "mka", "mp4", "mpc", "ra", "tta"),
    *("webm", "wma", "wv"),
}
# libsndfile crashes when minutes of Vorbis are encoded in a single call.
BLOCK = 1 << 18
#: Samples to allocate at once, at most: 1.7 hours at 44.1 kHz.
LONGEST = 1 << 28


def read(path, sample_rate=None):
    """Read an audio file as one channel.

    Parameters
    ----------
    path : str or path-like
        A file in any format that libsndfile reads (WAV, FLAC, Ogg, MP3, ...).
    sample_rate : int, optional
        Sampling rate to resample to, in Hz; the file's own by default.

    Returns
    -------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        The mean of the channels.
    sample_rate : int
        Sampling rate of `y` in Hz.

    Raises
    ------
    AudioError
        The file is missing, unreadable, not audio, truncated or empty, holds samples
        that are not finite, or is an MP3 of which libsndfile reads only a part.
    """
    import soundfile

    path = os.fspath(path)
    check_file(path)
    opened = False
    try:
        # soundfile cannot encode a file name that is not valid UTF-8.
        name = os.fsencode(path) if os.name == "posix" else path
        with contextlib.ExitStack() as stack:
            # libmpg123 prints notes on MP3s and on other files that are named .mp3.
            with processes.quiet():
                stream = stack.enter_context(soundfile.SoundFile(name))
            if stream.format == "MP3":
                stack.enter_context(processes.quiet())
            opened = True
            expected, rate = stream.frames, stream.samplerate
            missing = containers.missing(path, stream)
            y = mixed_down(path, stream)
            form = stream.format
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise unreadable(path, error, opened) from error
    if not len(y):
        raise AudioError(f"{path}: contains no audio; replace the file or leave it out")
    if len(y) < expected - missing:
        raise AudioError(
            f"{path}: truncated or damaged, only {len(y)} of {expected} samples could "
            "be read; replace the file or leave it out"
        )
    if form == "MP3":
        containers.check_mp3(path, len(y) / rate, expected / rate)
    if sample_rate is not None and sample_rate != rate:
        y, rate = samples.resample(y, rate, sample_rate), sample_rate
    return y, rate


def check_file(path):
    """Raise AudioError unless `path` is a regular file that can be read."""
    if not os.path.exists(path):
        raise AudioError(f"{path}: no such audio file; add it or leave it out")
    if os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK):
        raise AudioError(f"{path}: is a directory; name the files in it")
    if os.path.isdir(path):
        raise AudioError(f"{path}: the directory cannot be read (permission denied)")
    if not os.path.isfile(path):
        raise AudioError(f"{path}: is not a regular file; write the audio to one")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: permission denied; make it readable or leave it out")


def mixed_down(path, stream):
    """Read an open audio file to its end and average its channels.

    Mixing block by block keeps only one channel in memory.

    Parameters
    ----------
    path : str
        The file.
    stream : soundfile.SoundFile
        The same file, open; it can no longer seek afterwards.

    Returns
    -------
    np.ndarray, shape=(n_samples,), dtype=float32

    Raises
    ------
    AudioError
        A sample is not finite.
    """
    # soundfile seeks after each read of a seekable stream, and the MP3 decoder then
    # loses the state that the next 20 ms need.  stream.blocks() repeats a block where
    # an MP3 is cut off.
    stream.seekable = lambda: False
    last = stream.frames if containers.tagged(path, stream) else math.inf
    # A damaged header can declare any length.
    y = np.empty(min(max(0, stream.frames), LONGEST), np.float32)
    n_samples = 0
    block = np.empty((BLOCK, stream.channels), np.float32)
    while len(block) == BLOCK:
        most = min(BLOCK, last - n_samples)
        block = stream.read(most, dtype="float32", always_2d=True)
        # Equals mean(axis=1), in a fraction of the time.
        mono = sum(block.T[1:], block.T[0]) / np.float32(stream.channels)
        if not np.isfinite(mono).all():
            raise AudioError(
                f"{path}: contains samples that are not finite numbers; replace the "
                "file or leave it out"
            )
        end = n_samples + len(mono)
        if end > len(y):
            y = np.concatenate([y[:n_samples], np.empty(end, np.float32)])
        y[n_samples:end] = mono
        n_samples = end
    return y[:n_samples]


def unreadable(path, error, opened):
    """Return an AudioError that explains an error of libsndfile.

    Parameters
    ----------
    path : str
        The file.
    error : Exception
        The exception that soundfile raised.
    opened : bool
        Whether reading raised it, not opening.
    """
    reason = getattr(error, "error_string", str(error)).rstrip(".")
    reason = reason.removeprefix("Error : ")
    # libsndfile's error codes: 3, "malformed", for a truncated header; 7, "does not
    # exist", for a file that is named .mp3 but is no MP3.
    code = getattr(error, "code", None)
    if code == 7:
        reason = "not a format that libsndfile supports"
    if opened or code == 3:
        return AudioError(
            f"{path}: truncated or damaged ({reason}); replace the file or leave it out"
        )
    return AudioError(
        f"{path}: cannot be read as audio ({reason}); "
        "convert it to WAV, FLAC, Ogg or MP3, or leave it out"
    )


def write(path, y, sample_rate):
    """Write audio in the format given by the suffix of `path`.

    Parameters
    ----------
    path : str or path-like
        ``.flac``, ``.ogg`` or ``.wav``.
    y : np.ndarray, shape=(n_samples,) or (n_samples, n_channels)
        Samples; values outside [-1, 1] are clipped.
    sample_rate : int
        Sampling rate in Hz.

    Raises
    ------
    CremaError
        A sample is not finite, the format is not supported, or writing fails.
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
                raise OSError("the disk stored only part of it")
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise CremaError(f"cannot write {path}: {error}") from error
