"""Command-line options, and messages on standard error."""

import argparse
import pathlib
import sys

from crema.exceptions import ConfigError, CremaError
from crema.utils import index, processes

#: Note in the progress line of a track that failed.
FAILED = " FAILED"


def parser(description):
    """Return an argument parser that shows defaults and has the option ``--seed``.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = argparse.ArgumentParser(
        description=description,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    made.add_argument(
        "--seed", type=seed, default=20170101, help="seed of all random numbers"
    )
    return made


def say(text):
    """Print to standard error, because standard output can be redirected to a file."""
    print(text, file=sys.stderr, flush=True)


def progress(number, total, track, note=""):
    """Report that one of `total` tracks is done, or failed."""
    say(f"[{number}/{total}] {track}{note}")


def seed(text):
    """Convert an option to a seed; NumPy accepts unsigned 32-bit integers."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..4294967295")
    return value


def jobs(text):
    """Convert an option to a number of processes."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return int(text)


def names(text):
    """Convert a comma-separated option to a list of names."""
    return [name.strip() for name in text.split(",") if name.strip()]


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawTextHelpFormatter):
    """Keep the line breaks of the description, and show defaults."""


def path_option(group, name, metavar, text, required=True):
    """Add an option that names a file or a directory."""
    group.add_argument(
        name, type=pathlib.Path, metavar=metavar, help=text, required=required
    )


def corpus_options(made, required=True):
    """Add the options that locate a corpus."""
    group = made.add_argument_group("corpus")
    pairs = "directory of TRACK_ID.AUDIO_EXT and TRACK_ID.JAMS_EXT"
    path_option(group, "--corpus", "DIR", pairs, required)
    group.add_argument("--audio-ext", default="flac", help="extension of the audio")
    group.add_argument(
        "--jams-ext", default="jams", help="extension of the annotations"
    )


def track_options(made):
    """Add the options that select tracks."""
    group = made.add_argument_group("tracks")
    path_option(group, "--index", "FILE", "index of the tracks", required=False)
    group.add_argument(
        "--track",
        action="append",
        metavar="ID",
        help="process this track instead of an index (may be repeated)",
    )
    group.add_argument(
        "--jobs",
        type=jobs,
        default=1,
        metavar="N",
        help="tracks to process in parallel",
    )


def leave_out_option(group):
    """Add the option that excludes tracks of the index."""
    group.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="ID",
        help="tracks of the index to ignore",
    )


def corpus(args):
    """Return the corpus that the options name."""
    return index.Corpus(args.corpus, args.audio_ext, args.jams_ext)


def run_all(function, tracks, jobs=1):
    """Call ``function(track)`` for each track, continue after errors, show progress.

    Parameters
    ----------
    function, tracks, jobs
        See :func:`crema.utils.processes.attempts`.

    Returns
    -------
    results : dict
        The result of each successful track.
    failures : dict of str to CremaError
        The error of each failed track.
    """
    results, failures = {}, {}
    attempts = processes.attempts(function, tracks, jobs)
    for number, (track, result, error) in enumerate(attempts, 1):
        if error:
            failures[track] = error
        else:
            results[track] = result
        if len(tracks) > 1:
            progress(number, len(tracks), track, FAILED if error else "")
    return results, failures


def each_track(function, args):
    """Call ``function(track_id)`` for each track, and continue after failures.

    Parameters
    ----------
    function : callable
        Must be picklable for more than one job.
    args : argparse.Namespace
        With the options of :func:`track_options`.

    Raises
    ------
    CremaError
        No track is selected, or some failed: the error of the track itself if there is
        only one, else their number.
    """
    if args.track:
        tracks = args.track
        for track in tracks:
            index.check_track_id(track, "--track")
    elif args.index:
        tracks = list(index.read_index(args.index))
    else:
        raise ConfigError("no tracks to process: give --index or --track")
    _, failures = run_all(function, tracks, args.jobs)
    for error in failures.values():
        if len(tracks) == 1:
            raise error
        say(f"error: {error}")
    if failures:
        raise CremaError(f"{len(failures)} of {len(tracks)} tracks failed, see above")
