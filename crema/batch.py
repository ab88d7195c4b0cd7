"""Annotate many files: in several processes, and on from where a run stopped."""

import functools
import json
import os
import pathlib
from typing import NamedTuple

from crema import analyze, backend, formats
from crema.audio import Audio
from crema.exceptions import CremaError, ModelError
from crema.utils import cli, disk, processes
from crema.version import __version__

#: In an output directory: one line per audio file, what was made of it, and by what.
RECORD = "crema.jsonl"


class Song(NamedTuple):
    """An audio file, and the files to make of it; what is None is not made."""

    audio: str
    annotation: pathlib.Path | None = None
    posteriors: pathlib.Path | None = None
    plot: pathlib.Path | None = None

    def __str__(self):
        return self.audio


def run(songs, model, tasks, form, jobs=1, directory=None):
    """Annotate files; go on after a bad one, and leave out what is done.

    Parameters
    ----------
    songs : list of Song
        What to make of which file.
    model : sequence of path-like
        Directories of trained models.
    tasks : sequence of str, or None
        Names of the estimators to use.
    form : str
        Format of the annotations, see :mod:`crema.formats`.
    jobs : int
        Processes that work at the same time, each with its share of the cores.
    directory : path-like, optional
        The output directory, which keeps the record of what is done; without it, all
        files are annotated.

    Returns
    -------
    int
        The exit status: 1 if a file failed.

    Raises
    ------
    CremaError
        No file can be annotated, because of the models or the options.
    """
    maker = {
        "crema": __version__,
        "models": analyze.identify(model, tasks),
        "format": form,
    }
    with Record(directory, maker) as record:
        return annotate_all(songs, record, model, tasks, form, jobs)


def annotate_all(songs, record, model, tasks, form, jobs):
    """Annotate what a record does not hold; see :func:`run`."""
    waiting = [
        song
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
    # What changes while it is read must not pass for what was read.
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
        Directories of trained models, which a process loads once.
    tasks : tuple of str, or None
        Names of the estimators to use.
    form : str
        Format of the annotation.
    song : Song
        The file, and what to make of it.

    Returns
    -------
    files : list of pathlib.Path
        What was written.
    text : str
        What is to be printed, where nothing was.
    """
    audio = Audio(song.audio)  # first, for it may not be there
    estimators = loaded(model, tasks)
    names = [name for estimator in estimators for name in estimator.names]
    printed = not (song.annotation or song.posteriors or song.plot)
    if printed and form in formats.APART and len(names) > 1:
        raise CremaError(
            f"{form} is one file for each of {', '.join(names)}: name the output "
            "with -o or --output-dir, or choose with --tasks"
        )
    jam = analyze.annotate(audio, estimators, pathlib.Path(song.audio).stem)
    files = []
    if song.annotation:
        files += formats.write(song.annotation, jam, form)
    if song.posteriors:
        formats.write_posteriors(song.posteriors, audio, estimators)
        files.append(song.posteriors)
    if song.plot:
        from crema import plot

        plot.draw(song.plot, jam, audio)
        files.append(song.plot)
    text = "".join(formats.texts(jam, form).values()) if printed else ""
    return files, text


@functools.cache
def loaded(model, tasks):
    """Return the estimators of some directories, loaded once in a process."""
    backend.quiet()
    return analyze.load_models(model, tasks)


class Record:
    """What is done in an output directory, which one process at a time writes to.

    Parameters
    ----------
    directory : path-like or None
        Where the outputs are; None stands for nowhere, where nothing is ever done.
    maker : dict
        Version of the program, hashes of the models, and the format.
    """

    def __init__(self, directory, maker):
        self.path = directory and pathlib.Path(directory, RECORD)
        self.maker = maker
        self.stream = None

    @functools.cached_property
    def lines(self):
        """The entries of the record, by audio file and maker.

        What was written for one and then for another is of the other.
        """
        if not self.path or not self.path.is_file():
            return {}
        lines, owners = {}, {}
        for line in self.path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                key = self.key(entry["audio"], entry["by"])
                claimed = dict.fromkeys(entry["files"], key)
            except (ValueError, TypeError, KeyError):
                continue  # it may have been cut off together with the power
            for name in claimed:
                lines.pop(owners.get(name), None)
            lines[key] = entry
            owners |= claimed
        return lines

    @staticmethod
    def key(audio, maker):
        """Return what an entry of the record is found by."""
        return os.path.abspath(audio), json.dumps(maker, sort_keys=True)

    def __enter__(self):
        """Keep other processes away.

        Raises
        ------
        CremaError
            One writes there already, or nobody can.
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
        """Let others in."""
        if self.stream:
            self.stream.close()

    def holds(self, audio, *extras):
        """Return whether a file is done: by this maker, and as it is now.

        Parameters
        ----------
        audio : str
            The audio file.
        *extras : pathlib.Path or None
            What else must have been made of it.
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
        """Note that a file is done, and its :func:`state` before that."""
        if self.stream:
            entry = {
                "audio": os.path.abspath(audio),
                "state": state,
                "files": [file.name for file in files],
                "by": self.maker,
            }
            try:
                self.stream.write(f"{json.dumps(entry)}\n")
                self.stream.flush()
            except OSError as error:
                why = f"cannot write {self.path}: {error.strerror}"
                raise CremaError(why) from error


def state(audio):
    """Return when a file changed, in ns, and its size; nothing if it is not there."""
    try:
        found = os.stat(audio)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def report(failures, total):
    """List what could not be annotated, and why."""
    if not failures:
        return
    if total > 1:
        cli.say(f"error: {len(failures)} of {total} files failed:")
    for error in failures.values():
        cli.say(f"  {error}" if total > 1 else f"error: {error}")
