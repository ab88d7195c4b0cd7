"""Errors that crema raises, and the wrapper that reports them to users.

Every error a user can cause is a :class:`CremaError` whose message is one line:
what is wrong, in which file or track, and what to do about it.  Programs run
their ``main`` through :func:`program`, which prints that line without a traceback.
"""

import os
import sys


class CremaError(Exception):
    """Base class of errors that a user can cause and fix."""


class AudioError(CremaError):
    """A file cannot be read as audio, or the audio cannot be analysed."""


class AnnotationError(CremaError):
    """A JAMS file is missing, invalid, or lacks a required annotation."""


class CorpusError(CremaError):
    """An index is malformed, or disagrees with the files of the corpus."""


class ConfigError(CremaError):
    """An option or a configuration key has an invalid value."""


class DataError(CremaError):
    """A feature file is damaged, missing or does not fit the pump."""


class ModelError(CremaError):
    """A directory does not hold a usable model."""


def first_line(error):
    """Return the first line of a library's error message, or the class if empty."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]


def how_to_install(package):
    """Return how to install a package of the extras, for an error message."""
    # For training, pip alone would not do: see README.md.
    if package in {"matplotlib", "midirenderer", "mido", "pretty_midi"}:
        return f"install it: python -m pip install {package}"
    return "install crema with make or conda, as README.md says"


def program(main):
    """Run the ``main`` of a command-line program and exit with its status.

    Parameters
    ----------
    main : callable
        Takes no argument; returns an exit status, or None for success.

    Raises
    ------
    SystemExit
        Always, with the status of `main`, 1 after a :class:`CremaError`, an
        operating-system error or the import of a package that is not installed, or 130
        after an interrupt.  Errors go to standard error as one line.
    """
    # UTF-8, as in files: a terminal's encoding may lack characters of an annotation.
    if "PYTHONIOENCODING" not in os.environ and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        status = main()
        if sys.stdout:  # can be None
            sys.stdout.flush()
    except CremaError as error:
        sys.exit(f"error: {error}")
    except ModuleNotFoundError as error:
        package = (error.name or "crema").partition(".")[0]
        if package == "crema":  # a defect, not a missing package
            raise
        sys.exit(f"error: {package} is not installed; {how_to_install(package)}")
    except BrokenPipeError:
        # The reader closed the pipe; Python must not flush to it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{where}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status)
