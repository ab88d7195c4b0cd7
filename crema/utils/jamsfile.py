"""Reading and writing JAMS files, with strict validation."""

import gzip
import os
import pathlib
import re

from crema.exceptions import AnnotationError, first_line
from crema.utils import disk


def read(path):
    """Read a JAMS file, with strict validation.

    Parameters
    ----------
    path : str or path-like
        A ``.jams`` or ``.jamz`` file.

    Returns
    -------
    jams.JAMS

    Raises
    ------
    AnnotationError
        The file is missing or is not valid JAMS.
    """
    import jams

    path = os.fspath(path)
    if not os.path.isfile(path):
        raise AnnotationError(
            f"{path}: no such annotation file; add it or leave it out"
        )
    try:
        return jams.load(path, validate=True, strict=True)
    except Exception as error:  # jams, json, gzip and jsonschema each raise their own
        raise AnnotationError(
            f"{path}: is not valid JAMS ({brief(error)}); correct it or leave it out"
        ) from error


def write(path, jam):
    """Write a valid JAMS object, compressed if `path` ends in ``.jamz``.

    Raises
    ------
    CremaError
        The object does not validate, or the file cannot be written.
    """
    disk.write_bytes(path, encode(path, jam))


def encode(path, jam):
    """Return the bytes that :func:`write` writes."""
    import jams

    try:
        jam.validate(strict=True)
    except jams.JamsError as error:
        reason = brief(error)
        for annotation in jam.annotations:
            try:
                annotation.validate(strict=True)
            except jams.JamsError as detail:
                reason = f"as {annotation.namespace}, {brief(detail)}"
                break
        raise AnnotationError(f"{path}: would not be valid JAMS: {reason}") from error
    content = jam.dumps(indent=2).encode()
    if pathlib.Path(path).suffix.lower() == ".jamz":
        return gzip.compress(content, mtime=0)
    return content


def usable(jam, namespace):
    """List the annotations that are not empty and can be converted to a namespace."""
    import jams

    return [
        annotation
        for annotation in jam.annotations
        if annotation.data and jams.nsconvert.can_convert(annotation, namespace)
    ]


def brief(error):
    """Return the first line of a validation error, without the schema."""
    # The message on a label ends with a regular expression of 300 characters.
    return re.sub(" does not match .*", " does not match the schema", first_line(error))
