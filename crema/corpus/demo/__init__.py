"""Compose, render and annotate a small corpus, for training without other data.

The forty pieces last 34.5 to 44 s (mean 39.4 s) and use the idioms of popular music,
blues, jazz, folk and hymns.  Their annotations are exact, because the pieces are
rendered from them.  Each piece is reproducible on any machine and in any order.

From the command line::

    python -m crema.corpus.demo data/demo              # all pieces
    python -m crema.corpus.demo data/demo --tracks blues_shuffle_1 --seconds 10
    python -m crema.corpus.demo --write-index training/chord

Each piece is a pair of files, ``track_id.flac`` and ``track_id.jams``, with the
annotations

- `chord`: Harte syntax, with inversions; ``N`` wherever no chord sounds;
- `beat`: the value is the position in the bar, from 1 for the downbeat; 6/8 has two
  beats, dotted quarters;
- `key_mode`: tonic and mode, from the first chord to the last.
"""

import pathlib

from crema.corpus import common
from crema.corpus.demo.composer import Composition, compose
from crema.corpus.demo.idioms import PIECES, Piece
from crema.exceptions import ConfigError
from crema.utils import index

__all__ = ["Composition", "Piece", "catalogue", "compose", "write", "write_indexes"]

VERSION = "1"
SAMPLE_RATE = 22050


def catalogue():
    """List the pieces of the corpus.

    Returns
    -------
    list of Piece
        The whole corpus, training pieces first; `split` and `family` of a piece give
        its side and its group.
    """
    return list(PIECES)


def write(track_id, directory, sample_rate=SAMPLE_RATE, seconds=None):
    """Compose, render and write one piece.

    Parameters
    ----------
    track_id : str
        A piece of the catalogue.
    directory : str or path-like
        Directory for ``track_id.flac`` and ``track_id.jams``.
    sample_rate : int
        Samples per second of the audio.
    seconds : float, optional
        Approximate length of the piece; see :func:`compose`.

    Raises
    ------
    ConfigError
        There is no such piece, or `seconds` is out of range.
    CremaError
        A file cannot be written.
    """
    from crema.corpus.render import render

    pieces = {piece.track_id: piece for piece in PIECES}
    if track_id not in pieces:
        raise ConfigError(
            f"{track_id}: not in the demo corpus; give one of its {len(pieces)} "
            f"pieces, {PIECES[0].track_id} to {PIECES[-1].track_id}"
        )
    composition = compose(pieces[track_id], seconds)
    y = render(
        composition.parts, sample_rate=sample_rate, duration=composition.duration
    )
    path = pathlib.Path(directory, f"{track_id}.jams")
    common.write_pair(path, annotate(track_id, composition), y, sample_rate)


def annotate(track_id, composition):
    """Return the annotations of a composition.

    Parameters
    ----------
    track_id : str
        Used as the title.
    composition : Composition
        Result of :func:`compose`.

    Returns
    -------
    jams.JAMS
        One annotation each of `chord`, `beat` and `key_mode`.
    """
    return common.jam(
        track_id,
        composition.duration,
        {
            "chord": composition.chords,
            "beat": composition.beats,
            "key_mode": [composition.key],
        },
        artist="crema.corpus.demo",
        curator="crema",
        corpus="crema demo",
        version=VERSION,
        annotation_tools="crema.corpus.demo",
        annotation_rules="the score that was rendered",
        data_source="program",
    )


def write_indexes(directory):
    """Write ``index_train.json`` and ``index_test.json`` of the corpus.

    Parameters
    ----------
    directory : str or path-like
        Output directory.

    Raises
    ------
    CremaError
        A file cannot be written.
    """
    for split in ("train", "test"):
        records = [
            {"track_id": piece.track_id, "group": piece.family}
            for piece in PIECES
            if piece.split == split
        ]
        index.write_index(pathlib.Path(directory, f"index_{split}.json"), records)
