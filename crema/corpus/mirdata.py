"""Make a corpus from a data set that mirdata supports.

::

    python -m crema.corpus.mirdata DATASET OUTPUT --data-home DIR

DIR holds the data set in mirdata's layout; nothing is downloaded.  For each track the
command writes OUTPUT/TRACK_ID.wav (or the extension of the original audio) as a hard
link, or as a copy where linking fails.  It writes mirdata's chords, beats and keys to
OUTPUT/TRACK_ID.jams.  Split the corpus with :mod:`crema.corpus.pair`.
"""

import argparse
import collections
import itertools
import os
import pathlib
import re
import shutil

from crema.corpus import common, labels
from crema.exceptions import AnnotationError, AudioError, ConfigError, CorpusError
from crema.exceptions import program as run
from crema.utils import audiofile, cli, disk, index

TOOL = "crema.corpus.mirdata"
INSTALL = "python -m pip install 'mirdata>=1.0'"

#: By JAMS namespace: mirdata's annotation class, and a word in the property's name.
#: The class is not enough: onsets and sections of the talam are BeatData, too.
KINDS = {
    "chord": ("ChordData", "chord"),
    "beat": ("BeatData", "beat"),
    "key_mode": ("KeyData", "key"),
}
_SECONDS = {"s": 1.0, "ms": 1e-3}


def load(name, data_home=None, version="default"):
    """Open a data set.

    Parameters
    ----------
    name : str
        mirdata's name of the data set: ``beatles``, ``gtzan_genre``, ...
    data_home : path-like, optional
        Directory of the data set; by default mirdata's download directory.
    version : str
        A version that mirdata supports.

    Returns
    -------
    mirdata.core.Dataset

    Raises
    ------
    ConfigError
        mirdata, or a package that it needs for this data set, is not installed; there
        is no such data set or version; its directory or its index does not exist.
    """
    try:
        import mirdata
    except ImportError as error:
        raise ConfigError(
            f"mirdata cannot be imported ({error}); install it: {INSTALL}"
        ) from error
    if name not in mirdata.list_datasets():
        known = ", ".join(mirdata.list_datasets())
        raise ConfigError(
            f"mirdata {mirdata.__version__} has no data set {name}; choose from {known}"
        )
    home = None if data_home is None else os.fspath(data_home)
    try:
        dataset = mirdata.initialize(name, data_home=home, version=version)
    except ImportError as error:
        raise ConfigError(
            f"{name}: mirdata needs a package that is not installed ({error}); install "
            f"it: python -m pip install 'mirdata[{name}]'"
        ) from error
    except Exception as error:  # unknown versions, and defects of a loader
        raise ConfigError(
            f"{name}: mirdata cannot load this data set ({error})"
        ) from error
    if not os.path.isdir(dataset.data_home):
        raise ConfigError(
            f"{dataset.data_home}: no such directory; give the one that contains "
            f"{name} with --data-home"
        )
    if not os.path.isfile(dataset.index_path):
        raise ConfigError(
            f'mirdata has no index of {name} yet; fetch it: python -c "import mirdata; '
            f"mirdata.initialize({name!r}, {home!r}, {version!r}).download(['index'])\""
        )
    return dataset


def safe_ids(track_ids):
    """Map mirdata's track ids to ids that are valid file names.

    Parameters
    ----------
    track_ids : iterable of str
        mirdata's track ids.

    Returns
    -------
    dict of str to str
        For each of mirdata's ids, an id without dots and slashes.

    Raises
    ------
    CorpusError
        Two tracks would get the same id.
    """
    safe = {}
    for original in track_ids:
        name = re.sub(r"[./\\\x00-\x1f]+|^-", "_", original)
        if name in safe:
            raise CorpusError(
                f"tracks {safe[name]!r} and {original!r} would both be named {name}; "
                "this data set cannot be converted"
            )
        index.check_track_id(name, original)
        safe[name] = original
    return {original: name for name, original in safe.items()}


def find(track, chosen=()):
    """Find the chords, beats and keys of a track, whatever their property names.

    Parameters
    ----------
    track : mirdata.core.Track
        A track of any data set.
    chosen : sequence of str
        Properties to use instead of the first of their kind.  The order is: the plain
        name (``chords``), names that contain ``full``, then alphabetical.

    Returns
    -------
    dict of str to (str, object)
        By JAMS namespace, the name of the property and its value: an object of
        ``mirdata.annotations``, or a str for the key of the whole track.

    Raises
    ------
    AnnotationError
        A property cannot be read.
    """
    from mirdata import annotations

    selected = {}
    for namespace, (kind, word) in KINDS.items():
        names = [name for name in _properties(type(track)) if word in name]
        names.sort(
            key=lambda name: (name not in (word, f"{word}s"), "full" not in name)
        )
        for name in [name for name in names if name in chosen] or names:
            try:
                data = getattr(track, name)
            except Exception as error:  # each loader raises its own
                raise AnnotationError(f"{name} cannot be read ({error})") from error
            if namespace == "key_mode":
                data = _whole_track(track, data)
            whole = namespace == "key_mode" and isinstance(data, str)
            if whole or isinstance(data, getattr(annotations, kind)):
                selected[namespace] = name, data
                break
    return selected


def _properties(cls):
    """List the properties of a class, cached ones included, in alphabetical order."""
    names = [name for name in dir(cls) if not name.startswith("_")]
    values = {name: getattr(cls, name) for name in names}
    return [
        name
        for name, value in values.items()
        if hasattr(value, "__get__") and not callable(value)
    ]


def _whole_track(track, key):
    """Convert a key without times to one str; return other values unchanged."""
    if isinstance(key, list) and all(isinstance(one, str) for one in key):
        key = " | ".join(key)
    # Some data sets store tonic and mode separately.
    if isinstance(key, str) and re.fullmatch(r"[A-G][#b]?", key.strip()):
        mode = getattr(track, "mode", None)
        key = f"{key.strip()} {mode}" if isinstance(mode, str) else key
    return key


def observe(namespace, data):
    """Convert mirdata's annotations to times and values.

    Parameters
    ----------
    namespace : str
        ``chord``, ``beat`` or ``key_mode``.
    data : object
        A value returned by :func:`find`.

    Returns
    -------
    list of tuple
        The `observed` of :func:`crema.corpus.common.annotation`, in order.

    Raises
    ------
    ValueError
        A label is not a chord or key, or times are not in seconds or milliseconds.
    """
    if isinstance(data, str):
        key = labels.key_mode(data)
        return [(0.0, float("inf"), key)] if key else []
    unit = getattr(data, "time_unit" if namespace == "beat" else "interval_unit", "s")
    if unit not in _SECONDS:
        raise ValueError(
            f"times are in {unit}, but only seconds and milliseconds can be converted"
        )
    if namespace == "beat":
        times = (data.times * _SECONDS[unit]).tolist()
        # Only mirdata's unit bar_index is a position in the bar; 0 means unknown.
        barred = data.positions is not None and data.position_unit == "bar_index"
        positions = data.positions if barred else [0] * len(times)
        return [
            (time, int(position) or None)
            for time, position in zip(times, positions, strict=True)
        ]
    values = data.labels if namespace == "chord" else data.keys
    parse = labels.check_chord if namespace == "chord" else labels.key_mode
    rows = zip((data.intervals * _SECONDS[unit]).tolist(), values, strict=True)
    converted = sorted((start, end, parse(value)) for (start, end), value in rows)
    return [row for row in converted if row[2] is not None]


def make_track(dataset, output, audio, chosen, track_id, name):
    """Write the audio and the JAMS of one track.

    Parameters
    ----------
    dataset : mirdata.core.Dataset
        The data set.
    output : pathlib.Path
        Directory of the corpus.
    audio : str
        The attribute of the track that holds the path of its audio.
    chosen : sequence of str
        See :func:`find`.
    track_id : str
        mirdata's id of the track.
    name : str
        The id of the track in the corpus.

    Returns
    -------
    list of str
        The properties that were used.

    Raises
    ------
    CremaError
        The track has no usable audio or annotations.
    """
    track = _open(dataset, track_id)
    source = getattr(track, audio, None)
    if not source or not os.path.isfile(source):
        raise AudioError(f"there is no audio file {source}; add it to the data set")
    source = pathlib.Path(source)
    y, sample_rate = audiofile.read(source)
    found, observed, sources = find(track, chosen), {}, {}
    for namespace, (attribute, data) in found.items():
        try:
            observed[namespace] = observe(namespace, data)
        except ValueError as error:
            raise AnnotationError(f"{attribute} cannot be used: {error}") from error
        sources[namespace] = {"data_source": f"mirdata: {attribute}"}
    jam = common.jam(
        _text(track, "title") or track_id,
        len(y) / sample_rate,
        observed,
        _text(track, "artist", "artists", "performance_artist"),
        sources,
        corpus=dataset.name,
        version=str(dataset.version),
        annotation_tools=TOOL,
    )
    jam.file_metadata.release = _text(track, "release", "album")
    jam.sandbox.mirdata = {
        "dataset": dataset.name,
        "version": dataset.version,
        "track_id": track_id,
    }
    if not jam.annotations:
        raise AnnotationError("has no chords, beats or keys within its audio")
    path = output / f"{name}.jams"
    common.check_ours(path, TOOL)
    place(source, output / f"{name}{source.suffix}")
    common.save(path, jam, TOOL)
    return [found[annotation.namespace][0] for annotation in jam.annotations]


def _open(dataset, track_id):
    try:
        return dataset.track(track_id)
    except Exception as error:  # each loader raises its own
        raise CorpusError(
            f"mirdata cannot open track {track_id} of {dataset.name} ({error})"
        ) from error


def _text(track, *names):
    """Return the first non-empty attribute as text, '' if there is none."""
    for name in names:
        try:
            value = getattr(track, name, None)
        except Exception as error:  # the metadata table was not downloaded
            raise AnnotationError(f"{name} cannot be read ({error})") from error
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if value:
            return str(value)
    return ""


def place(source, target):
    """Make a hard link to a file, or copy it if that fails.

    Parameters
    ----------
    source, target : path-like
        The file and the new path; an existing target is replaced.
    """
    # Link the file that a symbolic link points to.
    source = os.path.realpath(source)
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    with disk.atomic(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def convert(
    name, output, data_home=None, version="default", audio="audio_path", chosen=()
):
    """Make a corpus from a data set.

    Parameters
    ----------
    name : str
        mirdata's name of the data set.
    output : path-like
        Directory of the corpus.
    data_home : path-like, optional
        Directory of the data set; by default mirdata's download directory.
    version : str
        A version that mirdata supports.
    audio : str
        The attribute of a track that holds the path of its audio.
    chosen : sequence of str
        Properties of a track to use; see :func:`find`.

    Returns
    -------
    used : dict of str to int
        The number of tracks that used each property.
    failures : dict of str to CremaError
        The error of each failed track, by mirdata's track id.

    Raises
    ------
    ConfigError
        See :func:`load`; or tracks lack the attribute `audio` or one of `chosen`.
    CorpusError
        The data set has no tracks, or two ids would give the same file name.
    """
    dataset = load(name, data_home, version)
    try:
        names = safe_ids(dataset.track_ids)
    except (AttributeError, ValueError) as error:
        raise CorpusError(f"{name}: mirdata lists no tracks ({error})") from error
    if not names:
        raise CorpusError(f"{name}: mirdata lists no tracks")
    track = _open(dataset, next(iter(names)))
    properties = _properties(type(track))
    if audio not in {*vars(track), *properties}:
        paths = [path for path in vars(track) if re.match(r"audio.*_path$", path)]
        raise ConfigError(
            f"{name}: tracks have no {audio}; choose their audio with --audio "
            f"({', '.join(paths) or 'mirdata has no audio for this data set'})"
        )
    for attribute in chosen:
        if attribute not in properties:
            raise ConfigError(
                f"{name}: tracks have no {attribute}; choose from "
                f"{', '.join(properties)}"
            )

    def job(track_id):
        return make_track(
            dataset, pathlib.Path(output), audio, chosen, track_id, names[track_id]
        )

    properties_used, failures = cli.run_all(job, list(names))
    used = collections.Counter(itertools.chain.from_iterable(properties_used.values()))
    return dict(used), failures


def main(argv=None):
    """Run from the command line; return 1 if a track could not be converted."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.mirdata", description=__doc__.splitlines()[0]
    )
    path = pathlib.Path
    add = parser.add_argument
    add(
        "name",
        metavar="DATASET",
        help="name of the data set in mirdata, such as beatles",
    )
    add("output", type=path, metavar="OUTPUT", help="directory of the corpus")
    add(
        "--data-home",
        type=path,
        metavar="DIR",
        help="directory that contains the data set",
    )
    add(
        "--version",
        default="default",
        help="version of the data set (default: %(default)s)",
    )
    add(
        "--audio",
        default="audio_path",
        metavar="NAME",
        help="attribute of a track with the path of its audio (default: %(default)s)",
    )
    add(
        "--property",
        action="append",
        default=[],
        dest="chosen",
        metavar="NAME",
        help="property of a track to use if it has several of a kind, such as "
        "leadsheet_chords (may be repeated)",
    )
    arguments = parser.parse_args(argv)

    used, failures = convert(**vars(arguments))
    for attribute, count in sorted(used.items()):
        cli.say(f"{attribute}: used in {count} tracks")
    return common.report(failures)


if __name__ == "__main__":
    run(main)
