"""Annotate audio: what the program ``crema`` does with a file, as a function."""

import concurrent.futures
import os
import pathlib

from crema import models, network, origin
from crema.audio import Audio
from crema.exceptions import ModelError


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
        crema comes with.  To analyse many files, load the models
        once with :func:`load_models`.
    tasks : str or sequence of str, optional
        Names of estimators; the others are left out.

    Returns
    -------
    jams.JAMS
        The annotations of each model, and the duration of the audio in seconds.  Where
        chords and beats are both asked for, a chord that begins within 0.1 s of a
        beat begins on it.

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
    estimators = load_models(model, tasks)
    title = "" if filename is None else pathlib.Path(filename).stem
    return annotate(Audio(filename, y, sr), estimators, title)


def annotate(audio, estimators, title=""):
    """Annotate a :class:`crema.audio.Audio`, as :func:`analyze` does."""
    import jams

    jam = jams.JAMS()
    jam.file_metadata.duration = audio.duration
    # A file name may hold bytes that are no text; an annotation holds text.
    jam.file_metadata.title = title.encode(errors="replace").decode()
    jam.sandbox.program = origin.program()
    # One decodes, which takes one core, while the network of the next is computed; but
    # not where memory for both is too much.
    at_once = len(estimators) if audio.duration <= network.LONGEST else 1
    with concurrent.futures.ThreadPoolExecutor(at_once or 1) as pool:
        each = pool.map(lambda estimator: estimator.annotate(audio), estimators)
        made = {one.name: some for one, some in zip(estimators, each, strict=True)}
    for estimator in estimators:
        jam.annotations.extend(estimator.revise(made))
    return jam


def load_models(model=(), tasks=None):
    """Load trained estimators.

    Parameters
    ----------
    model : Estimator, str or path-like, or a sequence of these
        Estimators stay as they are; what a directory holds (:func:`crema.models.find`)
        is loaded.  If empty, the models that crema comes with.
    tasks : str or sequence of str, optional
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


def identify(model, tasks=None):
    """Tell the models that :func:`load_models` would load from all others.

    Their versions do not: two checkouts count their trainings alike.

    Returns
    -------
    dict of str to str
        One hash for all that each consists of, by the name of its estimator.
    """
    return {
        name: models.sha256(one)
        if isinstance(one, pathlib.Path)
        else one.origin["sha256"]
        for name, one in choose(model, tasks).items()
    }


def choose(model, tasks=None):
    """Return what :func:`load_models` loads, by name: estimators and directories."""
    if isinstance(model, (str, os.PathLike)) or not hasattr(model, "__iter__"):
        model = [] if model is None else [model]
    if tasks is not None:
        tasks = [tasks] if isinstance(tasks, str) else list(tasks)
    found = {}
    for one in model:
        directory = isinstance(one, (str, os.PathLike))
        for name, place in (models.find(one) if directory else {one.name: one}).items():
            if name in found:
                raise ModelError(f"two models of {name} are given; leave out one")
            found[name] = place
    if not found:
        found = models.find(models.RELEASED)
    if tasks is not None and not tasks:
        raise ModelError(f"no task is named; here are {', '.join(found)}")
    for task in tasks or ():
        if task not in found:
            raise ModelError(
                f"no model of the task {task!r} is here, only of {', '.join(found)}"
            )
    return {
        name: place for name, place in found.items() if tasks is None or name in tasks
    }
