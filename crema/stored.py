"""The format of what is stored and loaded again: pumps and trained models.

A model says it in its ``settings.json``, for all that lies beside it; a ``pump.pkl``,
which is there before the model is, in its last line.
"""

from crema.exceptions import ModelError

#: To be raised when this crema can no longer use what an earlier one has stored.  What
#: bears no number is of format 1.
FORMAT = 1


def check(found, path, remedy):
    """Check the format of something stored before it is used.

    Parameters
    ----------
    found : int
        The number that it bears.
    path : str or path-like
        Where it bears it.
    remedy : str
        What to do with something older.

    Raises
    ------
    ModelError
        It is not that of this crema.
    """
    if found == FORMAT:
        return
    age = "a newer"
    if isinstance(found, int) and found < FORMAT:
        age = "an older"
    else:
        remedy = "update crema"
    raise ModelError(
        f"{path}: was made by {age} crema (its format is {found!r}, that of this crema "
        f"{FORMAT}); {remedy}"
    )
