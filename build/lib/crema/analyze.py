"""Annotate audio: the program ``crema`` and the function behind it.

crema song.mp3 -o song.jams
crema *.flac --tasks chord,beat --output-dir annotations --jobs 4
crema plot song.jams
"""

import argparse
import pathlib
import sys

from crema import exceptions, formats, models
from crema.exceptions import CremaError, ModelError
from crema.utils import cli
from crema.version import __version__


def analyze(filename=None, y=None, sr=None, model=(), tasks=None):
    """Annotate one piece of music.

    Parameters
    ----------
    filename : str or path-like, optional
        An audio file; or else `y` and `sr`.
    y : np.ndarray, shape=(n_samples,) or (n_channels, n_samples)
        Audio, in floating point within [-1, 1] or integers of full scale.
    sr : int
        Its sampling rate in Hz.
    model : Estimator, str or path-like, or a sequence of these
        Trained estimators, or the directories that hold them; by default those that
        crema comes with.  Who analyses many files loads them once, with
        :func:`load_models`.
    tasks : sequence of str, optional
        Names of estimators; the others are left out.

    Returns
    -------
    jams.JAMS
        The annotations of each model, and the duration of the audio in seconds.

    Raises
    ------
    AudioError
        The audio cannot be read or used.
    ModelError
        A model cannot be used, or there is none of a task.

    Examples
    --------
    >>> jam = analyze("song.mp3")  # doctest: +SKIP
    >>> jam.annotations["chord", 0].to_dataframe()  # doctest: +SKIP
    """
    from crema.audio import Audio

    estimators = load_models(model, tasks)
    title = "" if filename is None else pathlib.Path(filename).stem
    return annotate(Audio(filename, y, sr), estimators, title)


def annotate(audio, estimators, title=""):
    """Annotate a :class:`crema.audio.Audio`, as :func:`analyze` does."""
    import jams

    jam = jams.JAMS()
    jam.file_metadata.duration = audio.duration
    jam.file_metadata.title = title
    for estimator in estimators:
        jam.annotations.extend(estimator.annotate(audio))
    return jam


def load_models(model=(), tasks=None):
    """Load trained estimators.

    Parameters
    ----------
    model : Estimator, str or path-like, or a sequence of these
        Estimators stay as they are; what a directory holds (:func:`crema.models.find`)
        is loaded.  If empty, the models that crema comes with.
    tasks : sequence of str, optional
        Names of estimators; the others are left out, and not loaded.

    Returns
    -------
    list of Estimator

    Raises
    ------
    ModelError
        There is none, none of a task, or one cannot be used.
    """
    return [
        models.load(one) if isinstance(one, pathlib.Path) else one
        for one in choose(model, tasks).values()
    ]


def versions(model, tasks=None):
    """Return the version of each model that :func:`load_models` would load, by name."""
    return {
        name: (one / "version.txt").read_text(encoding="utf-8").strip()
        if isinstance(one, pathlib.Path)
        else one.version
        for name, one in choose(model, tasks).items()
    }


def choose(model, tasks=None):
    """Return what :func:`load_models` loads, by name: estimators and directories."""
    if isinstance(model, (str, pathlib.Path)) or not hasattr(model, "__iter__"):
        model = [model]
    found = {}
    for one in model:
        directory = isinstance(one, (str, pathlib.Path))
        for name, place in (models.find(one) if directory else {one.name: one}).items():
            if name in found:
                raise ModelError(f"two models of {name} are given; leave out one")
            found[name] = place
    if not found:
        found = models.find(models.RELEASED)
    for task in tasks or ():
        if task not in found:
            raise ModelError(
                f"no model of the task {task!r} is here, only of {', '.join(found)}"
            )
    return {
        name: place for name, place in found.items() if tasks is None or name in tasks
    }


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["plot"]:
        from crema import plot

        return plot.main(argv[1:])
    args = parser().parse_args(argv)
    from crema import batch

    form, songs = destinations(args)
    if args.plot:
        from crema import plot

        plot.library()
    return batch.run(songs, args.model, args.tasks, form, args.jobs, args.output_dir)


def parser():
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="crema",
        description="Annotate music: audio files in, JAMS or label files out.",
        epilog="crema plot song.jams draws what was found; see crema plot --help.",
    )
    made.add_argument("audio", nargs="+", help="WAV, FLAC, Ogg, MP3, ...")
    where = made.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        help="the file to write (default: print to standard output)",
    )
    where.add_argument(
        "--output-dir",
        type=pathlib.Path,
        metavar="DIR",
        help="where to write one NAME.jams per audio file; files that are done by the "
        "same models are left out",
    )
    made.add_argument(
        "--format",
        choices=formats.FORMATS,
        help="jams; lab (Audacity) or csv (Sonic Visualiser), one file per task as in "
        "NAME.chord.lab; json (default: what -o ends in, else jams)",
    )
    for option, suffix, what in (
        ("--posteriors", ".npz", "the posteriors of each frame"),
        ("--plot", ".png", "a picture of the annotations over the audio"),
    ):
        made.add_argument(
            option,
            nargs="?",
            const=True,
            type=file_option(suffix),
            metavar=f"FILE{suffix}",
            help=f"also write {what}; with --output-dir, no name: NAME{suffix}",
        )
    made.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="DIR",
        help="resources of a trained estimator, or a directory of several such as "
        "training (may be repeated; default: the models that crema comes with)",
    )
    made.add_argument(
        "--tasks",
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help="the estimators to use, such as chord,beat (default: all)",
    )
    made.add_argument(
        "--jobs",
        type=cli.jobs,
        default=1,
        metavar="N",
        help="processes that share the files and the cores (default: 1)",
    )
    made.add_argument("--version", action="version", version=f"crema {__version__}")
    return made


def file_option(suffix):
    """Return a type of option: a file name that ends in `suffix`."""

    def convert(text):
        if not text.lower().endswith(suffix):
            raise argparse.ArgumentTypeError(
                f"{text} does not end in {suffix}; give this option after the audio"
            )
        return pathlib.Path(text)

    return convert


def destinations(args):
    """Return the format, and what is to be made of each file.

    Parameters
    ----------
    args : argparse.Namespace
        The options of :func:`parser`.

    Returns
    -------
    form : str
        One of :data:`crema.formats.FORMATS`.
    songs : list of crema.batch.Song

    Raises
    ------
    CremaError
        The options contradict each other, or two files would share an output.
    """
    from crema.batch import Song

    output, directory = args.output, args.output_dir
    extras = {"posteriors": args.posteriors, "plot": args.plot}
    form = args.format or (formats.infer(output) if output else "jams")
    if directory is None:
        if len(args.audio) > 1:
            raise CremaError("several audio files need --output-dir instead of -o")
        for option, value in extras.items():
            if value is True:
                raise CremaError(f"--{option} needs the name of a file")
        return form, [Song(args.audio[0], output, **extras)]
    for option, value in extras.items():
        if isinstance(value, pathlib.Path):
            raise CremaError(
                f"--{option} takes no name with --output-dir; it is that of the audio"
            )
    songs = []
    for name in args.audio:
        stem = pathlib.Path(name).stem
        songs.append(
            Song(
                name,
                directory / f"{stem}.{form}",
                args.posteriors and directory / f"{stem}.npz",
                args.plot and directory / f"{stem}.png",
            )
        )
    outputs = [song.annotation for song in songs]
    if len(set(outputs)) < len(outputs):
        twice = max(outputs, key=outputs.count)
        raise CremaError(
            f"two audio files would be written to {twice}; rename one or use two "
            "directories"
        )
    return form, songs


def entry_point():
    """Console script."""
    exceptions.program(main)


if __name__ == "__main__":
    entry_point()
