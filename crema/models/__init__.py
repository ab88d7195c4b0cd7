"""Trained estimators, one module each; :func:`load` finds the one a directory needs."""

import importlib
import pathlib

from crema.exceptions import ModelError
from crema.utils import io


def load(directory):
    """Load the estimator that a training left in `directory`.

    Parameters
    ----------
    directory : str or path-like
        The ``resources`` of a training, such as ``training/chord/resources``.

    Returns
    -------
    crema.models.base.Estimator

    Raises
    ------
    ModelError
        `directory` holds no complete model, or one of an unknown estimator.
    """
    settings = pathlib.Path(directory, "settings.json")
    if not settings.is_file():
        raise ModelError(
            f"{directory}: holds no trained model (no settings.json); train one with "
            "snakemake, or name another directory"
        )
    record = io.read_json(settings)
    name = record.get("estimator", "") if isinstance(record, dict) else ""
    if not str(name).isidentifier():
        raise ModelError(f"{settings}: names no estimator; train the model again")
    return estimator(name)(directory)


def estimator(name):
    """Return the estimator class that the module ``crema.models.NAME`` defines.

    Raises
    ------
    ModelError
        There is no such module.
    """
    try:
        module = importlib.import_module(f"crema.models.{name}")
        return module.Model
    except (ModuleNotFoundError, AttributeError) as error:
        raise ModelError(
            f"no estimator is called {name!r}: crema/models/{name}.py with a class "
            "Model is missing"
        ) from error
