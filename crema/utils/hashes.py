"""SHA-256 of files, and the list by which a released model is checked."""

import hashlib

from crema.exceptions import ModelError

SUMS = "SHA256SUMS"


def of(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lines(paths):
    """Return the hashes of files, as ``sha256sum`` writes them."""
    return "".join(f"{of(path)}  {path.name}\n" for path in paths)


def of_all(paths):
    """Return one SHA-256 for the names and contents of files, in their order."""
    return hashlib.sha256(lines(paths).encode()).hexdigest()


def listing(directory):
    """Return the hashes of the files in `directory`, as ``sha256sum`` writes them."""
    return lines(sorted(path for path in directory.iterdir() if path.name != SUMS))


def check(directory):
    """Check the files of a released model.

    Parameters
    ----------
    directory : pathlib.Path
        Without ``SHA256SUMS`` it is no release, and anything is right in it.

    Raises
    ------
    ModelError
        The files are not as they were released.
    """
    path = directory / SUMS
    if path.is_file() and path.read_text(encoding="utf-8") != listing(directory):
        raise ModelError(
            f"{directory}: its files are not those that were released; install crema "
            "again, or name another model"
        )
