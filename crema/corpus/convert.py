"""Convert label files of chords, beats and keys to JAMS, beside their audio.

::

    python -m crema.corpus.convert AUDIO_DIR --chords DIR --beats DIR --keys DIR

For each audio file ``NAME.flac``, the label files of the same name become annotations
of one ``NAME.jams``: ``chord`` from ``NAME.lab``, ``beat`` from ``NAME.beats``,
``key_mode`` from ``NAME.key``.  :data:`KINDS` lists all extensions; the first that
exists is used.  :mod:`crema.corpus.labels` documents the line formats.

The lab and csv files that crema writes can be converted, too, after corrections in
Audacity for example: ``NAME.chord.lab``, ``NAME.beat.lab``, ``NAME.key.lab`` (but not
``NAME.local_key.lab``), and, in a directory given for one kind only, ``NAME.lab``.

Labels are clipped to the audio; gaps stay unlabelled.  An empty file, as crema writes
where it finds no beats, annotates nothing.  Kinds that were converted before stay if
their directory is not given again.
"""

import argparse
import functools
import math
import pathlib
from typing import NamedTuple

from crema.corpus import common, labels
from crema.exceptions import AnnotationError, ConfigError, CorpusError
from crema.exceptions import program as run
from crema.utils import audiofile, cli, index, jamsfile

TOOL = "crema.corpus.convert"
#: Seconds by which labels can exceed the audio without a warning.
OVERHANG = 1.0


class Kind(NamedTuple):
    """Namespace, file extensions and reader of one kind of label file."""

    namespace: str
    suffixes: tuple
    read: object


KINDS = {
    "chords": Kind(
        "chord", ("chord.lab", "chord.csv", "lab", "chords"), labels.read_chords
    ),
    "beats": Kind(
        "beat",
        ("beat.lab", "beat.csv", "beats", "beat", "csv", "txt"),
        labels.read_beats,
    ),
    "keys": Kind(
        "key_mode", ("key.lab", "key.csv", "key", "lab", "txt"), labels.read_keys
    ),
}


def convert_track(corpus, output, directories, track_id):
    """Write the JAMS of one track.

    Parameters
    ----------
    corpus : crema.utils.index.Corpus
        Location of the audio.
    output : pathlib.Path
        Directory of the ``.jams`` file.
    directories : dict of str to path-like
        Directories of label files by kind (a key of :data:`KINDS`).
    track_id : str
        The track.

    Returns
    -------
    float
        Seconds by which the labels exceed the audio, before clipping.

    Raises
    ------
    CremaError
        The audio or a label file cannot be read, no label lies within the audio, or
        the existing JAMS file is of another tool or of other audio.
    """
    audio = corpus.audio(track_id)
    index.check_track_id(track_id, audio)
    y, sample_rate = audiofile.read(audio)
    duration = len(y) / sample_rate
    observed, sources = {}, {}
    for kind, path in label_files(directories, track_id).items():
        namespace, _, read = KINDS[kind]
        observed[namespace] = read(path)
        sources[namespace] = {"data_source": path.name}
    jam = common.jam(
        track_id, duration, observed, sources=sources, annotation_tools=TOOL
    )
    if not any(observed.values()):
        raise AnnotationError(f"{audio}: its label files contain no known label")
    if not jam.annotations:
        raise AnnotationError(
            f"{audio}: no label lies within its {duration:.1f} s; do the labels belong "
            "to another recording?"
        )
    path = output / f"{track_id}.jams"
    common.check_ours(path, TOOL)
    if path.is_file():
        # Of kinds that were converted before.
        given = {KINDS[kind].namespace for kind in directories}
        before = jamsfile.read(path)
        kept = [a for a in before.annotations if a.namespace not in given]
        if kept and abs(before.file_metadata.duration - duration) > OVERHANG:
            raise AnnotationError(
                f"{path}: its {kept[0].namespace} annotation is of audio that lasted "
                f"{before.file_metadata.duration:.1f} s, not {duration:.1f} s; convert "
                "all kinds at once, or delete it"
            )
        jam.annotations.extend(kept)
    common.save(path, jam, TOOL)
    # The end precedes the value of a segment, as the time precedes that of a beat.
    ends = (row[-2] for rows in observed.values() for row in rows)
    return max(filter(math.isfinite, ends), default=0.0) - duration


def label_files(directories, track_id):
    """Find the label files of a track.

    Parameters
    ----------
    directories : dict of str to path-like
        Directories to search, by kind (a key of :data:`KINDS`).
    track_id : str
        The track.

    Returns
    -------
    dict of str to pathlib.Path
        The file of each kind that has one.
    """
    files = {}
    for kind, directory in directories.items():
        suffixes = KINDS[kind].suffixes
        # crema --tasks beat --format lab writes NAME.lab, not NAME.beat.lab.
        if list(directories.values()).count(directory) == 1:
            suffixes += ("lab", "csv")
        names = (f"{track_id}.{suffix}" for suffix in suffixes)
        paths = (pathlib.Path(directory, name) for name in names)
        # If kinds share a directory, NAME.lab holds chords and not also keys.
        free = (path for path in paths if path not in files.values())
        if path := next((path for path in free if path.is_file()), None):
            files[kind] = path
    return files


def convert(
    audio_dir, output=None, chords=None, beats=None, keys=None, audio_ext=None, jobs=1
):
    """Convert the label files of a directory of audio.

    Parameters
    ----------
    audio_dir : path-like
        The audio, in any format that libsndfile reads.
    output : path-like, optional
        Directory of the ``.jams`` files; by default `audio_dir`.
    chords, beats, keys : path-like, optional
        Directories of label files; at least one is required.
    audio_ext : str, optional
        Extension of the audio; required if the directory holds several kinds.
    jobs : int
        Number of processes.

    Returns
    -------
    converted : dict of str to float
        Seconds by which the labels of each track exceed its audio.
    failures : dict of str to CremaError
        The error of each failed track.
    unlabelled : list of str
        Tracks without a label file.

    Raises
    ------
    ConfigError
        No label directory is given, or one does not exist.
    CorpusError
        The directory of the audio cannot be read, or no audio file has labels.
    """
    options = {"chords": chords, "beats": beats, "keys": keys}
    directories = {kind: path for kind, path in options.items() if path is not None}
    if not directories:
        raise ConfigError("nothing to convert: give --chords, --beats or --keys")
    for kind, directory in directories.items():
        if not pathlib.Path(directory).is_dir():
            raise ConfigError(f"--{kind} {directory}: no such directory")
    listed = common.listing(audio_dir)
    ext = common.audio_ext(audio_dir, listed, audio_ext)
    tracks = [stem for stem, suffix in listed if suffix == ext]
    labelled = [track for track in tracks if label_files(directories, track)]
    if not labelled:
        raise CorpusError(
            f"{audio_dir}: no *.{ext} has a label file of the same name; rename the "
            "files so that audio and labels differ only in the extension"
        )
    corpus = index.Corpus(pathlib.Path(audio_dir), ext)
    output = pathlib.Path(output or audio_dir)
    job = functools.partial(convert_track, corpus, output, directories)
    converted, failures = cli.run_all(job, labelled, jobs)
    return converted, failures, sorted(set(tracks) - set(labelled))


def main(argv=None):
    """Run from the command line; return 1 if a track could not be converted."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.convert", description=__doc__.splitlines()[0]
    )
    path = pathlib.Path
    add = parser.add_argument
    add("audio_dir", type=path, help="directory of the audio")
    add("output", type=path, nargs="?", help="directory of the JAMS (default: same)")
    add("--chords", type=path, metavar="DIR", help="NAME.lab: start end label")
    add("--beats", type=path, metavar="DIR", help="NAME.beats: time [position in bar]")
    add("--keys", type=path, metavar="DIR", help="NAME.key: [start end] key")
    add(
        "--audio-ext",
        metavar="EXT",
        help="extension of the audio, if there are several",
    )
    add("--jobs", type=cli.jobs, default=1, metavar="N", help="number of processes")
    arguments = parser.parse_intermixed_args(argv)

    converted, failures, unlabelled = convert(**vars(arguments))
    for track, overhang in sorted(converted.items()):
        if overhang > OVERHANG:
            cli.say(
                f"{track}: its labels extended {overhang:.1f} s past the end of the "
                "audio and were cut; do they belong to this recording?"
            )
    cli.say(f"{len(converted)} tracks converted")
    given = {kind: path for kind in KINDS if (path := getattr(arguments, kind))}
    for kind in given:
        without = sorted(t for t in converted if kind not in label_files(given, t))
        if without:
            cli.say(f"{len(without)} of them without {kind}, such as {without[0]}")
    if unlabelled:
        cli.say(
            f"{len(unlabelled)} audio files without labels, such as {unlabelled[0]}"
        )
    return common.report(failures)


if __name__ == "__main__":
    run(main)
