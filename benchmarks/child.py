"""Run a program and tell what it took."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a program took.

    Attributes
    ----------
    wall, processor : float
        Seconds.
    memory : int
        The largest resident memory of it, or of a program that it ran, in bytes.
    output : str
        What it printed.
    """

    wall: float
    processor: float
    memory: int
    output: str


def run(command, **options):
    """Run a command; end this program too if it fails.

    Parameters
    ----------
    command : list
        The program and its arguments.
    **options
        Of :class:`subprocess.Popen`.

    Returns
    -------
    Usage
    """
    with tempfile.TemporaryFile("w+") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        # resource.getrusage tells of the largest of all children; wait4 of this one.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        output = log.read()
    if process.returncode:
        tail = "\n".join(output.splitlines()[-20:])
        sys.exit(f"{tail}\n{command[1]} ended with status {process.returncode}")
    # Linux counts in kibibytes, macOS in bytes.
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(wall, usage.ru_utime + usage.ru_stime, memory, output)
