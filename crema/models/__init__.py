"""Trained estimators, one module each; :func:`load` finds the one a directory needs."""

import importlib
import pathlib

from crema import compiled, network, stored
from crema.exceptions import ModelError
from crema.utils import disk, hashes

#: Where the models are that crema comes with.
RELEASED = pathlib.Path(__file__).parent


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
        `directory` holds no complete model, or one of an unknown estimator or another
        format.
    """
    settings = pathlib.Path(directory, "settings.json")
    if not settings.is_file():
        raise ModelError(
            f"{directory}: holds no trained model (no settings.json); train one with "
            "snakemake, or name another directory"
        )
    return estimator(name_of(settings))(directory)


def files(directory):
    """Return the paths of what a model consists of: network, pump, decoder, version.

    Nothing is imported that reads them.

    Raises
    ------
    ModelError
        One of them is missing, or the files of a release are not as they were.
    """
    directory = pathlib.Path(directory)
    hashes.check(directory)
    pump = directory / "pump.json"
    if not pump.is_file():
        pump = directory / "pump.pkl"
    own = directory / "decoder.json", directory / "version.txt"
    found = [network.path(directory), pump, *own]
    for path in found:
        if not path.is_file():
            raise ModelError(
                f"{directory}: holds no trained model ({path.name} is missing); train "
                "one with snakemake, or name another directory"
            )
    return found


def sha256(directory):
    """Return one hash for all that a model consists of."""
    return hashes.of_all(files(directory))


def find(directory):
    """Find the models in a directory.

    Parameters
    ----------
    directory : str or path-like
        What a training left, such as ``training/chord/resources``, or a directory of
        such, such as ``training``.

    Returns
    -------
    dict of str to pathlib.Path
        The directory of each model by the name of its estimator, in alphabetical order.

    Raises
    ------
    ModelError
        There is no model, or there are two of one estimator, or one of another format.
    """
    directory = pathlib.Path(directory)
    found = {}
    for sums in directory.glob(f"*/{hashes.SUMS}"):
        if not sums.with_name("settings.json").is_file():
            hashes.check(sums.parent)  # or nobody would miss it
    for pattern in ("", "*/", "*/resources/"):
        for settings in sorted(directory.glob(f"{pattern}settings.json")):
            hidden = settings.parent.name.startswith(".")
            if hidden and settings.parent != directory:
                continue  # a release that is being made
            name = name_of(settings)
            if name in found:
                raise ModelError(
                    f"{directory}: holds two models of {name}; name one of "
                    f"{found[name]} and {settings.parent}"
                )
            found[name] = settings.parent
    if not found:
        raise ModelError(
            f"{directory}: holds no trained model (no settings.json); train one with "
            "snakemake, or name another directory"
        )
    return dict(sorted(found.items()))


def name_of(settings):
    """Return the name of the estimator that a ``settings.json`` belongs to.

    Raises
    ------
    ModelError
        It names none, or is that of a model of another format.
    """
    record = disk.read_json(settings)
    record = record if isinstance(record, dict) else {}
    stored.check(record.get("format", 1), settings, "train it again, or use that crema")
    name = record.get("estimator")
    if not (isinstance(name, str) and name.isidentifier()):
        raise ModelError(f"{settings}: names no estimator; train the model again")
    return name


def estimator(name):
    """Return the estimator class that the module ``crema.models.NAME`` defines.

    Raises
    ------
    ModelError
        There is no such module.
    """
    missing = (
        f"no estimator is called {name!r}: crema/models/{name}.py with a class Model "
        "is missing"
    )
    # What librosa does without, it looks for in all that is imported by then; before
    # jams and pumpp, which a model needs, that is a fifth of a second less, or more.
    compiled.librosa.load  # noqa: B018 -- whose module is imported when it is named
    try:
        module = importlib.import_module(f"crema.models.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"crema.models.{name}":
            raise
        raise ModelError(missing) from error
    if not hasattr(module, "Model"):
        raise ModelError(missing)
    return module.Model
