"""Annotate many files in parallel, resuming interrupted runs."""

import collections
import functools
import json
import os
import pathlib
from typing import NamedTuple

from crema import analyze, backend, formats
from crema.audio import Audio
from crema.exceptions import CremaError, ModelError
from crema.utils import cli, disk, hashes, processes
from crema.version import __version__

#: File in an output directory: a line per audio file with its outputs and their maker.
RECORD = "crema.jsonl"


class Song(NamedTuple):
    """An audio file and its output files; outputs that are None are not written."""

    audio: str
    annotation: pathlib.Path | None = None
    posteriors: pathlib.Path | None = None
    plot: pathlib.Path | None = None
    written: dict | None = None
    """Hashes of the files that crema wrote (:meth:`Record.written`): annotations with
    other contents are kept.  None: any is overwritten."""

    def __str__(self):
        return self.audio


def run(songs, model, tasks, form, jobs=1, directory=None):
    """Annotate files: skip those that are done, and continue after a failure.

    Parameters
    ----------
    songs : list of Song
        Audio files and their outputs.
    model : sequence of path-like
        Directories of trained models.
    tasks : sequence of str, or None
        Names of the estimators to use.
    form : str
        Format of the annotations, see :mod:`crema.formats`.
    jobs : int
        Number of parallel processes, which share the cores.
    directory : path-like, optional
        The output directory, which holds the record of annotated files; without it, all
        files are annotated.

    Returns
    -------
    int
        The exit status: 1 if a file failed.

    Raises
    ------
    CremaError
        The models or the options prevent the annotation of any file.
    """
    maker = {
        "crema": __version__,
        "models": analyze.identify(model, tasks),
        "format": form,
    }
    with Record(directory, maker) as record:
        return annotate_all(songs, record, model, tasks, form, jobs)


def annotate_all(songs, record, model, tasks, form, jobs):
    """Annotate the files that a record does not hold; see :func:`run`."""
    for song in songs:
        other = record.other(song.audio)
        if other:
            raise CremaError(
                f"{song.audio}: {record.path.parent} holds the annotation of {other}, "
                "which has the same name; rename one or use two directories"
            )
    waiting = [
        song._replace(written=record.written(song.annotation))
        for song in songs
        if not record.holds(song.audio, song.posteriors, song.plot)
    ]
    skipped = len(songs) - len(waiting)
    if skipped:
        cli.say(f"{skipped} of {len(songs)} files are done already")
    function = functools.partial(
        annotate,
        tuple(map(str, model)),
        None if tasks is None else tuple(tasks),
        form,
    )
    # Taken before reading: a file that changes while it is read must not count as done.
    states = {song.audio: state(song.audio) for song in waiting}
    jobs = min(jobs, max(1, len(waiting)))
    failures, done = {}, skipped
    try:
        for song, made, error in processes.attempts(function, waiting, jobs):
            done += 1
            if isinstance(error, ModelError):
                raise error  # no other file would fare better
            if error:
                failures[song.audio] = error
            else:
                files, text = made
                record.add(song.audio, files, states[song.audio])
                print(text, end="")
            if len(songs) > 1:
                note = cli.FAILED if error else ""
                cli.progress(done, len(songs), song.audio, note)
    except KeyboardInterrupt:
        cli.say(f"stopped after {done} of {len(songs)} files")
        raise
    finally:
        report(failures, len(songs))
    return 1 if failures else 0


def annotate(model, tasks, form, song):
    """Annotate one file.

    Parameters
    ----------
    model : tuple of str
        Directories of trained models, loaded once per process.
    tasks : tuple of str, or None
        Names of the estimators to use.
    form : str
        Format of the annotation.
    song : Song
        The audio file and its outputs.

    Returns
    -------
    files : list of pathlib.Path
        Files written.
    text : str
        Text to print if no file was written, else empty.

    Raises
    ------
    CremaError
        The audio or the models cannot be used, or an existing annotation is not as
        crema wrote it.
    """
    audio = Audio(song.audio)  # first, as the file can be missing
    estimators = loaded(model, tasks)
    names = [name for estimator in estimators for name in estimator.names]
    printed = not (song.annotation or song.posteriors or song.plot)
    apart = form in formats.APART
    if printed and apart and len(names) > 1:
        fewer = ", or choose one with --tasks" if len(estimators) > 1 else ""
        raise CremaError(
            f"{form} is one file for each of {', '.join(names)}: name the output "
            f"with -o or --output-dir{fewer}"
        )
    if song.annotation and song.written is not None:
        for path in formats.paths(song.annotation, names if apart else [""]):
            if path.exists() and content(path) != song.written.get(path.name):
                raise CremaError(
                    f"{path}: was changed, or not written by crema, and is kept; move "
                    "it away to annotate again, or name another --output-dir"
                )
    jam = analyze.annotate(audio, estimators, pathlib.Path(song.audio).stem)
    files = []
    if song.posteriors:
        formats.write_posteriors(song.posteriors, audio, estimators)
        files.append(song.posteriors)
    if song.plot:
        from crema import plot

        plot.draw(song.plot, jam, audio)
        files.append(song.plot)
    # Last: after an interruption, the record would not know it as crema's.
    if song.annotation:
        files += formats.write(song.annotation, jam, form)
    text = "".join(formats.texts(jam, form).values()) if printed else ""
    return files, text


@functools.cache
def loaded(model, tasks):
    """Return the estimators in some directories, loaded once per process."""
    backend.quiet()
    return analyze.load_models(model, tasks)


class Record:
    """Record of the annotated files in an output directory, locked by one process.

    Parameters
    ----------
    directory : path-like or None
        The output directory; with None, no file counts as done.
    maker : dict
        Version of the program, hashes of the models, and output format.
    """

    def __init__(self, directory, maker):
        self.path = directory and pathlib.Path(directory, RECORD)
        self.maker = maker
        self.stream = None

    @functools.cached_property
    def entries(self):
        """The entries of the record, the oldest first."""
        if not self.path or not self.path.is_file():
            return []
        found = []
        for line in self.path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                self.key(entry["audio"], entry["by"])
                set(entry["files"])
            except (ValueError, TypeError, KeyError):
                continue  # truncated, for example by a power failure
            found.append(entry)
        return found

    @functools.cached_property
    def lines(self):
        """The entries of the record, by audio file and maker.

        If several entries name the same output, only the last one is kept.
        """
        lines, owners = {}, {}
        for entry in self.entries:
            key = self.key(entry["audio"], entry["by"])
            claimed = dict.fromkeys(entry["files"], key)
            for name in claimed:
                lines.pop(owners.get(name), None)
            lines[key] = entry
            owners |= claimed
        return lines

    @functools.cached_property
    def named(self):
        """The newest entry of the record for each stem of an audio file."""
        return {pathlib.Path(entry["audio"]).stem: entry for entry in self.entries}

    def other(self, audio):
        """Return another audio file of the same stem whose annotation is here.

        Parameters
        ----------
        audio : str
            The audio file that is to be annotated.

        Returns
        -------
        str or None
            None as well if the other file no longer exists: it was moved, or its
            outputs were.
        """
        entry = self.named.get(pathlib.Path(audio).stem)
        if not entry or entry["audio"] == os.path.abspath(audio):
            return None
        outputs = [self.path.parent / name for name in entry["files"]]
        if not os.path.exists(entry["audio"]) or not any(map(os.path.exists, outputs)):
            return None
        linked = os.path.exists(audio) and os.path.samefile(audio, entry["audio"])
        return None if linked else entry["audio"]

    @functools.cached_property
    def sums(self):
        """The hashes of the files written last: by the stem of a song, by file name."""
        sums = collections.defaultdict(dict)
        for entry in self.entries:
            # Older versions of crema recorded no hashes.
            known = zip(entry["files"], entry.get("sha256", ()), strict=False)
            for name, sha256 in known:
                sums[beginning(name)][name] = sha256
        return sums

    def written(self, annotation):
        """Return the hashes of the files that were written for a song.

        Parameters
        ----------
        annotation : pathlib.Path
            The annotation of the song, in the output directory.

        Returns
        -------
        dict of str to str, or None
            By file name; None if there is no output directory.
        """
        return self.sums.get(beginning(annotation.name), {}) if self.path else None

    @staticmethod
    def key(audio, maker):
        """Return the key of an entry of the record."""
        return os.path.abspath(audio), json.dumps(maker, sort_keys=True)

    def __enter__(self):
        """Lock the record.

        Raises
        ------
        CremaError
            Another process holds the lock, or the record cannot be written.
        """
        if self.path:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.stream = open(self.path, "a", encoding="utf-8")
            except OSError as error:
                why = f"cannot write {self.path}: {error.strerror}"
                raise CremaError(why) from error
            if not disk.lock(self.stream):
                self.stream.close()
                raise CremaError(
                    f"{self.path.parent}: another crema is writing there; wait for it, "
                    "or name another --output-dir"
                )
            if self.path.read_bytes()[-1:] not in (b"", b"\n"):
                self.stream.write("\n")
        return self

    def __exit__(self, *_):
        """Release the lock."""
        if self.stream:
            self.stream.close()

    def holds(self, audio, *extras):
        """Return whether this maker has annotated a file, unchanged since.

        Parameters
        ----------
        audio : str
            The audio file.
        *extras : pathlib.Path or None
            Other outputs that must exist.
        """
        entry = self.lines.get(self.key(audio, self.maker))
        now = state(audio)
        if not entry or not now or entry.get("state") != now:
            return False
        asked = {extra.name for extra in extras if extra}
        made = entry["files"]
        return asked <= set(made) and all(
            (self.path.parent / name).is_file() for name in made
        )

    def add(self, audio, files, state):
        """Record that a file is done, with its :func:`state` before annotation."""
        if self.stream:
            entry = {
                "audio": os.path.abspath(audio),
                "state": state,
                "files": [file.name for file in files],
                "sha256": [content(file) for file in files],
                "by": self.maker,
            }
            try:
                self.stream.write(f"{json.dumps(entry)}\n")
                self.stream.flush()
            except OSError as error:
                why = f"cannot write {self.path}: {error.strerror}"
                raise CremaError(why) from error


def state(audio):
    """Return a file's modification time in ns and its size; None if it is missing."""
    try:
        found = os.stat(audio)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def content(path):
    """Return the hash of a file, None if it cannot be read."""
    try:
        return hashes.of(path)
    except OSError:
        return None


def beginning(name):
    """Return the name of a file up to its first dot."""
    return name.partition(".")[0]


def report(failures, total):
    """List the files that could not be annotated, and why."""
    if not failures:
        return
    if total > 1:
        cli.say(f"error: {len(failures)} of {total} files failed:")
    for error in failures.values():
        cli.say(f"  {error}" if total > 1 else f"error: {error}")
