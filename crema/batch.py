"""Annotate many files in parallel, resuming interrupted runs."""

import functools
import os
import pathlib
from typing import NamedTuple

from crema import analyze, backend, formats
from crema.audio import Audio
from crema.exceptions import CremaError, ModelError
from crema.record import Annotated, Record, state
from crema.utils import cli, disk, hashes, processes
from crema.version import __version__


class Song(NamedTuple):
    """An audio file and its output files; outputs that are None are not written."""

    audio: str
    name: str
    """Path of the outputs without suffix, relative to the output directory."""
    annotation: pathlib.Path | None = None
    posteriors: pathlib.Path | None = None
    plot: pathlib.Path | None = None
    record: Record = Record(None, {})
    """The record of the output directory; without one, any file is overwritten."""
    known: Annotated = Annotated()
    """What the record says of the song."""

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
    waiting = [
        song
        for song in songs
        if not record.holds(song.name, song.audio, song.posteriors, song.plot)
    ]
    done = len(songs) - len(waiting)
    if done:
        cli.say(f"{done} of {len(songs)} files are already done")
    failures = namesakes(waiting, record)
    waiting = [
        song._replace(record=record, known=record.songs.get(song.name, Annotated()))
        for song in waiting
        if song.audio not in failures
    ]
    function = functools.partial(
        annotate,
        tuple(map(str, model)),
        None if tasks is None else tuple(tasks),
        form,
    )
    # Taken before reading: a file that changes while it is read must not count as done.
    states = {song.audio: state(song.audio) for song in waiting}
    jobs = min(jobs, max(1, len(waiting)))
    for audio in failures:
        done += 1
        cli.progress(done, len(songs), audio, cli.FAILED)
    try:
        for song, made, error in processes.attempts(function, waiting, jobs):
            done += 1
            if isinstance(error, ModelError):
                raise error  # no other file would fare better
            if error:
                failures[song.audio] = error
            else:
                files, text = made
                record.add(song.name, song.audio, files, states[song.audio])
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


def namesakes(songs, record):
    """Find audio files whose outputs would replace those of another.

    Parameters
    ----------
    songs : list of Song
        Audio files and their outputs.
    record : Record
        The record of the output directory.

    Returns
    -------
    dict of str to CremaError
        What to do about each, by its path.
    """
    found, first = {}, {}
    for song in songs:
        other = first.setdefault(song.name, song.audio)
        if other == song.audio:
            other = record.other(song.name, song.audio)
        if other:
            advice = "rename one, or name another --output-dir"
            if os.path.dirname(song.audio) != os.path.dirname(other):
                advice += ", or a directory that contains both instead of the files"
            found[song.audio] = CremaError(
                f"{song.audio}: would have the same outputs as {other}; {advice}"
            )
    return found


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
    files : dict of pathlib.Path to str
        The hash of each file written.
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
            f"{form} writes one file for each of {', '.join(names)}: name the output "
            f"with -o or --output-dir{fewer}"
        )
    outputs = [path for path in (song.posteriors, song.plot) if path]
    if song.annotation:
        outputs += formats.paths(song.annotation, names if apart else [""])
    check_own(song, outputs)
    jam = analyze.annotate(audio, estimators, pathlib.Path(song.audio).stem)
    contents = {}
    if song.posteriors:
        contents[song.posteriors] = formats.posteriors(audio, estimators)
    if song.plot:
        from crema import plot

        contents[song.plot] = plot.encode(song.plot, jam, audio)
    if song.annotation:
        contents |= formats.files(song.annotation, jam, form)
    check_own(song, contents)  # it can have been corrected in the meantime
    files = {path: hashes.of_bytes(content) for path, content in contents.items()}
    song.record.claim(song.name, song.audio, files)
    for path, content in contents.items():
        disk.write_bytes(path, content)
    text = "".join(formats.texts(jam, form).values()) if printed else ""
    return files, text


def check_own(song, outputs):
    """Check that the outputs of a song do not exist yet or are as crema wrote them.

    Without an output directory, the user has named them, and they are overwritten.

    Raises
    ------
    CremaError
        Somebody else's work would be lost.
    """
    for path in outputs if song.record.path else ():
        if os.path.exists(path) and not song.record.is_own(song.name, path, song.known):
            raise CremaError(
                f"{path}: was edited, or made by another program or command, and is "
                "not overwritten; move it away to annotate again, or name another "
                "--output-dir"
            )


@functools.cache
def loaded(model, tasks):
    """Return the estimators in some directories, loaded once per process."""
    backend.quiet()
    return analyze.load_models(model, tasks)


def report(failures, total):
    """List the files that could not be annotated, and why."""
    if not failures:
        return
    if total > 1:
        cli.say(f"error: {len(failures)} of {total} files failed:")
    for error in failures.values():
        cli.say(f"  {error}" if total > 1 else f"error: {error}")
