"""The pump: the operators of an estimator, and how they are stored.

pumpp names a field ``operator/field``, but Keras accepts no ``/`` in the name of a
layer.  Operators here join the two with a dot, so that the inputs and outputs of a
model have exactly the names of pump fields.  Feature extractors are in
:mod:`crema.features`, task transformers in :mod:`crema.tasks`.
"""

import importlib
import inspect
import io
import json
import pathlib
import pickle
import re

import numpy as np

from crema import stored
from crema.compiled import pumpp
from crema.exceptions import ModelError, first_line
from crema.utils import disk


class Dotted:
    """Mixin that names fields ``operator.field``."""

    def scope(self, key):
        """Return the name of the field `key` of this operator."""
        return f"{self.name}.{key}"

    def describe(self):
        """Return the class and the arguments of this operator as a dict for JSON."""
        description = {"class": f"{type(self).__module__}.{type(self).__name__}"}
        for name in inspect.signature(type(self)).parameters:
            value = getattr(self, name)
            description[name] = str(value) if isinstance(value, np.dtype) else value
        return description


#: The only globals that a pickled pump can name; other pickles can name any function.
PICKLED = {
    ("builtins", "bool"),
    ("builtins", "int"),
    ("builtins", "float"),
    ("builtins", "set"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("numpy", "bool"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("pumpp.base", "Tensor"),
    ("pumpp.core", "Pump"),
}
#: Modules of which it can name any class: pumpp's operators and encoders, and ours.
PICKLED_MODULES = (
    *("pumpp.feature.", "pumpp.task.", "pumpp.labels"),
    *("crema.features", "crema.tasks."),
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        found = None
        if (module, name) in PICKLED:
            found = super().find_class(module, name)
        elif module.startswith(PICKLED_MODULES) and name.isalnum():
            found = super().find_class(module, name)
            # Reject objects that the modules import but do not define.
            if not (isinstance(found, type) and found.__module__ == module):
                found = None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a pump")
        return found


def save(pump, path):
    """Pickle a pump to `path`; the same operators give the same bytes."""
    # After the pickle: readable without unpickling, and pickle.load stops before it.
    last = f"crema format {stored.FORMAT}\n".encode()
    with disk.atomic(path) as temporary:
        temporary.write_bytes(pickle.dumps(pump, protocol=4) + last)


def load(path):
    """Load a pump.

    Parameters
    ----------
    path : str or path-like
        A ``pump.pkl`` that :func:`save` wrote, or a ``.json`` file of
        the result of :func:`to_json`.

    Returns
    -------
    pumpp.Pump

    Raises
    ------
    ModelError
        The file is missing, has another format, is not a pump, or names anything but
        the classes of a pump; no code of such a file is run.
    """
    if pathlib.Path(path).suffix == ".json":
        return from_json(disk.read_json(path), path)
    try:
        content = pathlib.Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no such file; make it with 01-prepare.py --pump-only"
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if last := re.search(rb"crema format (\d{1,9})\n\Z", content):
        content = content[: last.start()]
    stored.check(int(last[1]) if last else 1, path, "run prepare again")
    stream = io.BytesIO(content)
    try:
        pump = _Unpickler(stream).load()
        if stream.read(1):
            raise ValueError("data after the end of the pickle")
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ModelError(
            f"{path}: is not a usable pump ({first_line(error)}); run prepare again"
        ) from error
    if not isinstance(pump, pumpp.Pump):
        raise ModelError(f"{path}: does not contain a pump; run prepare again")
    return pump


def to_json(pump):
    """Describe a pump as JSON, which unlike a pickle cannot run code.

    Parameters
    ----------
    pump : pumpp.Pump
        Its operators are classes of :mod:`crema.features` and :mod:`crema.tasks`.

    Returns
    -------
    list of dict
        Class and arguments of each operator.
    """
    return json.loads(json.dumps([operator.describe() for operator in pump.ops]))


def from_json(description, path):
    """Build the pump that :func:`to_json` described.

    Parameters
    ----------
    description : list of dict
        The description.
    path : str or path-like
        Source of the description, for error messages.

    Returns
    -------
    pumpp.Pump

    Raises
    ------
    ModelError
        It describes anything but operators of this package.
    """
    operators = []
    try:
        for entry in description:
            arguments = dict(entry)
            module, _, name = arguments.pop("class").rpartition(".")
            if not f"{module}.".startswith(("crema.features.", "crema.tasks.")):
                raise ValueError(f"{module}.{name} is not part of a pump")
            operator = getattr(importlib.import_module(module), name)
            if not (isinstance(operator, type) and issubclass(operator, Dotted)):
                raise ValueError(f"{module}.{name} is not part of a pump")
            operators.append(operator(**arguments))
        return pumpp.Pump(*operators)
    except Exception as error:  # a damaged description can be wrong in any way
        raise ModelError(
            f"{path}: is not a usable pump ({first_line(error)}); install crema again, "
            "or name another model"
        ) from error
