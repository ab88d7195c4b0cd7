r"""Render LMMS projects to audio with beat annotations.

::

    python -m crema.corpus.lmms PROJECTS OUTPUT --jobs 2

LMMS is a music production program.  A project states its tempo and is rendered exactly
in time, which gives beat annotations of electronic music; those are rare.  The program
``lmms``, which must be installed, renders each project (``.mmp``, ``.mmpz``) anywhere
below the directory PROJECTS to a pair ``TRACK_ID.flac`` and ``TRACK_ID.jams`` in
OUTPUT.  Beats are quarter notes, starting at the first sample.  Projects whose tempo or
meter changes are left out.
"""

import argparse
import functools
import os
import pathlib
import subprocess
import tempfile
import xml.etree.ElementTree
import zlib

import numpy as np

from crema.corpus import common
from crema.exceptions import AnnotationError, ConfigError, CorpusError
from crema.exceptions import program as run
from crema.utils import audiofile, cli

TOOL = "crema.corpus.lmms"
#: Sampling rate of the audio in Hz, and time limit of rendering in minutes.
RATE, PATIENCE = 44100, 30
#: Extension of a compressed project, and the size of its length header in bytes.
PACKED, LENGTH = ".mmpz", 4


def find(directory):
    """Find projects, and assign track ids.

    Parameters
    ----------
    directory : path-like
        Directory to search, at any depth.

    Returns
    -------
    dict of str to pathlib.Path
        The projects by track id.

    Raises
    ------
    CorpusError
        There is no project, or two would get the same track id.
    """
    found = sorted(pathlib.Path(directory).rglob("*.mmp*"))
    found = [path for path in found if path.suffix in (".mmp", PACKED)]
    if not found:
        raise CorpusError(
            f"{directory}: no .mmp or .mmpz at any depth; give a directory of LMMS "
            "projects"
        )
    return common.by_name({path: path.stem for path in found})


def read_tempo(project):
    """Read the tempo and meter of a project.

    Parameters
    ----------
    project : pathlib.Path
        A ``.mmp`` or ``.mmpz``.

    Returns
    -------
    interval : float
        Seconds per quarter note.
    bar : float
        Quarter notes per bar.

    Raises
    ------
    AnnotationError
        The project cannot be read, or its tempo or meter changes or is out of range.
    """
    try:
        data = project.read_bytes()
        if project.suffix == PACKED:
            data = zlib.decompress(data[LENGTH:])
        root = xml.etree.ElementTree.fromstring(data)
    except (OSError, zlib.error, xml.etree.ElementTree.ParseError) as error:
        raise AnnotationError(f"{project}: is not an LMMS project ({error})") from error
    head = root.find("head")
    # LMMS stores an automated value as an element instead of an attribute.
    attributes = {} if head is None else head.attrib
    try:
        tempo, numerator, denominator = (
            float(attributes[name])
            for name in ("bpm", "timesig_numerator", "timesig_denominator")
        )
    except (KeyError, ValueError) as error:
        raise AnnotationError(
            f"{project}: its tempo and meter are missing or automated; only projects "
            "with a constant tempo and meter can be used"
        ) from error
    # LMMS's own limits.
    if not (10 <= tempo <= 999 and 1 <= numerator <= 32 and 1 <= denominator <= 32):
        raise AnnotationError(
            f"{project}: a tempo of {tempo:g} in {numerator:g}/{denominator:g} is "
            "outside the limits of LMMS"
        )
    return 60 / tempo, 4 * numerator / denominator


def render(project):
    """Render a project with ``lmms``.

    Parameters
    ----------
    project : pathlib.Path
        A ``.mmp`` or ``.mmpz``.

    Returns
    -------
    np.ndarray, shape=(n_samples,), dtype=float32
        Mono audio at :data:`RATE`.

    Raises
    ------
    CremaError
        ``lmms`` is not installed or cannot render the project.
    """
    with tempfile.TemporaryDirectory() as home:
        out = pathlib.Path(home, "out.wav")
        # lmms refuses to run as root without --allowroot, needs a display, and writes
        # settings to the home directory.
        root = ["--allowroot"] if hasattr(os, "geteuid") and not os.geteuid() else []
        options = ("-f", "wav", "-s", str(RATE), "-o", out)
        try:
            done = subprocess.run(
                ["lmms", *root, "render", project.absolute(), *options],
                env={**os.environ, "HOME": home, "QT_QPA_PLATFORM": "offscreen"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60 * PATIENCE,
            )
        except FileNotFoundError as error:
            raise ConfigError(
                "lmms is not installed; install the program LMMS"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise AnnotationError(
                f"{project}: lmms did not finish within {PATIENCE} min"
            ) from error
        # Ignore the exit status: some instruments crash after the file is written.
        if not out.is_file():
            messages = done.stderr.decode(errors="replace").strip().splitlines()
            why = messages[-1] if messages else f"exit status {done.returncode}"
            raise AnnotationError(f"{project}: lmms cannot render it ({why})")
        return audiofile.read(out)[0]


def convert(output, projects, track_id):
    """Write the audio and the JAMS of one project.

    Parameters
    ----------
    output : pathlib.Path
        Directory of the corpus.
    projects : dict of str to pathlib.Path
        Result of :func:`find`.
    track_id : str
        The project to convert.

    Raises
    ------
    CremaError
        The project cannot be read or rendered, or another tool wrote the existing JAMS
        file.
    """
    project, path = projects[track_id], output / f"{track_id}.jams"
    common.check_ours(path, TOOL)
    interval, bar = read_tempo(project)
    y = render(project)
    duration = len(y) / RATE
    beats = [
        (time, n % int(bar) + 1 if bar == int(bar) else None)
        for n, time in enumerate(np.arange(0, duration, interval))
    ]
    jam = common.jam(
        project.stem,
        duration,
        {"beat": beats},
        annotation_rules="the tempo of a project; position None: bars unknown",
        annotation_tools=TOOL,
        data_source="program",
    )
    if not jam.annotations:
        raise AnnotationError(f"{project}: lmms rendered no audio")
    common.save(path, jam, TOOL, audio=(y, RATE))


def main(argv=None):
    """Run from the command line; return 1 if a project could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.lmms", description=__doc__.splitlines()[0]
    )
    path, add = pathlib.Path, parser.add_argument
    add("projects", type=path, help="directory of projects, at any depth")
    add("output", type=path, help="directory of the corpus")
    add("--jobs", type=cli.jobs, default=1, metavar="N", help="number of processes")
    args = parser.parse_args(argv)

    projects = find(args.projects)
    job = functools.partial(convert, args.output, projects)
    return common.make_all(job, list(projects), args.jobs, "projects rendered")


if __name__ == "__main__":
    run(main)
