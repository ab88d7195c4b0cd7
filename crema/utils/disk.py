"""Files and directories: a file is there whole, or it is not there.

Every writer goes through :func:`atomic`.
"""

import contextlib
import glob
import json
import os
import pathlib

from crema.exceptions import CremaError, first_line


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
