"""Errors that crema raises on purpose, and the one place where they meet a user.

Every error a user can cause is a :class:`CremaError` whose message is one line:
what is wrong, in which file or track, and what to do about it.  Programs run
their ``main`` through :func:`program`, which prints that line and no traceback.
"""

import os
import sys


class CremaError(Exception):
    """Base of every error that a user can cause and mend."""


class AudioError(CremaError):
    """A file cannot be read as audio, or the audio cannot be analysed."""


class AnnotationError(CremaError):
    """A JAMS file is missing, invalid, or lacks the annotation that is needed."""


class CorpusError(CremaError):
    """An index is malformed, or does not agree with the files of the corpus."""


class ConfigError(CremaError):
    """An option or a configuration key has a value that cannot work."""


class DataError(CremaError):
    """A feature file is damaged, missing or does not fit the pump."""


class ModelError(CremaError):
    """A directory does not hold a model that can be used."""


def first_line(error):
    """Return the first line of what an error of a library says, or else its kind."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]


def program(main):
    """Run the ``main`` of a command-line program and exit with its status.

    Parameters
    ----------
    main : callable
        Takes no argument; returns an exit status, or None for success.

    Raises
    ------
    SystemExit
        Always: the status of `main`, or 1 after a :class:`CremaError` or an
        operating-system error, whose one line goes to standard error.
    """
    # As in files: what is annotated need not fit the encoding of a terminal.
    if "PYTHONIOENCODING" not in os.environ and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        status = main()
        if sys.stdout:  # there may be none
            sys.stdout.flush()
    except CremaError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # Whoever read has seen enough, and Python must not try again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{where}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status)
