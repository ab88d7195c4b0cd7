"""Process pools, thread limits, and silencing of standard error."""

import collections
import concurrent.futures
import contextlib
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback

from crema.exceptions import CremaError

#: Thread limits that numerical libraries read when they are loaded.
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
#: Held while standard error, which all threads share, is redirected.
REDIRECTED = threading.Lock()


@contextlib.contextmanager
def limited(threads):
    """Limit the threads of the processes that are started in the block.

    Parameters
    ----------
    threads : int or None
        Limit per library and process, unless the user has set its variable; None
        changes nothing.
    """
    names = [name for name in THREADS if threads and name not in os.environ]
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def n_threads():
    """Return how many threads a library may use: OMP_NUM_THREADS, else all CPUs."""
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(limit) if limit.isdecimal() and int(limit) else n_cpus()


def n_cpus():
    """Return how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


@contextlib.contextmanager
def quiet():
    """Discard what libraries write to standard error; exceptions still propagate."""
    with REDIRECTED, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # there may be no standard error
            kept = os.dup(2)
            stack.callback(os.close, kept)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        yield


def attempts(function, tracks, jobs=1):
    """Call ``function(track)`` for each track, and continue after failures.

    Parameters
    ----------
    function : callable
        Must be picklable for more than one job.
    tracks : list
        Track ids, or objects whose text names the track.
    jobs : int
        Number of processes; they share the CPUs.

    Yields
    ------
    (object, object, CremaError or None)
        The track, its result, and its error, as tracks finish.  After a process is
        killed, the tracks that were running are retried one by one; a track whose
        process is killed again fails.

    Raises
    ------
    CremaError
        Processes were killed, and no track finished.
    ModuleNotFoundError
        A package that `function` imports is not installed.
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
        why = "a process was killed, perhaps for lack of memory, while processing"
        if killed and not finished:
            raise CremaError(
                f"{why} each of {', '.join(map(str, killed))}; use fewer jobs, or "
                "leave these out"
            )
        for track in killed:
            yield track, None, CremaError(f"{why} {track}; leave it out")


def _together(function, waiting, jobs, suspects):
    """Yield as :func:`attempts` does, until a process is killed.

    Parameters
    ----------
    function, jobs
        As in :func:`attempts`.
    waiting : collections.deque
        The tracks; started ones are removed.
    suspects : list
        Receives the tracks that were running when a process was killed.
    """
    # Forked workers would inherit locks of threads that do not exist in them.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    running = {}
    with (
        limited(max(1, n_cpus() // jobs)),
        concurrent.futures.ProcessPoolExecutor(jobs, context, _begin) as pool,
    ):
        try:
            while waiting or running:
                # Submit no more tracks than processes, so that Ctrl-C leaves no queue.
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
    """Make a worker end cleanly when its parent terminates it, and with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Raise an exception, so that temporary files are removed.
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
    except ModuleNotFoundError:  # no other track would fare better
        raise
    except Exception as error:  # a bug must not cost the other tracks
        traceback.print_exc()
        return None, CremaError(f"{track}: {type(error).__name__}: {error}")
