"""Annotate audio: the program ``crema`` and the function behind it.

crema song.mp3 --model training -o song.jams
crema *.flac --model training --tasks chord,beat --output-dir annotations
"""

import argparse
import pathlib
import sys
import traceback

from crema import exceptions, models
from crema.exceptions import CremaError, ModelError
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
        Trained estimators, or the directories that hold them.  Who analyses many
        files loads them once, with :func:`load_models`.
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
        No model was given, or one cannot be used.

    Examples
    --------
    >>> jam = analyze("song.mp3", model="training")  # doctest: +SKIP
    >>> jam.annotations["chord", 0].to_dataframe()  # doctest: +SKIP
    """
    import jams

    from crema.audio import Audio

    estimators = load_models(model, tasks)
    audio = Audio(filename, y, sr)
    jam = jams.JAMS()
    jam.file_metadata.duration = audio.duration
    if filename is not None:
        jam.file_metadata.title = pathlib.Path(filename).stem
    for estimator in estimators:
        jam.annotations.extend(estimator.annotate(audio))
    return jam


def load_models(model, tasks=None):
    """Load trained estimators.

    Parameters
    ----------
    model : Estimator, str or path-like, or a sequence of these
        Estimators stay as they are; what a directory holds (:func:`crema.models.find`)
        is loaded.
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
    if isinstance(model, (str, pathlib.Path)) or not hasattr(model, "__iter__"):
        model = [model]
    found = []
    for one in model:
        if isinstance(one, (str, pathlib.Path)):
            found += models.find(one).items()
        else:
            found.append((one.name, one))
    if not found:
        raise ModelError(
            "crema comes without trained models as yet: train one and name its "
            "directory, as in --model training/chord/resources"
        )
    names = [name for name, _ in found]
    for task in tasks or ():
        if task not in names:
            raise ModelError(
                f"no model of the task {task!r} is here, only of {', '.join(names)}"
            )
    return [
        models.load(one) if isinstance(one, pathlib.Path) else one
        for name, one in found
        if tasks is None or name in tasks
    ]


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    parser = argparse.ArgumentParser(
        prog="crema",
        description="Annotate music: audio files in, JAMS files out.",
    )
    parser.add_argument("audio", nargs="+", help="WAV, FLAC, Ogg, MP3, ...")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        help="the .jams or .jamz file to write (default: print to standard output)",
    )
    where.add_argument(
        "--output-dir",
        type=pathlib.Path,
        metavar="DIR",
        help="where to write one NAME.jams per audio file",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="DIR",
        help="resources of a trained estimator, or a directory of several such as "
        "training (may be repeated)",
    )
    parser.add_argument(
        "--tasks",
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help="the estimators to use, such as chord,beat (default: all)",
    )
    parser.add_argument("--version", action="version", version=f"crema {__version__}")
    args = parser.parse_args(argv)
    return run(args.audio, args.output, args.output_dir, args.model, args.tasks)


def run(audio, output, output_dir, directories, tasks=None):
    """Annotate files; go on after a bad one; return the exit status."""
    targets = destinations(audio, output, output_dir)
    estimators = load_models(directories, tasks)

    from crema.utils import io

    bad = 0
    for name, target in zip(audio, targets, strict=True):
        try:
            jam = analyze(name, model=estimators)
            if target is None:
                print(jam.dumps(indent=2))
            else:
                io.write_jams(target, jam)
        except CremaError as error:
            print(f"error: {error}", file=sys.stderr)
            bad += 1
        except Exception as error:  # a defect of ours must not cost the other files
            traceback.print_exc()
            print(f"error: {name}: {type(error).__name__}: {error}", file=sys.stderr)
            bad += 1
    if bad and len(audio) > 1:
        print(f"error: {bad} of {len(audio)} files failed", file=sys.stderr)
    return 1 if bad else 0


def destinations(audio, output, output_dir):
    """Return where the annotation of each file goes; None is standard output.

    Raises
    ------
    CremaError
        The output is not JAMS, or two files would share one.
    """
    if output_dir is not None:
        targets = [output_dir / f"{pathlib.Path(name).stem}.jams" for name in audio]
    elif len(audio) > 1:
        raise CremaError("several audio files need --output-dir instead of -o")
    else:
        targets = [output]
    if output is not None and output.suffix not in (".jams", ".jamz"):
        raise CremaError(f"{output}: the name of the output must end in .jams or .jamz")
    if len(set(targets)) < len(targets):
        twice = max(targets, key=targets.count)
        raise CremaError(
            f"two audio files would be written to {twice}; rename one or use two "
            "directories"
        )
    return targets


def entry_point():
    """Console script."""
    exceptions.program(main)


if __name__ == "__main__":
    entry_point()
