"""Run a program and measure the resources that it uses."""

import dataclasses
import os
import subprocess
import sys
import time


@dataclasses.dataclass(frozen=True)
class Usage:
    """Resources that a program used.

    Attributes
    ----------
    wall, processor : float
        Seconds.
    memory : int
        Peak resident memory of the program or of any of its subprocesses, in bytes.
    output : str
        What it printed.
    times : list of float
        When it printed each line of `output`, in seconds after its start.
    """

    wall: float
    processor: float
    memory: int
    output: str
    times: list


def run(command, **options):
    """Run a command; exit with its output if it fails.

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
    begin = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, **pipes, **options) as process:
        lines = [(line, time.perf_counter() - begin) for line in process.stdout]
        # resource.getrusage reports the peak of all children, wait4 that of this one.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    output, times = "".join(line for line, _ in lines), [time for _, time in lines]
    if process.returncode:
        tail = "\n".join(output.splitlines()[-20:])
        sys.exit(f"{tail}\n{command[1]} ended with status {process.returncode}")
    # Linux counts in kibibytes, macOS in bytes.
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(wall, usage.ru_utime + usage.ru_stime, memory, output, times)
