"""Import librosa and packages built on it, compiled by one process at a time.

Use ``from crema.compiled import librosa, muda, pumpp`` instead of ``import``.  numba
compiles the universal functions of librosa when they are first imported after
installation, and caches each in several files.  If two processes compile at once, the
cache can mix files of both, and every later process ends in a segmentation fault
(https://github.com/numba/numba/issues/10128) until the ``__pycache__`` directories of
librosa are removed.  Here one process compiles and the others wait for it, except on
Windows.
"""

import atexit
import contextlib
import functools
import importlib
import os
import pathlib
import shutil
import sys
import tempfile

from crema.utils import cli, disk

#: Modules of librosa that compile functions at import.
EAGER = (
    "librosa.util.utils",
    "librosa.core.audio",
    "librosa.core.pitch",
    "librosa.beat",
)
#: File that records what has been compiled.
RECORD = "crema-compiled.txt"


def __getattr__(name):
    if name not in ("librosa", "muda", "pumpp"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    ready()
    return importlib.import_module(name)


@functools.cache
def ready():
    """Compile librosa if it is not compiled yet; check once per process."""
    once(EAGER, cache(), signature())


def once(modules, directory, key):
    """Import modules unless a process has already done so; wait if one is doing so.

    Parameters
    ----------
    modules : sequence of str
        Names of the modules.
    directory : pathlib.Path
        Directory of the record.
    key : str
        The :func:`signature` of the compiled code.
    """
    with open(directory / RECORD, "a+") as record:
        if done(record, key):
            return
        disk.lock(record, wait=True)
        if not done(record, key):
            cli.say("compiling parts of librosa, once after installation (30 s)")
            for module in modules:
                importlib.import_module(module)
            record.write(f"{key}\n")


def done(record, key):
    """Return whether a process has written `key` to the record."""
    record.seek(0)
    return key in record.read().splitlines()


def cache():
    """Return the directory in which numba caches librosa, or a parent of it.

    If no directory is writable, numba would raise an error; it gets a temporary one.
    """
    import librosa

    configured = os.environ.get("NUMBA_CACHE_DIR")
    pycache = os.path.join(os.path.dirname(librosa.__file__), "__pycache__")
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    for place in (configured, pycache, os.path.join(home, "numba")):
        # Without a home directory, the tilde is not expanded.
        with contextlib.suppress(OSError):
            if place and not place.startswith("~"):
                os.makedirs(place, exist_ok=True)
                open(os.path.join(place, RECORD), "a").close()
                return pathlib.Path(place)
    place = tempfile.mkdtemp(prefix="crema-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    why = "is not writable; set NUMBA_CACHE_DIR=DIR to cache compiled code"
    cli.say(f"{pycache}: {why}")
    os.environ["NUMBA_CACHE_DIR"] = place
    return pathlib.Path(place)


def signature():
    """Return the versions and the processor that compiled code depends on."""
    import librosa
    import llvmlite.binding
    import numba

    numba.config.reload_config()  # reads NUMBA_CACHE_DIR if imported before it was set
    processor = llvmlite.binding.get_host_cpu_name()
    features = llvmlite.binding.get_host_cpu_features().flatten()
    versions = (
        f"{librosa.__version__} {numba.__version__} {sys.implementation.cache_tag}"
    )
    return f"{librosa.__file__} {versions} {processor} {features}"
