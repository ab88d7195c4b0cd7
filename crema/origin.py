"""Provenance of a result: the data, code and settings that a file comes from."""

import functools
import importlib.metadata
import pathlib

from crema import formats, models
from crema.exceptions import CremaError
from crema.utils import disk, jamsfile
from crema.version import __version__

#: Libraries that affect the output of a model.
LIBRARIES = ("librosa", "numpy", "onnxruntime", "pumpp", "scipy", "soundfile", "soxr")
#: What a chord annotation owes to another model, by the entry of its sandbox.
REVISED = {
    "beats": "boundaries aligned to the beats of",
    "local_keys": "roots spelled as in the keys of",
}


def program():
    """Return the versions of crema and of the libraries that affect its results."""
    return {"crema": __version__, "libraries": dict(versions())}


@functools.cache
def versions():
    """Return name and version of each of the libraries, as pairs."""
    return [(name, importlib.metadata.version(name)) for name in LIBRARIES]


def info(path):
    """Return the provenance of a file.

    Parameters
    ----------
    path : path-like
        A JAMS file or ``test_data.json`` that crema wrote, or the directory of a
        trained model.

    Returns
    -------
    dict
        Nested dict that :func:`outline` formats.

    Raises
    ------
    CremaError
        The file is missing, or crema has not written it.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return of_model(path)
    if path.suffix.lower() in (".jams", ".jamz"):
        return of_jams(path)
    if not path.exists():
        raise CremaError(f"{path}: no such file or directory; name another")
    result = disk.read_json(path) if path.suffix.lower() == ".json" else None
    if not isinstance(result, dict) or "origin" not in result:
        raise CremaError(
            f"{path}: has no record of its origin; give a JAMS file that crema wrote, "
            "a test_data.json, or the directory of a model"
        )
    known = {name: result.get(name) for name in ("estimator", "version")}
    return known | result["origin"]


def of_model(directory):
    """Return the provenance of a trained model, and whether it is a released one."""
    estimator = models.load(directory)
    known = estimator.origin | {"settings": disk.read_json(directory / "settings.json")}
    return known | released(estimator.origin)


def of_jams(path):
    """Return the provenance of a JAMS file and of the models of its annotations."""
    jam = jamsfile.read(path)
    known = {"title": jam.file_metadata.title}
    known["program"] = getattr(jam.sandbox, "program", None)
    told = {}
    for number, (name, annotation) in enumerate(formats.named(jam).items(), 1):
        entry, origin = f"{number} {name}", getattr(annotation.sandbox, "model", None)
        if not is_ours(origin):
            tools = annotation.annotation_metadata.annotation_tools
            known[entry] = {"made by": tools or "unknown tool, not crema"}
            continue
        by = {
            what: other["version"]
            for name, what in REVISED.items()
            if (other := getattr(annotation.sandbox, name, None))
        }
        first = told.setdefault(origin["sha256"], entry)
        if first == entry:
            known[entry] = dict(origin) | by | released(origin)
        else:
            known[entry] = {"same model as": first} | by
    if not told:
        raise CremaError(
            f"{path}: no annotation names its model; give a JAMS file written by crema "
            "0.1 or later"
        )
    return known


def is_ours(origin):
    """Return whether the `origin` in an annotation has the form that crema writes."""
    told = origin if isinstance(origin, dict) else {}
    return all(isinstance(told.get(name), str) for name in ("estimator", "sha256"))


def released(origin):
    """Return version, card and settings of a released model; empty for any other."""
    directory = models.find(models.RELEASED).get(origin["estimator"])
    if not directory or models.sha256(directory) != origin["sha256"]:
        return {}
    known = {"comes with": f"crema {__version__}", "card": str(directory / "card.md")}
    return known | disk.read_json(directory / "settings.json")


def outline(known, indent=0):
    """Format nested dicts as lines for a terminal; long lists are abridged."""
    lines = []
    for name, value in known.items():
        head = " " * indent + f"{name}:"
        if isinstance(value, dict):
            lines += [head, *outline(value, indent + 2)]
        elif isinstance(value, list) and len(value) > 8:
            lines.append(f"{head} {len(value)}, from {value[0]} to {value[-1]}")
        elif isinstance(value, list):
            lines.append(f"{head} {', '.join(map(str, value))}")
        else:
            lines.append(f"{head} {value}")
    return lines
