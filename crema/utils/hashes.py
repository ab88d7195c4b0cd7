"""SHA-256 of files, and the checksums of a released model."""

import hashlib

from crema.exceptions import ModelError

SUMS = "SHA256SUMS"
#: Names, without suffix, of the files that a model is loaded from.
LOADED = {"decoder", "model", "pump", "settings", "version"}


def of(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_bytes(content):
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def lines(paths):
    """Return the hashes of files in the format of ``sha256sum``."""
    return "".join(f"{of(path)}  {path.name}\n" for path in paths)


def of_all(paths):
    """Return one SHA-256 of the names and contents of files, in the given order."""
    return of_bytes(lines(paths).encode())


def listing(directory):
    """Return the hashes of the files in `directory`, in the format of ``sha256sum``."""
    return lines(sorted(path for path in directory.iterdir() if path.name != SUMS))


def check(directory):
    """Check the files of a released model; ignore others beside them.

    Parameters
    ----------
    directory : pathlib.Path
        Without ``SHA256SUMS``, it is not a release and always passes.

    Raises
    ------
    ModelError
        A file of the model is missing, changed, or was not released.
    """
    path = directory / SUMS
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    listed = {line.partition("  ")[2] for line in text.splitlines()}
    files = sorted(
        file
        for file in directory.iterdir()
        if file.name in listed or file.stem in LOADED
    )
    if text != lines(files):
        missing = sorted(listed - {file.name for file in files})
        detail = f" ({missing[0]} is missing)" if missing else ""
        raise ModelError(
            f"{directory}: its files differ from the released ones{detail}; install "
            "crema again, or name another model"
        )
