"""librosa, and what is built on it, compiled by one process at a time.

``from crema.compiled import librosa, muda, pumpp``, in place of ``import``.  Parts of
librosa are compiled when they are first imported after installation, and numba keeps
several files of each in a cache.  Where two processes do that at once, files of both
may stay, and from then on every process ends in a segmentation fault
(https://github.com/numba/numba/issues/10128).  Here the first compiles, and the others
wait for it.
"""

import contextlib
import importlib
import os
import pathlib
import sys

#: The modules of librosa that compile when they are imported.
EAGER = (
    "librosa.util.utils",
    "librosa.core.audio",
    "librosa.core.pitch",
    "librosa.beat",
)


def __getattr__(name):
    if name not in ("librosa", "muda", "pumpp"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    once(EAGER, directories(), signature())
    return importlib.import_module(name)


def once(modules, places, key):
    """Import modules, unless a process has already done so; wait where one is at it.

    Parameters
    ----------
    modules : sequence of str
    places : sequence of pathlib.Path
        Directories; what has been done is recorded in the first that can be written to.
    key : str
        What compiled code depends on.
    """
    with contextlib.ExitStack() as stack:
        record = recorded(places, stack)
        if record is None or done(record, key):
            return
        wait(record)
        if not done(record, key):
            print(
                "compiling parts of librosa, once after installation (half a minute)",
                file=sys.stderr,
                flush=True,
            )
            for module in modules:
                importlib.import_module(module)
            record.write(f"{key}\n")


def recorded(places, stack):
    """Open the record, to be closed by `stack`; None where no place can be written."""
    for place in places:
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(open(place / "crema-compiled.txt", "a+"))
    return None


def done(record, key):
    """Return whether a process has written `key` to the record."""
    record.seek(0)
    return key in record.read().splitlines()


def wait(record):
    """Lock the record until it is closed."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError):  # some network file systems know no locks
        fcntl.flock(record, fcntl.LOCK_EX)


def directories():
    """Return where numba may keep what it compiles of librosa, in its order."""
    import librosa

    own = os.environ.get("NUMBA_CACHE_DIR")
    beside = os.path.join(os.path.dirname(librosa.__file__), "__pycache__")
    home = os.path.expanduser("~/.cache/numba")
    places = [os.path.abspath(own)] if own else []
    places += [beside, home] if os.path.isabs(home) else [beside]  # no home: a tilde
    return list(map(pathlib.Path, places))


def signature():
    """Return what compiled code depends on: versions and the kind of processor."""
    import librosa
    import llvmlite.binding
    import numba

    processor = llvmlite.binding.get_host_cpu_name()
    features = llvmlite.binding.get_host_cpu_features().flatten()
    return f"{librosa.__version__} {numba.__version__} {processor} {features}"
