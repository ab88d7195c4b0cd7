"""What the tools that make corpora out of the music of others have in common."""

import collections
import json
import math
import os
import pathlib
import re

from crema.exceptions import AnnotationError, CorpusError
from crema.utils import audiofile, cli, jamsfile, processes

#: The module that :mod:`crema.corpus.heard` names in the sandbox of what it makes.
BY_EAR = "crema.corpus.heard"
#: Extensions, in lower case, of the formats that libsndfile reads.
AUDIO = {
    *("aif", "aifc", "aiff", "au", "caf", "flac", "mp3", "oga", "ogg", "opus"),
    *("rf64", "snd", "w64", "wav", "wave"),
}


def listing(directory):
    """List the files of a directory.

    Parameters
    ----------
    directory : path-like
        Hidden files, and what is in its subdirectories, are left out.

    Returns
    -------
    list of (str, str)
        Stem and extension, without the dot between them, in alphabetical order.

    Raises
    ------
    CorpusError
        The directory cannot be read.
    """
    try:
        names = [entry.name for entry in os.scandir(directory) if entry.is_file()]
    except OSError as error:
        raise CorpusError(
            f"{directory}: the directory cannot be read ({error.strerror})"
        ) from error
    parts = (name.rpartition(".") for name in names if not name.startswith("."))
    return sorted((stem, ext) for stem, dot, ext in parts if dot)


def audio_ext(directory, files, given=None):
    """Find the extension of the audio, of which a corpus has one.

    Parameters
    ----------
    directory : path-like
        Named in errors.
    files : list of (str, str)
        Its :func:`listing`.
    given : str, optional
        The extension that the user asks for.

    Returns
    -------
    str
        Without a dot, as the files have it.

    Raises
    ------
    CorpusError
        There is no audio, or of several kinds and none is `given`.
    """
    kinds = collections.Counter(ext for _, ext in files if ext.lower() in AUDIO)
    if given:
        kinds = {ext: n for ext, n in kinds.items() if ext == given.removeprefix(".")}
    if not kinds:
        what = (
            f"*.{given.removeprefix('.')}" if given else "audio that libsndfile reads"
        )
        raise CorpusError(
            f"{directory}: holds no {what}; give the directory with the audio files, "
            "and convert them to WAV, FLAC, Ogg or MP3 if they are in another format"
        )
    if len(kinds) > 1:
        counts = ", ".join(f"{n} {ext}" for ext, n in sorted(kinds.items()))
        raise CorpusError(
            f"{directory}: holds audio of several kinds ({counts}) and a corpus has "
            "one; say which with --audio-ext, or convert the others"
        )
    return next(iter(kinds))


def by_name(told):
    """Name what becomes tracks.

    Parameters
    ----------
    told : dict of pathlib.Path to str
        What to name each after; letters, digits and ``_`` stay.

    Returns
    -------
    dict of str to pathlib.Path
        By track id.

    Raises
    ------
    CorpusError
        Two would have one name.
    """
    found = {}
    for path, text in told.items():
        name = re.sub(r"\W+", "_", text).strip("_")
        if name in found:
            raise CorpusError(
                f"{path}: would be named {name}, as {found[name]}; rename one"
            )
        found[name] = path
    return found


def cover(segments, duration, filler=None):
    """Clip segments to [0, duration], without overlaps; fill the gaps if so asked.

    Parameters
    ----------
    segments : list of (float, float, str)
        Start, end and label, ordered by start.
    duration : float
        Where the last segment ends.
    filler : str, optional
        The label of gaps; by default gaps stay.

    Returns
    -------
    list of (float, float, str)
    """
    covered, now = [], 0.0
    for start, end, label in [*segments, (duration, duration, filler)]:
        start, end = max(start, now), min(end, duration)
        if filler is not None and now < min(start, duration):
            covered.append((now, min(start, duration), filler))
            now = covered[-1][1]
        if start < end:
            covered.append((start, end, label))
            now = end
    return covered


def exact(time):
    """Round down to a binary fraction of a second, less than a microsecond away.

    Such times add up without error.  With others, start + duration can exceed the
    start of what follows by one bit, an overlap that mir_eval refuses.
    """
    return math.floor(time * 2**20) / 2**20


def annotation(namespace, observed, duration, curator="", **metadata):
    """Build an annotation of a whole track.

    Parameters
    ----------
    namespace : str
        Of JAMS.
    observed : list of (float, float, object)
        Start and end in seconds, and value; of a beat, start and end are the same.
    duration : float
        Length of the audio in seconds; segments are clipped to it, beats outside of it
        are left out.
    curator : str, optional
        Name of who keeps the annotations.
    **metadata
        Further fields of ``jams.AnnotationMetadata``, such as ``data_source``.

    Returns
    -------
    jams.Annotation or None
        None if nothing is observed while the audio lasts.
    """
    import jams

    made = jams.Annotation(
        namespace,
        time=0,
        duration=duration,
        annotation_metadata=jams.AnnotationMetadata(
            curator=jams.Curator(name=curator), **metadata
        ),
    )
    events = namespace == "beat"
    if events:
        observed = [row for row in observed if 0 <= row[0] < duration]
    for start, end, value in observed if events else cover(observed, duration):
        begin, length = exact(start), exact(end) - exact(start)
        if events or length:
            made.append(time=begin, duration=length, value=value)
    return made if made.data else None


def check_ours(path, tool):
    """Raise AnnotationError if `path` is a file that another than `tool` has made."""
    try:
        made_by = json.loads(path.read_bytes())["sandbox"]["made_by"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        made_by = None
    if made_by != tool:
        raise AnnotationError(
            f"{path}: is there already and was not made by {tool}; move it away, or "
            "write to another directory"
        )


def save(path, jam, tool, audio=None):
    """Write JAMS that `tool` has made, but over nothing that others have made.

    An artist and a release that the file has, and `jam` does not, are kept.

    Parameters
    ----------
    path : pathlib.Path
        The ``.jams`` file.
    jam : jams.JAMS
        What to write.
    tool : str
        Name of the module.
    audio : (np.ndarray, int), optional
        Samples and sampling rate of the audio, to be written beside.

    Raises
    ------
    CremaError
        The file is there and was made by others, the object does not validate, or the
        file cannot be written.
    """
    check_ours(path, tool)
    # They were added since, for crema.corpus.pair to group by.
    if path.is_file():
        before, metadata = jamsfile.read(path).file_metadata, jam.file_metadata
        metadata.artist = metadata.artist or before.artist
        metadata.release = metadata.release or before.release
    jam.sandbox.made_by = tool
    if audio is None:
        jamsfile.write(path, jam)
    else:
        write_pair(path, jam, *audio)


def write_pair(path, jam, y, sample_rate):
    """Write a ``.jams`` file, and the audio as the ``.flac`` beside it."""
    # The annotation vouches for the audio: it goes first and comes last.
    path.unlink(missing_ok=True)
    audiofile.write(path.with_suffix(".flac"), y, sample_rate)
    jamsfile.write(path, jam)


def rendering_options(parser):
    """Add the options of every tool that renders, apart from what it renders."""
    from crema.corpus.render import DEFAULT_SOUNDFONT

    path, add = pathlib.Path, parser.add_argument
    add("output", type=path, help="directory of the corpus")
    add("--soundfont", type=path, nargs="+", default=[DEFAULT_SOUNDFONT])
    add("--drum-soundfont", type=path, nargs="+", default=[], help="more, for drums")
    add("--sample-rate", type=int, default=44100, help="in Hz (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=cli.jobs, default=1, help="number of processes")


def is_made(directory, track_id, settings):
    """Return whether a rendered track is there and was made with the settings."""
    audio, path = (directory / f"{track_id}.{ext}" for ext in ("flac", "jams"))
    try:
        made = json.loads(path.read_text(encoding="utf-8"))["sandbox"]["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return made == settings and audio.is_file()


def write_rendered(directory, track_id, y, jam, settings):
    """Write a rendered track, so that :func:`is_made` knows it.

    Parameters
    ----------
    directory : pathlib.Path
        Of the corpus.
    track_id : str
        Name of the two files.
    y : np.ndarray, shape=(n_samples,)
        Its audio.
    jam : jams.JAMS
        Its annotations.
    settings : dict
        What it was made with, ``sample_rate`` among it.
    """
    jam.sandbox.settings = settings
    write_pair(directory / f"{track_id}.jams", jam, y, settings["sample_rate"])


def run_all(function, tracks, jobs=1):
    """Call ``function(track)`` for each track, go on after a bad one, show progress.

    Parameters
    ----------
    function, tracks, jobs
        See :func:`crema.utils.processes.attempts`.

    Returns
    -------
    results : dict
        What `function` returned, by track.
    failures : dict of str to CremaError
        Why the other tracks failed.
    """
    results, failures = {}, {}
    attempts = processes.attempts(function, tracks, jobs)
    for number, (track, result, error) in enumerate(attempts, 1):
        if error:
            failures[track] = error
        else:
            results[track] = result
        cli.progress(number, len(tracks), track, cli.FAILED if error else "")
    return results, failures


def make_all(function, tracks, jobs, what):
    """Make tracks, say how many, and list on standard error why others are left out.

    Parameters
    ----------
    function, tracks, jobs
        As for :func:`run_all`.
    what : str
        What was made, as it is said.

    Returns
    -------
    int
        The exit status: 1 if any is left out.
    """
    made, failures = run_all(function, tracks, jobs)
    cli.say(f"{len(made)} {what}")
    return report(failures)


def report(failures):
    """List on standard error why tracks are left out.

    Parameters
    ----------
    failures : dict of str to CremaError
        By track.

    Returns
    -------
    int
        The exit status: 1 if there are any.
    """
    for track, error in sorted(failures.items()):
        cli.say(f"{track} left out: {error}")
    return 1 if failures else 0
