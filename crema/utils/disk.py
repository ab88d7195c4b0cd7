"""Atomic writes, locks and JSON.

Every writer uses :func:`atomic`: a file is either complete or not there.  The one
exception is :mod:`crema.record`, which appends lines.
"""

import contextlib
import csv
import errno
import glob
import io
import json
import os
import pathlib
import tempfile

from crema.exceptions import CremaError, first_line


@contextlib.contextmanager
def atomic(path):
    """Write a file completely or not at all.

    Parameters
    ----------
    path : str or path-like
        The file to write; missing parent directories are created.

    Yields
    ------
    pathlib.Path
        A temporary file to write to, in the same directory and with the same suffix.
        It replaces `path` when the block ends, and is removed if the block fails.
        For a pipe or a device, `path` itself.

    Raises
    ------
    CremaError
        The file cannot be written (disk full, no permission, ...).
    """
    requested = pathlib.Path(path)
    # Replace the target of a symbolic link, not the link.
    path = pathlib.Path(os.path.realpath(requested))
    # The leading dot hides it from globs over the copies of a track.
    ending = f".{os.getpid()}{path.suffix}"
    # A name has at most 255 bytes; no character is cut in half.
    beginning = os.fsencode(f".{path.name}")[: 255 - len(os.fsencode(ending))]
    temporary = path.with_name(beginning.decode(errors="ignore") + ending)
    try:
        if written_directly(requested):
            path = requested
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


def written_directly(path):
    """Return whether a path is a pipe or a device, which cannot be replaced."""
    # A file that the shell opened for the program, whatever it is.
    opened = ("/dev/std", "/dev/fd/", "/proc/")
    return (
        os.path.abspath(path).startswith(opened)
        or path.is_fifo()
        or path.is_char_device()
    )


def check_writable(path):
    """Check that :func:`atomic` could write a file now.

    Raises
    ------
    CremaError
        It could not.
    """
    path = pathlib.Path(path)
    try:
        if written_directly(path):
            return
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        parents = pathlib.Path(os.path.realpath(path)).parents
        existing = next(parent for parent in parents if parent.exists())
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise CremaError(
            f"cannot write {path}: {error.strerror}; name another output"
        ) from error


def lock(stream, wait=False):
    """Take the advisory lock of an open file; closing the file releases it.

    On Windows and on network file systems without locks, this does nothing.

    Parameters
    ----------
    stream : file object or int
        The file or its descriptor.
    wait : bool
        Whether to wait for another process that holds the lock.

    Returns
    -------
    bool
        False if another process holds the lock.
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
    """Lock a directory against other processes that call this function.

    Raises
    ------
    CremaError
        Another process holds the lock, or the directory cannot be created.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:  # Windows cannot open directories
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
    """Write all files of a track or none, and remove those of an earlier run.

    Parameters
    ----------
    directory : pathlib.Path
        Directory of the files ``track_id.*``.
    track_id : str
        The track.
    sign : str
        Suffix of the file that marks the others as complete; it is written last.

    Raises
    ------
    CremaError
        The directory cannot be written to.
    """
    # Listing a directory of 100,000 tracks takes seconds, so do it only if there can be
    # files of the track, from an earlier run or from a killed writer.
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
    """Remove all files of a track, also those of killed writers; `sign` first."""
    (directory / f"{track_id}{sign}").unlink(missing_ok=True)
    name = glob.escape(track_id)
    for stale in (*directory.glob(f"{name}.*"), *directory.glob(f".{name}.*")):
        stale.unlink()


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
    """Write `data` as indented JSON; NaN and infinity are errors."""
    text = json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def write_csv(path, rows):
    """Write rows, sequences of values; None is an empty field."""
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    write_text(path, stream.getvalue())


def write_text(path, text):
    """Write `text` to a file, in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path, content):
    """Write `content` to a file."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)
