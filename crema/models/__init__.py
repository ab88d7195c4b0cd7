"""Trained estimators, one module each; :func:`load` finds the one for a directory."""

import importlib
import pathlib

from crema import compiled, network, stored
from crema.exceptions import ModelError
from crema.utils import disk, hashes

#: Directory of the models released with crema.
RELEASED = pathlib.Path(__file__).parent


def load(directory):
    """Load the estimator that training stored in `directory`.

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
        `directory` holds no complete model, or a model of an unknown estimator or of
        another format.
    """
    settings = pathlib.Path(directory, "settings.json")
    if not settings.is_file():
        raise _none(directory)
    return estimator(name_of(settings))(directory)


def files(directory):
    """Return the paths of a model's files: network, pump, decoder and version.

    This does not import the libraries that read them.

    Raises
    ------
    ModelError
        A file is missing, or a file of a release was changed.
    """
    directory = pathlib.Path(directory)
    hashes.check(directory)
    pump = directory / "pump.json"
    if not pump.is_file():
        pump = directory / "pump.pkl"
    own = directory / "decoder.json", directory / "version.txt"
    paths = [network.path(directory), pump, *own]
    for path in paths:
        if not path.is_file():
            raise ModelError(
                f"{directory}: contains no trained model ({path.name} is missing); "
                "train it again (snakemake --forcerun train), or name another directory"
            )
    return paths


def sha256(directory):
    """Return one hash over the :func:`files` of a model, without its settings."""
    return hashes.of_all(files(directory))


def find(directory):
    """Find the models in a directory.

    Parameters
    ----------
    directory : str or path-like
        The ``resources`` of a training, such as ``training/chord/resources``, or a
        directory of several, such as ``training``.

    Returns
    -------
    dict of str to pathlib.Path
        The directory of each model by the name of its estimator, in alphabetical order.

    Raises
    ------
    ModelError
        There is no model, two of one estimator, or one of another format.
    """
    directory = pathlib.Path(directory)
    directories = {}
    for sums in directory.glob(f"*/{hashes.SUMS}"):
        if not sums.with_name("settings.json").is_file():
            hashes.check(sums.parent)  # a release without it would be overlooked
    for pattern in ("", "*/", "*/resources/"):
        for settings in sorted(directory.glob(f"{pattern}settings.json")):
            hidden = settings.parent.name.startswith(".")
            if hidden and settings.parent != directory:
                continue  # an unfinished release
            name = name_of(settings)
            if name in directories:
                raise ModelError(
                    f"{directory}: contains two models of {name}; name either "
                    f"{directories[name]} or {settings.parent}"
                )
            directories[name] = settings.parent
    if not directories:
        raise _none(directory)
    return dict(sorted(directories.items()))


def _none(directory):
    """Return the error about a directory without a model."""
    why = "contains no trained model (no settings.json)"
    if not pathlib.Path(directory).is_dir():
        why = "no such directory"
    return ModelError(
        f"{directory}: {why}; train a model with snakemake, or name another directory"
    )


def name_of(settings):
    """Return the name of the estimator that a ``settings.json`` belongs to.

    Raises
    ------
    ModelError
        It names no estimator, or its model has another format.
    """
    record = disk.read_json(settings)
    record = record if isinstance(record, dict) else {}
    stored.check(
        record.get("format", 1),
        settings,
        "train it again, or use that version of crema",
    )
    name = record.get("estimator")
    if not (isinstance(name, str) and name.isidentifier()):
        raise ModelError(
            f"{settings}: does not name an estimator; train the model again"
        )
    return name


def estimator(name):
    """Return the estimator class that the module ``crema.models.NAME`` defines.

    Raises
    ------
    ModelError
        There is no such module.
    """
    missing = (
        f"there is no estimator {name!r}: crema/models/{name}.py with a class Model is "
        "missing"
    )
    # For each missing optional package librosa walks sys.modules; imported before jams
    # and pumpp, it saves 0.2 s.
    compiled.librosa.load  # noqa: B018 -- access imports the module
    try:
        module = importlib.import_module(f"crema.models.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"crema.models.{name}":
            raise
        raise ModelError(missing) from error
    if not hasattr(module, "Model"):
        raise ModelError(missing)
    return module.Model
