"""librosa, and what is built on it, compiled by one process at a time.

``from crema.compiled import librosa, muda, pumpp``, in place of ``import``.  Parts of
librosa, its universal functions, are compiled when they are first imported after
installation, and numba keeps several files of each in a cache.  Where two processes do
that at once, files of both may stay, and from then on every process ends in a
segmentation fault (https://github.com/numba/numba/issues/10128) until somebody removes
the directories ``__pycache__`` of librosa.  Here the first compiles, and the others
wait for it; not on Windows.
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

#: The modules of librosa that compile when they are imported.
EAGER = (
    "librosa.util.utils",
    "librosa.core.audio",
    "librosa.core.pitch",
    "librosa.beat",
)
#: The file that says what has been compiled.
RECORD = "crema-compiled.txt"


def __getattr__(name):
    if name not in ("librosa", "muda", "pumpp"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    ready()
    return importlib.import_module(name)


@functools.cache
def ready():
    """Compile what is not compiled yet, once in a process."""
    once(EAGER, cache(), signature())


def once(modules, directory, key):
    """Import modules, unless a process has already done so; wait where one is at it.

    Parameters
    ----------
    modules : sequence of str
    directory : pathlib.Path
        Where it is recorded.
    key : str
        What compiled code depends on.
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
    """Return the directory where numba keeps what it compiles of librosa, or a parent.

    Where it can write to none, which is an error of numba, it is given a temporary one.
    """
    import librosa

    own = os.environ.get("NUMBA_CACHE_DIR")
    beside = os.path.join(os.path.dirname(librosa.__file__), "__pycache__")
    home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    for place in (own, beside, os.path.join(home, "numba")):
        # Who has no home directory keeps the tilde.
        with contextlib.suppress(OSError):
            if place and not place.startswith("~"):
                os.makedirs(place, exist_ok=True)
                open(os.path.join(place, RECORD), "a").close()
                return pathlib.Path(place)
    place = tempfile.mkdtemp(prefix="crema-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    why = "cannot be written to; NUMBA_CACHE_DIR=DIR keeps what is compiled"
    cli.say(f"{beside}: {why}")
    os.environ["NUMBA_CACHE_DIR"] = place
    return pathlib.Path(place)


def signature():
    """Return what compiled code depends on: versions and the kind of processor."""
    import librosa
    import llvmlite.binding
    import numba

    numba.config.reload_config()  # its directory, if it was imported before
    processor = llvmlite.binding.get_host_cpu_name()
    features = llvmlite.binding.get_host_cpu_features().flatten()
    versions = (
        f"{librosa.__version__} {numba.__version__} {sys.implementation.cache_tag}"
    )
    return f"{librosa.__file__} {versions} {processor} {features}"
