"""Format version of stored pumps and trained models.

A model states it in ``settings.json``, for all files beside it.  A ``pump.pkl``, which
exists before the model does, states it in its last line.
"""

from crema.exceptions import ModelError

#: Raise this when crema can no longer use files that an earlier version stored.  Files
#: without a number have format 1.
FORMAT = 1


def check(found, path, remedy):
    """Check the format version of a stored file before it is used.

    Parameters
    ----------
    found : int
        Format version that the file states.
    path : str or path-like
        The file that states it.
    remedy : str
        What to do about an older format.

    Raises
    ------
    ModelError
        The format is not that of this crema.
    """
    if found == FORMAT:
        return
    age = "a newer"
    if isinstance(found, int) and found < FORMAT:
        age = "an older"
    else:
        remedy = "update crema"
    raise ModelError(
        f"{path}: was made by {age} version of crema (format {found!r}, this crema has "
        f"{FORMAT}); {remedy}"
    )
