"""What the four numbered scripts of every estimator have in common on a shell."""

import argparse
import collections
import concurrent.futures
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
import traceback

from crema import backend
from crema.exceptions import ConfigError, CremaError
from crema.utils import index

#: What follows a track that could not be used.
FAILED = " FAILED"


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


def say(text):
    """Tell the user, who may have sent standard output to a file."""
    print(text, file=sys.stderr, flush=True)


def progress(number, total, track, note=""):
    """Tell the user that one more of some tracks is done, or that it failed."""
    say(f"[{number}/{total}] {track}{note}")


def seed(text):
    """Convert an option to a seed; NumPy takes none below 0 and none above 32 bits."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..4294967295")
    return value


def jobs(text):
    """Convert an option to a number of processes."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)


def names(text):
    """Convert an option to a list of names, which commas part."""
    return [name.strip() for name in text.split(",") if name.strip()]


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
        "--jobs", type=jobs, default=1, metavar="N", help="tracks at the same time"
    )


def leave_out_option(group):
    """Add the option that takes tracks out of the index."""
    group.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="ID",
        help="tracks of the index that are not used",
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
                say(f"error: {error}")
            progress(done, len(tracks), track, FAILED if error else "")
    if failures and len(tracks) > 1:
        raise CremaError(f"{len(failures)} of {len(tracks)} tracks failed, see above")
    if failures:
        raise failures[0]


def attempts(function, tracks, jobs=1):
    """Call ``function(track)`` for each track, and go on after a bad one.

    Parameters
    ----------
    function : callable
        Must be picklable where more than one job is asked for.
    tracks : list
        Track ids, or what else names its track as text.
    jobs : int
        Number of processes, which share the processors.

    Yields
    ------
    (object, object, CremaError or None)
        The track, what `function` returned, and why it failed, as tracks finish.  A
        track whose process is killed fails; what other processes had in hand then is
        tried again.

    Raises
    ------
    CremaError
        Processes are killed whatever they have in hand.
    """
    if jobs <= 1 or len(tracks) <= 1:
        for track in tracks:
            yield track, *_attempt(function, track)
        return
    waiting = collections.deque(tracks)
    while waiting:
        finished, suspects, killed = 0, [], []
        for result in _together(function, waiting, jobs, suspects):
            finished += 1
            yield result
        for track in suspects:
            for result in _together(function, collections.deque([track]), 1, killed):
                finished += 1
                yield result
        why = "a process was killed, perhaps for lack of memory, with"
        if killed and not finished:
            raise CremaError(
                f"{why} each of {', '.join(map(str, killed))}; ask for fewer jobs, or "
                "leave these out"
            )
        for track in killed:
            yield track, None, CremaError(f"{why} {track}; leave it out")


def _together(function, waiting, jobs, suspects):
    """Yield as :func:`attempts` does, until a process is killed.

    Parameters
    ----------
    function, jobs
        As there.
    waiting : collections.deque
        The tracks; those that are begun are taken out of it.
    suspects : list
        Gets the tracks that were in hand when a process was killed.
    """
    # Forked workers would inherit locks of threads that do not exist in them.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    running = {}
    with (
        backend.limited(max(1, backend.n_cpus() // jobs)),
        concurrent.futures.ProcessPoolExecutor(jobs, context, _begin) as pool,
    ):
        try:
            while waiting or running:
                # No more than there are processes, so that none waits after Ctrl-C.
                while waiting and len(running) < jobs:
                    future = pool.submit(_attempt, function, waiting[0])
                    running[future] = waiting.popleft()
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    result = future.result()
                    yield running.pop(future), *result
        except concurrent.futures.process.BrokenProcessPool:
            suspects += running.values()
        except (KeyboardInterrupt, GeneratorExit):
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _begin():
    """Prepare a process for its end: it is stopped by its parent, or with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An exception rather than death, so that no temporary file stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _attempt(function, track):
    try:
        return function(track), None
    except CremaError as error:
        return None, error
    except Exception as error:  # a defect of ours must not cost the other tracks
        traceback.print_exc()
        return None, CremaError(f"{track}: {type(error).__name__}: {error}")
