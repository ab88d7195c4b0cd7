"""The version of a trained model: ``GIT-HASH.ITERATION``.

The iteration counts the trainings at one revision.  The ledger ``trainings.jsonl``
beside the model keeps the count, because a workflow deletes the outputs of a job,
including ``version.txt``, before it runs.
"""

import json
import pathlib
import re
import subprocess

from crema.exceptions import ModelError
from crema.utils import disk

LEDGER = "trainings.jsonl"
#: A version in it.
NAME = re.compile(r".+\.\d+(\+dirty)?")


def revision(directory):
    """Return the git revision of the code.

    Parameters
    ----------
    directory : path-like
        A directory of the checkout.

    Returns
    -------
    commit : str
        The abbreviated hash, or ``0000000`` outside of a git repository.
    dirty : bool
        Whether files differ from that revision or are untracked.
    """

    def git(*args):
        return subprocess.run(
            ["git", "-C", str(directory), *args],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=7", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "0000000", True


def advance(directory, commit, dirty, record):
    """Assign the next version to the model in `directory`.

    Parameters
    ----------
    directory : pathlib.Path
        Directory of ``version.txt`` and the ledger.
    commit, dirty
        Result of :func:`revision` when the training began.
    record : dict
        Other entries of this training in the ledger.

    Returns
    -------
    str
        ``commit.N``, where N counts the trainings at `commit` from 0, plus ``+dirty``
        if the tree differed from that revision.
    """
    directory = pathlib.Path(directory)
    lines = trainings(directory)
    earlier = [
        int(line["version"].partition("+")[0].rpartition(".")[2])
        for line in lines
        if line["version"].partition(".")[0] == commit
    ]
    name = f"{commit}.{max(earlier, default=-1) + 1}{'+dirty' if dirty else ''}"
    lines.append({"version": name, **record})
    # The ledger first: a crash in between skips a number, but repeats none.
    disk.write_text(
        directory / LEDGER, "".join(f"{json.dumps(line)}\n" for line in lines)
    )
    disk.write_text(directory / "version.txt", f"{name}\n")
    return name


def trainings(directory):
    """Return the ledger of `directory`: one dict per finished training, oldest first.

    A ``version.txt`` without a ledger counts as one training.

    Raises
    ------
    ModelError
        The ledger is damaged.
    """
    directory = pathlib.Path(directory)
    ledger, current = directory / LEDGER, directory / "version.txt"
    if ledger.is_file():
        try:
            text = ledger.read_text(encoding="utf-8")
            lines = [json.loads(line) for line in text.splitlines()]
            if all(NAME.fullmatch(line["version"]) for line in lines):
                return lines
        except (ValueError, TypeError, KeyError):
            pass
        raise ModelError(
            f"{ledger}: is damaged; delete it, and the versions of models trained here "
            "go on from version.txt"
        )
    if current.is_file():
        return [{"version": current.read_text(encoding="utf-8").strip()}]
    return []
