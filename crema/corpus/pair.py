"""Check a directory of audio and JAMS, and split it for training and testing.

::

    python -m crema.corpus.pair DIRECTORY --namespace chord --test-fraction 0.2

DIRECTORY holds pairs ``TRACK_ID.flac`` and ``TRACK_ID.jams``.  The command writes
``index_train.json`` and ``index_test.json``, for the configuration's ``index:``, and
``rejected.json``, which gives the reason for each unusable file.

The side of a group depends only on the seed and the group's name.  A group therefore
stays on its side when tracks are added, removed or repaired, on any computer, and no
model is ever tested on tracks of a group that it was once trained on.  Filling the test
side to the exact fraction, as :func:`crema.corpus.pop909.choose` does, would make each
side depend on all groups before it.  The drawback is that few or uneven groups can miss
the fraction; the command then suggests a seed that comes closer.
"""

import argparse
import collections
import functools
import hashlib
import pathlib
import unicodedata
from typing import NamedTuple

from crema.corpus import common
from crema.corpus.split import grouping, split
from crema.exceptions import (
    AnnotationError,
    ConfigError,
    CorpusError,
    CremaError,
)
from crema.exceptions import program as run
from crema.utils import audiofile, cli, hashes, index, jamsfile, setup

#: Seconds by which annotations may exceed the audio: decoders differ in padding.
TOLERANCE = 0.5
#: Tracks of which a smaller share is annotated are named.
HALF = 0.5


class Track(NamedTuple):
    """A usable pair of files, as returned by :func:`examine`."""

    artist: str
    release: str
    audio_sha256: str
    jams_sha256: str
    samples_sha256: str
    annotated: float
    """Share of the audio from the first annotation to the last, in the namespace that
    has least."""


def examine(corpus, namespaces, min_duration, track_id):
    """Read and check a pair of files.

    Parameters
    ----------
    corpus : crema.utils.index.Corpus
        Location of the files.
    namespaces : sequence of str
        JAMS namespaces that must be annotated, directly or after conversion.
    min_duration : float
        Minimum length of the audio in seconds.
    track_id : str
        The track.

    Returns
    -------
    Track

    Raises
    ------
    CremaError
        The track is unusable; the message says why.
    """
    audio, path = corpus.audio(track_id), corpus.jams(track_id)
    index.check_track_id(track_id, audio)
    jam = jamsfile.read(path)
    if getattr(jam.sandbox, "made_by", None) == common.BY_EAR:
        raise AnnotationError(
            f"{path}: crema predicted these labels itself, so they cannot test it; "
            f"{common.BY_EAR} lists the track for training"
        )
    spans = []
    for namespace in namespaces:
        found = jamsfile.usable(jam, namespace)
        if not found:
            raise AnnotationError(f"{path}: has no {namespace} annotation")
        made = [annotation.annotation_metadata for annotation in found]
        if any(
            one.data_source == "program" and one.annotation_tools.startswith("crema ")
            for one in made
        ):
            raise AnnotationError(
                f"{path}: crema estimated its {namespace} annotation, which can "
                "neither train nor test it; if you corrected it, set its data_source "
                "to manual"
            )
        start = min(o.time for annotation in found for o in annotation.data)
        spans.append(end_of(found) - start)
    y, sample_rate = audiofile.read(audio)
    duration = setup.check_audio(audio, y, sample_rate, min_duration)
    for what, end in (
        ("annotations end at", end_of(jam.annotations)),
        ("file_metadata.duration is", jam.file_metadata.duration or 0.0),
    ):
        if end > duration + TOLERANCE:
            raise AnnotationError(
                f"{path}: {what} {end:.2f} s, but the audio lasts {duration:.2f} s; "
                "they belong to different recordings, or the audio was cut"
            )
    samples = hashlib.sha256(str(sample_rate).encode())
    samples.update(y)
    return Track(
        artist=_words(jam.file_metadata.artist),
        release=_words(jam.file_metadata.release),
        audio_sha256=hashes.of(audio),
        jams_sha256=hashes.of(path),
        samples_sha256=samples.hexdigest(),
        annotated=min(spans, default=duration) / duration,
    )


def end_of(annotations):
    """Return the time at which the last observation ends, 0 if there is none."""
    ends = (o.time + o.duration for annotation in annotations for o in annotation.data)
    return max(ends, default=0.0)


def _words(text):
    """Normalise white space and accents, so that equal artists compare equal."""
    return " ".join(unicodedata.normalize("NFC", str(text or "")).split())


def pair(
    directory,
    output=None,
    audio_ext=None,
    jams_ext="jams",
    namespaces=(),
    group_by="artist",
    test_fraction=0.2,
    seed=0,
    min_duration=setup.SHORTEST,
    jobs=1,
):
    """Write the two indexes of a directory of pairs, and a list of unusable files.

    Parameters
    ----------
    directory : path-like
        Directory of the pairs of audio and JAMS.
    output : path-like, optional
        Output directory; by default `directory`.
    audio_ext, jams_ext : str
        File extensions; that of the audio can be None if there is only one kind.
    namespaces : sequence of str
        JAMS namespaces that each track must have annotations of.
    group_by : str
        See :func:`crema.corpus.split.grouping`.
    test_fraction : float
        Share of tracks to test on.
    seed : int
        Seed of the split.
    min_duration : float
        Minimum length of the audio in seconds.
    jobs : int
        Number of processes.

    Returns
    -------
    train, test : list of dict
        Records of the indexes: ``track_id``, ``group`` and the SHA-256 of the two
        files, ``audio_sha256`` and ``jams_sha256``.
    rejected : list of dict
        ``track_id`` or ``file``, and ``reason``.
    closer : (int, float) or None
        A better seed; see :func:`crema.corpus.split.split`.
    partial : list of str
        Tracks that are annotated for less than half of their length.

    Raises
    ------
    CremaError
        An option is invalid, the directory cannot be read or has no usable pair, or one
        side of the split would be empty.
    """
    check_namespaces(namespaces)
    group_of = grouping(group_by)
    listed = common.listing(directory)
    corpus = index.Corpus(
        pathlib.Path(directory),
        common.audio_ext(directory, listed, audio_ext),
        jams_ext.removeprefix("."),
    )
    tracks, rejected = match(corpus, listed)
    job = functools.partial(examine, corpus, namespaces, min_duration)
    examined, failures = cli.run_all(job, tracks, jobs)
    for track_id, error in failures.items():
        rejected.append({"track_id": track_id, "reason": str(error)})
    groups, first = {}, {}
    for track_id, track in sorted(examined.items()):
        group = group_of(track_id, track)
        if group is None:
            reason = f"{track_id}: does not match --group-by {group_by}"
        elif (same := first.setdefault(track.samples_sha256, track_id)) != track_id:
            reason = f"{track_id}: has the same audio as {same}"
        else:
            groups[track_id] = group
            continue
        rejected.append({"track_id": track_id, "reason": reason})
    output = pathlib.Path(output or directory)
    rejected.sort(key=lambda record: record.get("track_id") or record["file"])
    index.write_index(output / "rejected.json", rejected)
    if not groups:
        raise CorpusError(
            f"{directory}: no pair of *.{corpus.audio_ext} and *.{corpus.jams_ext} can "
            f"be used; {output / 'rejected.json'} says why"
        )
    try:
        test_tracks, closer = split(groups, test_fraction, seed)
    except CremaError as error:
        if not rejected:
            raise
        raise type(error)(
            f"{error} ({len(rejected)} rejected, see {output / 'rejected.json'})"
        ) from error
    sides = {"train": [], "test": []}
    for track_id, group in groups.items():
        track = examined[track_id]
        sides["test" if track_id in test_tracks else "train"].append(
            {
                "track_id": track_id,
                "group": group,
                "audio_sha256": track.audio_sha256,
                "jams_sha256": track.jams_sha256,
            }
        )
    for side, records in sides.items():
        index.write_index(output / f"index_{side}.json", records)
    partial = [track_id for track_id in groups if examined[track_id].annotated < HALF]
    return sides["train"], sides["test"], rejected, closer, partial


def outdated(directory, train):
    """Find indexes of single estimators that list other tracks than `train`.

    Parameters
    ----------
    directory : pathlib.Path
        Directory of the indexes.
    train : list of dict
        Records of ``index_train.json``.

    Returns
    -------
    list of pathlib.Path
        Indexes such as the ``index_train_chord.json`` of :mod:`crema.corpus.heard`
        whose tracks or groups differ.  Its excerpts, which have no group, do not count.
    """
    groups = {record["track_id"]: record["group"] for record in train}
    paths = []
    for path in sorted(directory.glob("index_train_*.json")):
        listed = index.read_index(path).items()
        if groups != {track: group for track, group in listed if group is not None}:
            paths.append(path)
    return paths


def check_namespaces(namespaces):
    """Raise ConfigError if JAMS does not define one of the namespaces."""
    if not namespaces:
        return
    import jams

    for namespace in namespaces:
        try:
            jams.schema.namespace(namespace)
        except jams.NamespaceError as error:
            raise ConfigError(
                f"--namespace {namespace}: JAMS has no namespace of this name; give "
                "for example chord, beat or key_mode"
            ) from error


def match(corpus, listed):
    """Find the pairs in the listing of a directory.

    Parameters
    ----------
    corpus : crema.utils.index.Corpus
        Its extensions define a pair.
    listed : list of (str, str)
        Stems and extensions.

    Returns
    -------
    tracks : list of str
        Track ids with both files.
    rejected : list of dict
        ``file`` and ``reason`` of each other audio or JAMS file.
    """
    by_ext = collections.defaultdict(dict)
    for stem, ext in listed:
        by_ext[ext][stem] = f"{stem}.{ext}"
    audio, annotations = by_ext[corpus.audio_ext], by_ext[corpus.jams_ext]
    reasons = {
        name: f"audio without {stem}.{corpus.jams_ext}"
        for stem, name in audio.items()
        if stem not in annotations
    }
    for stem, name in annotations.items():
        if stem not in audio:
            reasons[name] = f"annotation without {stem}.{corpus.audio_ext}"
    exts = corpus.audio_ext, corpus.jams_ext
    same = {ext.lower(): ext for ext in exts}
    for ext in by_ext.keys() - set(exts):
        if ext.lower() in audiofile.EXTENSIONS | {"jams", "jamz"}:
            remedy = "convert it"
            if ext.lower() in same:
                remedy = f"rename it to .{same[ext.lower()]}"
            for name in by_ext[ext].values():
                reasons[name] = f"is neither {' nor '.join(exts)}; {remedy}"
    rejected = [{"file": name, "reason": reason} for name, reason in reasons.items()]
    return sorted(audio.keys() & annotations.keys()), rejected


def main(argv=None):
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.pair", description=__doc__.splitlines()[0]
    )
    path = pathlib.Path
    add = parser.add_argument
    add("directory", type=path, help="directory of TRACK_ID.flac and TRACK_ID.jams")
    add(
        "--output",
        type=path,
        metavar="DIR",
        help="directory for the indexes (default: same)",
    )
    add(
        "--audio-ext",
        metavar="EXT",
        help="extension of the audio, if there are several",
    )
    add(
        "--jams-ext",
        metavar="EXT",
        default="jams",
        help="extension of the annotations (default: %(default)s)",
    )
    add(
        "--namespace",
        action="append",
        default=[],
        dest="namespaces",
        metavar="NAME",
        help="annotation that each track must have, such as chord (may be repeated)",
    )
    add(
        "--group-by",
        default="artist",
        metavar="BY",
        help="artist, release, track, or a regular expression with one group that "
        "matches track ids (default: %(default)s)",
    )
    add(
        "--test-fraction",
        type=float,
        default=0.2,
        help="share of tracks to test on (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="seed of the split (default: %(default)s)")
    add(
        "--min-duration",
        type=float,
        default=setup.SHORTEST,
        metavar="SECONDS",
        help="reject shorter audio; training skips what is shorter than a patch "
        "(default: %(default)s, the minimum of the setup stage)",
    )
    add("--jobs", type=cli.jobs, default=1, metavar="N", help="number of processes")
    arguments = parser.parse_args(argv)

    train, test, rejected, closer, partial = pair(**vars(arguments))
    n_tracks = len(train) + len(test)
    n_groups = len({record["group"] for record in [*train, *test]})
    cli.say(
        f"{n_tracks} tracks in {n_groups} groups: {len(train)} for training, "
        f"{len(test)} ({len(test) / n_tracks:.0%}) for testing"
    )
    alone = sum(record["group"] == record["track_id"] for record in [*train, *test])
    if arguments.group_by in {"artist", "release"} and alone:
        cli.say(f"{alone} tracks without {arguments.group_by}, each a group of its own")
    if closer:
        cli.say(
            f"--seed {closer[0]} would put {closer[1]:.0%} in the test set; once "
            "models are trained, do not change the seed"
        )
    if partial:
        cli.say(
            f"{len(partial)} tracks are annotated for less than half of their length, "
            f"such as {partial[0]}"
        )
    output = arguments.output or arguments.directory
    if rejected:
        cli.say(f"{len(rejected)} rejected, see {output / 'rejected.json'}")
    if paths := outdated(output, train):
        cli.say(
            f"{', '.join(map(str, paths))}: out of date, as its tracks differ from the "
            "new index_train.json; run crema.corpus.heard again, or copy "
            "index_train.json again if heard did not write the file"
        )


if __name__ == "__main__":
    run(main)
