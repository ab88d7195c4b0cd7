"""Reading and writing files: a file is there whole, or it is not there.

Every writer goes through :func:`atomic`, and every reader turns what a damaged
file provokes in a library into one line that names the file.
"""

import contextlib
import glob
import io
import json
import math
import os
import pathlib
import re
import threading

import numpy as np

from crema.exceptions import (
    AnnotationError,
    AudioError,
    CremaError,
    DataError,
    first_line,
)
from crema.utils import containers

# libsndfile crashes when minutes of Vorbis are encoded in a single call.
BLOCK = 1 << 18
#: Samples for which memory is asked at once, an hour and a half at 44.1 kHz.
LONGEST = 1 << 28
#: Held by who has redirected standard error, which all threads share.
REDIRECTED = threading.Lock()


@contextlib.contextmanager
def atomic(path):
    """Write a file completely or not at all.

    Parameters
    ----------
    path : str or path-like
        The file to write; missing parent directories are made.

    Yields
    ------
    pathlib.Path
        A temporary name in the same directory, with the same suffix, to write to.
        It replaces `path` when the block ends, and is removed if the block fails.
        Where `path` is a pipe or a device, itself.

    Raises
    ------
    CremaError
        The file cannot be written (disk full, no permission, ...).
    """
    given = pathlib.Path(path)
    # What a link points to is meant, not the link.
    path = pathlib.Path(os.path.realpath(given))
    # The first dot keeps globs over the copies of a track away from it.
    end = f".{os.getpid()}{path.suffix}"
    # Where the name fits, this one must: 255 bytes, and no half of a letter.
    start = os.fsencode(f".{path.name}")[: 255 - len(os.fsencode(end))]
    temporary = path.with_name(start.decode(errors="ignore") + end)
    try:
        # /dev/null or /dev/stdout, or what another program reads, which may have no
        # other name.
        system = os.path.abspath(given).startswith(("/dev/", "/proc/"))
        if system or given.is_fifo() or given.is_char_device():
            path = given
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise CremaError(f"cannot write {path}: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def lock(stream, wait=False):
    """Lock an open file until it is closed, against processes that do so too.

    Not on Windows, nor on network file systems that know no locks.

    Parameters
    ----------
    stream : file object or int
        Or its descriptor.
    wait : bool
        Whether to wait for another process that has the lock.

    Returns
    -------
    bool
        False if another has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


@contextlib.contextmanager
def alone(directory):
    """Keep a directory to this process, among those that ask for the same.

    Raises
    ------
    CremaError
        Another process has it, or it cannot be made.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:  # Windows opens no directories
        yield
        return
    except OSError as error:
        raise CremaError(f"cannot write {directory}: {error.strerror}") from error
    try:
        if not lock(descriptor):
            raise CremaError(
                f"{directory}: another process writes there; wait for it, or stop it"
            )
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_track(directory, track_id, sign):
    """Write the files of a track, all or none; those of an earlier run are removed.

    Parameters
    ----------
    directory : pathlib.Path
        Where the files ``track_id.*`` go.
    track_id : str
        The track.
    sign : str
        Suffix of the file that says that the others are complete; it is written last.

    Raises
    ------
    CremaError
        The directory cannot be written to.
    """
    # A directory of 100,000 tracks takes seconds to list, so it is only where there
    # can be something of the track: made before, or left by a writer that was killed.
    begun = directory / f".{track_id}.begun"
    if begun.exists() or (directory / f"{track_id}{sign}").exists():
        remove_track(directory, track_id, sign)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        begun.touch()
    except OSError as error:
        raise CremaError(f"cannot write {begun}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        remove_track(directory, track_id, sign)
        raise
    begun.unlink()


def remove_track(directory, track_id, sign):
    """Remove all files of a track, and what killed writers left of it; `sign` first."""
    (directory / f"{track_id}{sign}").unlink(missing_ok=True)
    name = glob.escape(track_id)
    for stale in (*directory.glob(f"{name}.*"), *directory.glob(f".{name}.*")):
        stale.unlink()


def read_audio(path, sample_rate=None):
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
            with quiet():
                stream = stack.enter_context(soundfile.SoundFile(name))
            if stream.format == "MP3":
                stack.enter_context(quiet())
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


@contextlib.contextmanager
def quiet():
    """Keep what libraries write to standard error from it, not what they raise."""
    with REDIRECTED, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # there may be no standard error
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        yield


def resample(y, sample_rate, target):
    """Resample with the quality that librosa uses by default (soxr, HQ)."""
    import soxr

    return soxr.resample(y, sample_rate, target)


def fix_length(y, n_samples):
    """Cut `y` to `n_samples`, or pad it with silence."""
    return np.pad(y[:n_samples], (0, max(0, n_samples - len(y))))


def write_audio(path, y, sample_rate):
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


def read_jams(path):
    """Read a JAMS file, strictly validated.

    Parameters
    ----------
    path : str or path-like
        A ``.jams`` or ``.jamz`` file.

    Returns
    -------
    jams.JAMS

    Raises
    ------
    AnnotationError
        The file is missing or is not valid JAMS.
    """
    import jams

    path = os.fspath(path)
    if not os.path.isfile(path):
        raise AnnotationError(
            f"{path}: no such annotation file; add it or leave it out"
        )
    try:
        return jams.load(path, validate=True, strict=True)
    except Exception as error:  # jams, json, gzip and jsonschema each raise their own
        raise AnnotationError(
            f"{path}: is not valid JAMS ({brief(error)}); correct it or leave it out"
        ) from error


def write_jams(path, jam):
    """Write a JAMS object, strictly validated; compressed if `path` ends in ``.jamz``.

    Raises
    ------
    CremaError
        The object does not validate, or the file cannot be written.
    """
    import jams

    form = "jamz" if pathlib.Path(path).suffix.lower() == ".jamz" else "jams"
    with atomic(path) as temporary:
        try:
            jam.save(os.fspath(temporary), strict=True, fmt=form)
        except jams.JamsError as error:
            reason = brief(error)
            for annotation in jam.annotations:
                try:
                    annotation.validate(strict=True)
                except jams.JamsError as detail:
                    reason = f"as {annotation.namespace}, {brief(detail)}"
                    break
            raise AnnotationError(
                f"{path}: would not be valid JAMS: {reason}"
            ) from error


def brief(error):
    """Return what is wrong with a JAMS, without the schema that says what is right."""
    # What follows a label is a regular expression of 300 characters.
    return re.sub(" does not match .*", " does not match the schema", first_line(error))


def read_json(path):
    """Read a JSON file.

    Raises
    ------
    CremaError
        The file is missing or is not JSON.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError as error:
        raise CremaError(f"{path}: no such file") from error
    except OSError as error:
        raise CremaError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CremaError(f"{path}: is not valid JSON ({error})") from error


def write_json(path, data):
    """Write `data` as indented JSON; what is not a number in it is an error."""
    with atomic(path) as temporary:
        text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_text(path, text):
    """Write `text` to a file."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_features(path, data, attributes):
    """Write what a pump made of one track as HDF5, compressed patch by patch.

    Parameters
    ----------
    path : str or path-like
        The ``.h5`` file.
    data : dict of np.ndarray
        Pump fields; the first axis counts annotations, the second is time.
    attributes : dict
        Attributes of the file (strings and numbers).
    """
    import h5py

    # HDF5 crashes at exit when a disk was full, so it gets to write to memory only.
    image = io.BytesIO()
    with h5py.File(image, "w") as store:
        store.attrs.update(attributes)
        for field in sorted(data):
            values = np.asarray(data[field])
            if values.ndim < 3 or not values.size:
                store.create_dataset(field, data=values)
                continue
            # One chunk is about one patch: a patch costs two of them, not a file.
            store.create_dataset(
                field,
                data=values,
                chunks=(1, min(64, values.shape[1]), *values.shape[2:]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
    with atomic(path) as temporary:
        temporary.write_bytes(image.getbuffer())


@contextlib.contextmanager
def open_features(path):
    """Open a feature file for reading.

    Yields
    ------
    h5py.File

    Raises
    ------
    DataError
        The file is missing, damaged, or a read from it fails.
    """
    import h5py

    try:
        # Features are never rewritten in place, so no lock is needed; shared
        # file systems often have none.
        with h5py.File(path, "r", locking=False) as store:
            yield store
    except (OSError, KeyError, RuntimeError) as error:
        reason = first_line(error).strip("'\"")
        path = pathlib.Path(path)
        original = path.with_name(f"{path.name.partition('.')[0]}.h5")
        raise DataError(
            f"{path}: cannot be read ({reason}); delete {original} and run prepare "
            "again, which makes all of the track"
        ) from error
