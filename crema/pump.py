"""The pump: the operators of an estimator, and how they are stored.

pumpp names a field ``operator/field``, and Keras accepts no ``/`` in the name of a
layer.  Operators here join the two with a dot, so that a model's inputs and outputs
bear the names of pump fields to the letter.  Feature extractors are in
:mod:`crema.features`, task transformers in :mod:`crema.tasks`.
"""

import io
import pickle

import pumpp

from crema.exceptions import ModelError


class Dotted:
    """Mixin that names fields ``operator.field``."""

    def scope(self, key):
        """Return the name of the field `key` of this operator."""
        return f"{self.name}.{key}"


#: Everything a pump is made of.  A pickle can name any function; ours names these.
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
#: Modules of which any class may appear: pumpp's operators and encoders, and ours.
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
            # The modules also hold what they import; only what they define is ours.
            if not (isinstance(found, type) and found.__module__ == module):
                found = None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a pump")
        return found


def save(pump, path):
    """Pickle a pump to `path`; the same operators give the same bytes."""
    from crema.utils import io as files

    with files.atomic(path) as temporary:
        temporary.write_bytes(pickle.dumps(pump, protocol=4))


def load(path):
    """Load a pump that :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
        A ``pump.pkl``.

    Returns
    -------
    pumpp.Pump

    Raises
    ------
    ModelError
        The file is missing, is not a pump, or names anything but the classes that a
        pump consists of; nothing of such a file is run.
    """
    try:
        with open(path, "rb") as stream:
            pump = _Unpickler(io.BytesIO(stream.read())).load()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ModelError(
            f"{path}: is not a pump that can be used ({error}); run prepare again"
        ) from error
    if not isinstance(pump, pumpp.Pump):
        raise ModelError(f"{path}: holds no pump; run prepare again")
    return pump
