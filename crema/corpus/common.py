"""Functions shared by the tools that make corpora."""

import collections
import json
import math
import os
import pathlib
import re

from crema.exceptions import AnnotationError, CorpusError
from crema.utils import audiofile, cli, jamsfile

#: ``made_by`` in the JAMS sandbox of tracks that :mod:`crema.corpus.heard` writes.
BY_EAR = "crema.corpus.heard"


def listing(directory):
    """List the files of a directory.

    Parameters
    ----------
    directory : path-like
        Hidden files and subdirectories are ignored.

    Returns
    -------
    list of (str, str)
        Stem and extension, without the dot, in alphabetical order.

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
    """Find the extension of the audio files, which all share one.

    Parameters
    ----------
    directory : path-like
        Named in error messages.
    files : list of (str, str)
        The :func:`listing` of `directory`.
    given : str, optional
        The extension that the user requests.

    Returns
    -------
    str
        The extension without a dot, in the case that the files use.

    Raises
    ------
    CorpusError
        There is no audio, or there are several kinds and none is `given`.
    """
    kinds = collections.Counter(
        ext for _, ext in files if ext.lower() in audiofile.EXTENSIONS
    )
    if given:
        kinds = {ext: n for ext, n in kinds.items() if ext == given.removeprefix(".")}
    if not kinds:
        what = (
            f"*.{given.removeprefix('.')}" if given else "audio that libsndfile reads"
        )
        raise CorpusError(
            f"{directory}: contains no {what}; give the directory with the audio "
            "files, and convert them to WAV, FLAC, Ogg or MP3 if they are in another "
            "format"
        )
    if len(kinds) > 1:
        counts = ", ".join(f"{n} {ext}" for ext, n in sorted(kinds.items()))
        if len({ext.lower() for ext in kinds}) < len(kinds):
            raise CorpusError(
                f"{directory}: has audio with extensions in both upper and lower case "
                f"({counts}); rename the files to lower case"
            )
        raise CorpusError(
            f"{directory}: has audio in several formats ({counts}), but a corpus must "
            "have one; choose it with --audio-ext, or convert the others"
        )
    return next(iter(kinds))


def by_name(told):
    """Assign track ids to paths.

    Parameters
    ----------
    told : dict of pathlib.Path to str
        The text that names each path.  Runs of characters other than letters, digits
        and ``_`` become ``_``.

    Returns
    -------
    dict of str to pathlib.Path
        The path of each track id.

    Raises
    ------
    CorpusError
        Two paths would get the same track id, or one an empty id.
    """
    found = {}
    for path, text in told.items():
        name = re.sub(r"\W+", "_", text).strip("_")
        if not name:
            raise CorpusError(
                f"{path}: the name has no letter or digit, so it gives no track id; "
                "rename it"
            )
        if name in found:
            raise CorpusError(
                f"{path}: would get the track id {name}, like {found[name]}; rename one"
            )
        found[name] = path
    return found


def cover(segments, duration, filler=None):
    """Clip segments to [0, duration], remove overlaps and optionally fill gaps.

    Parameters
    ----------
    segments : list of (float, float, str)
        Start, end and label, ordered by start.
    duration : float
        End of the track in seconds.
    filler : str, optional
        The label for gaps; by default gaps stay unlabelled.

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
    """Round a time in seconds down to a multiple of 2**-20 s, about a microsecond.

    Such times add up without error.  Otherwise start + duration can exceed the next
    start by one bit, an overlap that mir_eval rejects.
    """
    return math.floor(time * 2**20) / 2**20


def annotation(namespace, observed, duration, curator="", **metadata):
    """Build an annotation of a whole track.

    Parameters
    ----------
    namespace : str
        JAMS namespace.
    observed : list of (float, float, object) or of (float, int or None)
        Start and end in seconds, and value.  For the namespace ``beat``, time in
        seconds and position in the bar.
    duration : float
        Length of the audio in seconds.  Segments are clipped to it, and beats outside
        it are dropped.
    curator : str, optional
        Name of the curator.
    **metadata
        Further fields of ``jams.AnnotationMetadata``, such as ``data_source``.

    Returns
    -------
    jams.Annotation or None
        None if no observation lies within the audio.
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
    if namespace == "beat":
        for time, position in observed:
            if 0 <= time < duration:
                made.append(time=exact(time), duration=0.0, value=position)
    else:
        for start, end, value in cover(observed, duration):
            if length := exact(end) - exact(start):
                made.append(time=exact(start), duration=length, value=value)
    return made if made.data else None


def jam(title, duration, observed, artist="", sources=None, **metadata):
    """Build the JAMS of a track.

    Parameters
    ----------
    title : str
        Title of the track.
    duration : float
        Length of the audio in seconds.
    observed : dict of str to list
        The `observed` of :func:`annotation` by namespace.  There is no annotation if no
        observation lies within the audio.
    artist : str, optional
        Name of the artist.
    sources : dict of str to dict, optional
        By namespace, metadata of its annotation only.
    **metadata
        Metadata of all annotations; see :func:`annotation`.

    Returns
    -------
    jams.JAMS
    """
    import jams

    made = jams.JAMS()
    made.file_metadata.title = title
    made.file_metadata.artist = artist
    made.file_metadata.duration = duration
    for namespace, rows in observed.items():
        own = (sources or {}).get(namespace, {})
        if annotated := annotation(namespace, rows, duration, **metadata, **own):
            made.annotations.append(annotated)
    return made


def check_ours(path, tool):
    """Raise AnnotationError if `path` exists and `tool` did not write it."""
    try:
        made_by = json.loads(path.read_bytes())["sandbox"]["made_by"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        made_by = None
    if made_by != tool:
        raise AnnotationError(
            f"{path}: already exists and was not made by {tool}; move it away, or "
            "write to another directory"
        )


def save(path, jam, tool, audio=None):
    """Write the JAMS of `tool`, without overwriting files from other sources.

    If `jam` names no artist or release, those of an existing file are kept.

    Parameters
    ----------
    path : pathlib.Path
        The ``.jams`` file.
    jam : jams.JAMS
        The annotations.
    tool : str
        Name of the module that made them.
    audio : (np.ndarray, int), optional
        Samples and sampling rate of audio to write beside the annotations.

    Raises
    ------
    CremaError
        The existing file was not written by `tool` or is invalid, `jam` does not
        validate, or a file cannot be written.
    """
    check_ours(path, tool)
    # Users add artist and release for crema.corpus.pair to group by.
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
    """Write a ``.jams`` file and, beside it, the audio as ``.flac``."""
    # The annotation marks a complete pair: remove it first, write it last.
    path.unlink(missing_ok=True)
    audiofile.write(path.with_suffix(".flac"), y, sample_rate)
    jamsfile.write(path, jam)


def rendering_options(parser):
    """Add the command-line options that all rendering tools share."""
    from crema.corpus.render import DEFAULT_SOUNDFONT

    path, add = pathlib.Path, parser.add_argument
    add("output", type=path, help="directory of the corpus")
    add("--soundfont", type=path, nargs="+", default=[DEFAULT_SOUNDFONT])
    add(
        "--drum-soundfont",
        type=path,
        nargs="+",
        default=[],
        help="additional soundfonts, for drums",
    )
    add("--sample-rate", type=int, default=44100, help="in Hz (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=cli.jobs, default=1, help="number of processes")


def is_made(directory, track_id, settings):
    """Return whether a track was already rendered with these settings."""
    audio, path = (directory / f"{track_id}.{ext}" for ext in ("flac", "jams"))
    try:
        made = json.loads(path.read_text(encoding="utf-8"))["sandbox"]["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return made == settings and audio.is_file()


def write_rendered(directory, track_id, y, jam, settings):
    """Write a rendered track with the settings that :func:`is_made` compares.

    Parameters
    ----------
    directory : pathlib.Path
        Directory of the corpus.
    track_id : str
        Stem of both files.
    y : np.ndarray, shape=(n_samples,)
        The audio.
    jam : jams.JAMS
        The annotations.
    settings : dict
        The rendering settings, including ``sample_rate`` in Hz.
    """
    jam.sandbox.settings = settings
    write_pair(directory / f"{track_id}.jams", jam, y, settings["sample_rate"])


def make_all(function, tracks, jobs, what):
    """Run a function on all tracks, report the number made and the failures.

    Parameters
    ----------
    function, tracks, jobs
        As for :func:`crema.utils.cli.run_all`.
    what : str
        The text after the number of tracks, such as ``"charts converted"``.

    Returns
    -------
    int
        The exit status: 1 if any track failed.
    """
    made, failures = cli.run_all(function, tracks, jobs)
    cli.say(f"{len(made)} {what}")
    return report(failures)


def report(failures):
    """List the failed tracks and their errors on standard error.

    Parameters
    ----------
    failures : dict of str to CremaError
        The error of each failed track.

    Returns
    -------
    int
        The exit status: 1 if any track failed.
    """
    for track, error in sorted(failures.items()):
        cli.say(f"{track} left out: {error}")
    return 1 if failures else 0
