"""The record of an output directory: what was annotated, from what, and by what.

It is a file of JSON lines that only grows.  Each annotated audio file adds two: one
before its outputs are written, and one after.  They tell which files are done, and
which outputs somebody else wrote or corrected.
"""

import contextlib
import functools
import json
import os
import pathlib

from crema.exceptions import CremaError
from crema.utils import disk, hashes

#: Name of the file in the output directory.
RECORD = "crema.jsonl"


class Record:
    """Record of the annotated files in an output directory, locked by one process.

    Parameters
    ----------
    directory : path-like or None
        The output directory; with None, nothing is recorded and no file counts as done.
    maker : dict
        Version of the program, hashes of the models, and output format.
    """

    def __init__(self, directory, maker):
        self.path = directory and pathlib.Path(directory, RECORD)
        self.maker = maker
        self.stream = None

    @functools.cached_property
    def entries(self):
        """The entries of the record, the oldest first; see :meth:`write`."""
        return list(self.read())

    def read(self, part=b""):
        """Read the entries whose lines contain some bytes, the oldest first."""
        if not self.path or not self.path.is_file():
            return
        for line in self.path.read_bytes().splitlines():
            if part not in line:
                continue
            try:
                entry = json.loads(line)
                entry["song"], entry["audio"], entry["by"], entry["state"]
                entry["files"].items()
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # truncated, for example by a power failure
            yield entry

    @functools.cached_property
    def valid(self):
        """The entries whose outputs no later entry has replaced, by song and maker."""
        valid, owners = {}, {}
        for entry in self.entries:
            key = self.key(entry["song"], entry["by"])
            for name in entry["files"]:
                valid.pop(owners.get(name), None)
            valid[key] = entry
            owners |= dict.fromkeys(entry["files"], key)
        return valid

    @functools.cached_property
    def songs(self):
        """The :class:`Annotated` of each song, by name."""
        songs = {}
        for entry in self.entries:
            songs.setdefault(entry["song"], Annotated()).add(entry)
        return songs

    def relative(self, path):
        """Return a path relative to the output directory, with slashes."""
        return path.relative_to(self.path.parent).as_posix()

    @staticmethod
    def key(song, maker):
        """Return the key of an entry of the record."""
        return song, json.dumps(maker, sort_keys=True)

    def holds(self, song, audio, *extras):
        """Return whether this maker has annotated a file, unchanged since.

        Parameters
        ----------
        song : str
            Its name: the path of its outputs without suffix, relative to the directory.
        audio : str
            The audio file, which can have moved.
        *extras : pathlib.Path or None
            Other outputs that must exist.
        """
        entry = self.valid.get(self.key(song, self.maker))
        now = state(audio)
        if not entry or not now or entry["state"] != now:
            return False
        names = {*entry["files"], *map(self.relative, filter(None, extras))}
        return names == entry["files"].keys() and all(
            (self.path.parent / name).is_file() for name in names
        )

    def is_own(self, song, path, known):
        """Return whether an output of a song has the contents that crema gave it.

        Parameters
        ----------
        song : str
            Its name, as for :meth:`holds`.
        path : pathlib.Path
            The output.
        known : Annotated
            What the record said of the song when this run began.

        Returns
        -------
        bool
        """
        try:
            now = hashes.of(path)
        except OSError:
            return False
        name = self.relative(path)
        if now in known.files.get(name, ()):
            return True
        # Another process, which was killed, may have written it since.
        known = Annotated()
        for entry in self.read(json.dumps(song).encode()):
            if entry["song"] == song:
                known.add(entry)
        return now in known.files.get(name, ())

    def other(self, song, audio):
        """Return another audio file with the outputs of a song.

        Parameters
        ----------
        song : str
            Its name, as for :meth:`holds`.
        audio : str
            The audio file that is to be annotated.

        Returns
        -------
        str or None
            None as well if the other file no longer exists (it was moved), or if none
            of its outputs does.
        """
        known = self.songs.get(song, Annotated())
        other = known.audio
        if other in (None, os.path.abspath(audio)) or not os.path.exists(other):
            return None
        if not any((self.path.parent / name).exists() for name in known.files):
            return None
        same = os.path.exists(audio) and os.path.samefile(audio, other)
        return None if same else other

    def claim(self, song, audio, files):
        """Record that files are about to be written, from the process that does it.

        Otherwise a process that is stopped between writing a file and recording it
        would leave one that looks like somebody else's.

        Parameters
        ----------
        song, audio : str
            The name of the song, as for :meth:`holds`, and the audio file.
        files : dict of pathlib.Path to str
            The hash of each.
        """
        if self.path:
            with self.writing(), open(self.path, "a", encoding="utf-8") as stream:
                self.write(stream, song, audio, files)

    def add(self, song, audio, files, state):
        """Record that a song is done, with the :func:`state` of its audio before."""
        if self.stream:
            with self.writing():
                self.write(self.stream, song, audio, files, state)

    def write(self, stream, song, audio, files, state=None):
        """Write an entry: of a song that is done or, without state, begun."""
        entry = {
            "song": song,
            "audio": os.path.abspath(audio),
            "state": state,
            "files": {self.relative(file): found for file, found in files.items()},
            "by": self.maker,
        }
        stream.write(f"{json.dumps(entry)}\n")
        stream.flush()

    @contextlib.contextmanager
    def writing(self):
        """Report an error in writing the record in one line."""
        try:
            yield
        except OSError as error:
            why = f"cannot write {self.path}: {error.strerror}"
            raise CremaError(why) from error

    def __reduce__(self):
        """Pickle it for a process that only claims files: without the lock."""
        return type(self), (self.path and self.path.parent, self.maker)

    def __enter__(self):
        """Lock the record.

        Raises
        ------
        CremaError
            Another process holds the lock, or the record cannot be written.
        """
        if self.path:
            with self.writing():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.stream = open(self.path, "a", encoding="utf-8")
            if not disk.lock(self.stream):
                self.stream.close()
                raise CremaError(
                    f"{self.path.parent}: another crema is writing there; wait for it, "
                    "or name another --output-dir"
                )
            if self.path.read_bytes()[-1:] not in (b"", b"\n"):
                with self.writing():
                    self.stream.write("\n")
                    self.stream.flush()  # processes that claim files write, too
        return self

    def __exit__(self, *_):
        """Release the lock."""
        if self.stream:
            self.stream.close()


class Annotated:
    """What the entries of a song add up to.

    Attributes
    ----------
    audio : str or None
        The last audio file.
    files : dict of str to set of str
        By name of an output, the hashes that its contents can have: that of the last
        time when the song was done, and those that were to be written since.
    """

    def __init__(self):
        self.audio, self.files = None, {}

    def add(self, entry):
        """Add the next entry."""
        self.audio = entry["audio"]
        for name, value in entry["files"].items():
            before = self.files.get(name, set()) if entry["state"] is None else set()
            self.files[name] = before | {value}


def state(audio):
    """Return a file's modification time in ns and its size; None if it is missing."""
    try:
        status = os.stat(audio)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]
