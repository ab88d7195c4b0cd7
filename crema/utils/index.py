"""Corpora, indexes and splits.

A corpus is a directory of pairs ``track_id.audio_ext`` and ``track_id.jams_ext``.
An index is a JSON list of records, one per track::

    [{"track_id": "song_1", "group": "some artist"}, ...]

``pandas.read_json`` parses it.  A ``group`` (artist, album, progression family; by
default the track itself) must never be on both sides of a split.  A track whose group
is null is never held out for validation: use it for tracks with pseudo-labels.
"""

import dataclasses
import json
import os
import pathlib

from crema.exceptions import ConfigError, CorpusError, CremaError
from crema.utils import disk, rng


def read_index(path, leave_out=()):
    """Read an index.

    Parameters
    ----------
    path : str or path-like
        An ``index_train.json`` or ``index_test.json``.
    leave_out : iterable of str
        Tracks to exclude.

    Returns
    -------
    dict of str to (str or None)
        The group of each ``track_id``, in the order of the file.

    Raises
    ------
    CorpusError
        The file is missing, malformed or lists no track, lists a track twice, or holds
        a ``track_id`` that cannot be used (:func:`check_track_id`).
    """
    index, groups = {}, {}
    for record in read_records(path):
        track_id = record["track_id"]
        group = record.get("group", track_id)
        # Equal texts are one object, as an index can hold 100,000 tracks.
        group = track_id if group == track_id else group
        index[track_id] = groups.setdefault(group, group)
    for track_id in leave_out:
        index.pop(track_id, None)
    if not index:
        raise CorpusError(f"{path}: lists no tracks; a split must not be empty")
    return index


def read_records(path):
    """Read the records of an index, which can be none.

    Raises
    ------
    CorpusError
        As in :func:`read_index`, except that it can list no track.
    """
    try:
        records = disk.read_json(path)
    except CremaError as error:
        raise CorpusError(str(error)) from error
    listed = set()
    try:
        if not isinstance(records, list):
            raise TypeError
        for record in records:
            track_id = record["track_id"]
            group = record.get("group", track_id)
            if not (isinstance(track_id, str) and isinstance(group, str | None)):
                raise CorpusError(
                    f"{path}: track_id and group must be strings, but are not in "
                    f"{json.dumps(record)}; quote them"
                )
            if track_id in listed:
                raise CorpusError(f"{path}: track {track_id!r} is listed twice")
            check_track_id(track_id, path)
            listed.add(track_id)
    except (TypeError, KeyError, AttributeError) as error:
        raise CorpusError(
            f'{path}: is not a list of {{"track_id": "...", "group": "..."}} records'
        ) from error
    return records


def write_index(path, records):
    """Write an index.

    Parameters
    ----------
    path : str or path-like
        The JSON file to write.
    records : iterable of dict
        Each with a ``track_id`` and a ``group``.
    """
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    disk.write_text(path, "[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n")


def check_track_id(track_id, where):
    """Raise CorpusError unless `track_id` can be the stem of a file."""
    if not track_id or set(track_id) & set("./\\\n{}") or track_id.startswith("-"):
        raise CorpusError(
            f"{where}: track_id {track_id!r} cannot be used: a track_id is a file name "
            "without its extension and must not begin with a dash or contain "
            "braces, dots or slashes (copies are named track_id.augment_id.ext); "
            "rename the files"
        )
    # Snakemake takes such a name for an endless chain of rules.
    lengths = range(1, len(track_id) // 20 + 1)
    if any(track_id.endswith(20 * track_id[-length:]) for length in lengths):
        raise CorpusError(
            f"{where}: track_id {track_id!r} cannot be used, as its end is the same "
            "text 20 times; rename the files"
        )


def check_splits(train, test, names=("the training index", "the test index")):
    """Raise CorpusError if a track or a group is on both sides.

    Parameters
    ----------
    train, test : dict of str to (str or None)
        Indexes as :func:`read_index` returns them.
    names : pair of str or path-like
        Names of the indexes in the message: their files, if there are any.
    """
    where = f"in both {names[0]} and {names[1]}"
    both = sorted(set(train) & set(test))
    if both:
        raise CorpusError(
            f"{len(both)} track(s) {where}, such as {both[0]!r}; remove them from one"
        )
    groups = set(train.values()) & set(test.values()) - {None}
    if groups:
        raise CorpusError(
            f"{len(groups)} group(s) {where}, such as {min(groups)!r}; move all tracks "
            "of each group to one"
        )


def n_held_out(index, fraction, name="the training index"):
    """Return how many groups of an index are held out for validation, at least one.

    Parameters
    ----------
    index : dict of str to (str or None)
        The group of each track, if it has one.
    fraction : float
        Share of the groups to hold out.
    name : str or path-like
        Name of the index in the message: its file, if there is one.

    Raises
    ------
    ConfigError
        One side would be empty.
    """
    n_groups = len(set(index.values()) - {None})
    possible = 0 < fraction < 1
    count = max(1, round(fraction * n_groups)) if possible else 0
    if not possible or count >= n_groups:
        raise ConfigError(
            f"holding out a share of {fraction:g} of {n_groups} group(s) for "
            f"validation leaves one side empty; list more groups in {name} or change "
            "validation_fraction, which must lie between 0 and 1"
        )
    return count


def hold_out(index, fraction, seed, name="the training index"):
    """Split an index by group into training and validation tracks.

    Parameters
    ----------
    index, fraction, name
        As in :func:`n_held_out`; tracks without a group are kept.
    seed : int
        Seed of the choice.

    Returns
    -------
    kept, held_out : list of str
        Track ids, in the order of the index.

    Raises
    ------
    ConfigError
        One side would be empty.
    """
    count = n_held_out(index, fraction, name)
    groups = sorted(set(index.values()) - {None})
    chosen = set(rng.generator(seed, "hold out").permutation(groups)[:count])
    kept = [track for track, group in index.items() if group not in chosen]
    return kept, [track for track, group in index.items() if group in chosen]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A directory of audio files and their annotations.

    Attributes
    ----------
    directory : pathlib.Path
        Directory of the pairs.
    audio_ext, jams_ext : str
        Their extensions, without a dot.
    """

    directory: pathlib.Path
    audio_ext: str = "flac"
    jams_ext: str = "jams"

    def audio(self, track_id):
        """Return the path of the audio of `track_id`."""
        return pathlib.Path(self.directory, f"{track_id}.{self.audio_ext}")

    def jams(self, track_id):
        """Return the path of the annotation of `track_id`."""
        return pathlib.Path(self.directory, f"{track_id}.{self.jams_ext}")

    def check(self, tracks):
        """Raise CorpusError unless both files of every track exist.

        Parameters
        ----------
        tracks : iterable of str
            Track ids of an index.
        """
        try:
            # One listing instead of two look-ups per track: corpora are large and often
            # on network file systems.
            present = {entry.name for entry in os.scandir(self.directory)}
        except OSError as error:
            raise CorpusError(
                f"{self.directory}: the corpus directory cannot be read "
                f"({error.strerror}); set corpus: directory:"
            ) from error
        pairs, problems = 0, []
        for track in tracks:
            audio = self.audio(track).name in present
            annotation = self.jams(track).name in present
            pairs += audio and annotation
            if audio and not annotation:
                problems.append(f"{self.audio(track).name} without annotation")
            elif annotation and not audio:
                problems.append(f"{self.jams(track).name} without audio")
            elif not audio:
                problems.append(f"{track} without audio and annotation")
        if not pairs:
            raise CorpusError(
                f"{self.directory}: contains no pair of *.{self.audio_ext} and "
                f"*.{self.jams_ext} for the index; check corpus: directory:, "
                "audio_ext: and jams_ext:"
            )
        if problems:
            more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
            raise CorpusError(
                f"{self.directory}: {', '.join(problems[:3])}{more}; add the files, or "
                "list the tracks in index: leave_out:"
            )
