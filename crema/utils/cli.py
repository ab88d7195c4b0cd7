"""What the four numbered scripts of every estimator have in common on a shell."""

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import sys
import traceback

from crema.exceptions import ConfigError, CremaError
from crema.utils import index


def parser(description):
    """Return an argument parser that shows defaults, with the option ``--seed``.

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
        "--seed", type=seed, default=20170101, help="seed of every random number"
    )
    return made


def seed(text):
    """Convert an option to a seed; NumPy takes none below 0 and none above 32 bits."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..4294967295")
    return value


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawTextHelpFormatter):
    """Keep the lines of the description, and show defaults."""


def path_option(group, name, metavar, text, required=True):
    """Add an option that names a file or a directory."""
    group.add_argument(
        name, type=pathlib.Path, metavar=metavar, help=text, required=required
    )


def corpus_options(made, required=True):
    """Add the options that say where a corpus is."""
    group = made.add_argument_group("corpus")
    pairs = "directory of TRACK_ID.AUDIO_EXT and TRACK_ID.JAMS_EXT"
    path_option(group, "--corpus", "DIR", pairs, required)
    group.add_argument("--audio-ext", default="flac", help="extension of the audio")
    group.add_argument("--jams-ext", default="jams", help="extension of annotations")


def track_options(made):
    """Add the options that say which tracks to work on."""
    group = made.add_argument_group("tracks")
    path_option(group, "--index", "FILE", "index of the tracks", required=False)
    group.add_argument(
        "--track",
        action="append",
        metavar="ID",
        help="this track instead of an index (may be repeated)",
    )
    group.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="tracks at the same time"
    )


def corpus(args):
    """Return the corpus that the options name."""
    return index.Corpus(args.corpus, args.audio_ext, args.jams_ext)


def each_track(function, args):
    """Call ``function(track_id)`` for each track, and go on after a bad one.

    Parameters
    ----------
    function : callable
        Must be picklable where more than one job is asked for.
    args : argparse.Namespace
        With the options of :func:`track_options`.

    Raises
    ------
    CremaError
        Some tracks failed; the message names the first.
    """
    if args.track:
        tracks = args.track
        for track in tracks:
            index.check_track_id(track, "--track")
    elif args.index:
        tracks = list(index.read_index(args.index))
    else:
        raise ConfigError("no tracks to work on: give --index or --track")
    failures = []
    for done, (track, _, error) in enumerate(attempts(function, tracks, args.jobs), 1):
        if error:
            failures.append(error)
        if len(tracks) > 1:
            if error:
                print(f"error: {error}", file=sys.stderr)
            print(f"[{done}/{len(tracks)}] {track}", file=sys.stderr, flush=True)
    if failures and len(tracks) > 1:
        raise CremaError(f"{len(failures)} of {len(tracks)} tracks failed, see above")
    if failures:
        raise failures[0]


def attempts(function, tracks, jobs=1):
    """Call ``function(track_id)`` for each track, and go on after a bad one.

    Parameters
    ----------
    function : callable
        Must be picklable where more than one job is asked for.
    tracks : list of str
        Track ids.
    jobs : int
        Number of processes.

    Yields
    ------
    (str, object, CremaError or None)
        Track id, what `function` returned, and why it failed, as tracks finish.
    """
    if jobs <= 1 or len(tracks) <= 1:
        for track in tracks:
            yield track, *_attempt(function, track)
        return
    # Forked workers would inherit locks of threads that do not exist in them.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as pool:
        futures = {pool.submit(_attempt, function, track): track for track in tracks}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], *future.result()


def _attempt(function, track):
    try:
        return function(track), None
    except CremaError as error:
        return None, error
    except Exception as error:  # a defect of ours must not cost the other tracks
        traceback.print_exc()
        return None, CremaError(f"track {track}: {type(error).__name__}: {error}")
