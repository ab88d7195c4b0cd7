"""Annotate audio from Python, as the program ``crema`` does."""

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
        Samples: floating point within [-1, 1], or integers of full scale.
    sr : int
        Sampling rate of `y` in Hz.
    model : Estimator, str or path-like, or a sequence of these
        Trained estimators, or directories that hold them; by default the models
        released with crema.  To analyse many files, load the models once with
        :func:`load_models`.
    tasks : str or sequence of str, optional
        Names of the estimators to use; by default all.

    Returns
    -------
    jams.JAMS
        The annotations of each model, and the duration of the audio in seconds.  If
        both chords and beats are estimated, chord changes within 0.1 s of a beat move
        to that beat.

    Raises
    ------
    AudioError
        The audio cannot be read or used.
    ModelError
        A model cannot be used, or a task has no model.

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
    # File names can hold bytes that are not valid text; JAMS stores text.
    jam.file_metadata.title = title.encode(errors="replace").decode()
    jam.sandbox.program = origin.program()
    # One estimator decodes, on one core, while the network of the next runs.  For long
    # audio, both at once would take too much memory.
    n_workers = len(estimators) if audio.duration <= network.LONGEST else 1
    with concurrent.futures.ThreadPoolExecutor(n_workers or 1) as pool:
        results = pool.map(lambda estimator: estimator.annotate(audio), estimators)
        annotations = {
            estimator.name: result
            for estimator, result in zip(estimators, results, strict=True)
        }
    for estimator in estimators:
        jam.annotations.extend(estimator.revise(annotations))
    return jam


def load_models(model=(), tasks=None):
    """Load trained estimators.

    Parameters
    ----------
    model : Estimator, str or path-like, or a sequence of these
        Estimators are returned as they are; the models in a directory
        (:func:`crema.models.find`) are loaded.  If empty, the released models are.
    tasks : str or sequence of str, optional
        Names of the estimators to load; by default all.

    Returns
    -------
    list of Estimator

    Raises
    ------
    ModelError
        There is no model, a task has none, or one cannot be used.
    """
    return [
        models.load(one) if isinstance(one, pathlib.Path) else one
        for one in choose(model, tasks).values()
    ]


def identify(model, tasks=None):
    """Return a hash of each model that :func:`load_models` would load.

    Versions do not identify a model: two checkouts number their trainings alike.

    Returns
    -------
    dict of str to str
        The :func:`crema.models.sha256` of each model, by the name of its estimator.
    """
    return {
        name: models.sha256(one)
        if isinstance(one, pathlib.Path)
        else one.origin["sha256"]
        for name, one in choose(model, tasks).items()
    }


def choose(model, tasks=None):
    """Return the estimators and directories that :func:`load_models` loads, by name."""
    if isinstance(model, (str, os.PathLike)) or not hasattr(model, "__iter__"):
        model = [] if model is None else [model]
    if tasks is not None:
        tasks = [tasks] if isinstance(tasks, str) else list(tasks)
    chosen = {}
    for one in model:
        directory = isinstance(one, (str, os.PathLike))
        for name, place in (models.find(one) if directory else {one.name: one}).items():
            if name in chosen:
                raise ModelError(f"two models are given for {name}; leave out one")
            chosen[name] = place
    if not chosen:
        chosen = models.find(models.RELEASED)
    if tasks is not None and not tasks:
        raise ModelError(f"no task is named; choose from {', '.join(chosen)}")
    for task in tasks or ():
        if task not in chosen:
            raise ModelError(
                f"there is no model for the task {task!r}; choose from "
                f"{', '.join(chosen)}"
            )
    return {
        name: place for name, place in chosen.items() if tasks is None or name in tasks
    }
