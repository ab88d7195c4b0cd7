r"""Measure how well the notes of POP909 predict the qualities of its chords.

    python benchmarks/quality_ceiling.py POP909_DIR

No audio is used: the root of each chord is given, and how long each pitch class sounds
in the MIDI file.  Boosted trees are trained on three quarters of the artists and
predict the qualities of the others' chords, from one of three inputs:

- all: the boundaries of each chord, and which notes belong to the accompaniment and
  which are sung;
- mixed: the boundaries, but not who plays a note, which audio does not tell either;
- frames: no boundaries, but the notes within three seconds on either side of each
  frame.

The program prints the share of the time of each annotated quality that is predicted
correctly.
"""

import argparse
import csv
import json
import pathlib

import mir_eval
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupShuffleSplit

from crema.corpus.arrange import read_tracks
from crema.notes import split

#: Qualities to distinguish; all others are one more class, "other".
QUALITIES = ("maj", "min", "min7", "sus2", "maj7", "7", "sus4", "dim")
#: Seconds between frames, and the step, in frames, between those that are classified.
HOP, EVERY = 0.1, 4
#: First frame and end, exclusive, of each window, relative to the classified frame.
WINDOWS = ((-3, 4), (-8, -3), (4, 9), (-16, -8), (9, 17), (-30, -16), (17, 31))


def piano_roll(notes, n_frames):
    """Return how many notes of each pitch class sound, shape (n_frames, 12)."""
    roll = np.zeros((n_frames, 12), np.float32)
    for note in notes:
        first = int(note.start / HOP)
        roll[first : max(first + 1, int(note.end / HOP)), note.pitch % 12] += 1
    return roll


def pooled(rolls, first, stop):
    """Return means of each roll over a chord and over its two halves."""
    half = max(first + 1, (first + stop) // 2)
    parts = ((first, stop), (first, half), (half, max(half + 1, stop)))
    return [roll[slice(*part)].mean(axis=0) for roll in rolls for part in parts]


def song(source, name):
    """Return features, qualities and durations of the chords and frames of a song.

    Parameters
    ----------
    source : pathlib.Path
        The directory of POP909.
    name : str
        The song id.

    Returns
    -------
    dict of str to (list of np.ndarray, list of str, list of float)
        Features, quality and duration in seconds of each example, by kind of input.
    """
    chords = json.loads((source / "labels" / f"{name}.json").read_text())["chords"]
    n_frames = int(chords[-1][1] / HOP) + 2
    tracks = read_tracks(source / "midi" / f"{name}.mid")
    notes = {track: found for track, found, _ in tracks}
    sung = piano_roll(notes.pop("MELODY", []), n_frames)
    played = piano_roll([note for part in notes.values() for note in part], n_frames)
    asked = {"all": ([], [], []), "mixed": ([], [], []), "frames": ([], [], [])}
    reach = max(map(max, WINDOWS))
    around = np.pad(sung + played, ((reach, reach), (0, 0)))

    def ask(way, told, quality, seconds):
        for to, value in zip(asked[way], (told, quality, seconds), strict=True):
            to.append(value)

    for start, end, label in chords:
        root, quality, *_ = mir_eval.chord.split(label)
        first, stop = int(start / HOP), int(end / HOP)
        if root in "NX" or stop - first < 2:
            continue
        quality = quality if quality in QUALITIES else "other"
        turn = -split(root)[0]
        seconds = end - start
        for way, rolls in (("all", [played, sung]), ("mixed", [sung + played])):
            told = np.roll(pooled(rolls, first, stop), turn, 1)
            ask(way, np.append(told, seconds), quality, seconds)
        for frame in range(first + 1, stop, EVERY):
            at = frame + reach
            told = [around[at + a : at + b].mean(axis=0) for a, b in WINDOWS]
            ask("frames", np.roll(told, turn, 1).ravel(), quality, EVERY * HOP)
    return asked


def among(truth, quality):
    """Return which annotated qualities are this one, or all of them for ``any``."""
    return (truth == quality) | (quality == "any")


def main():
    """Print the share of each quality that is predicted correctly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=pathlib.Path, help="directory that contains tracks.tsv"
    )
    parser.add_argument(
        "--songs", type=int, default=300, help="number of songs to read"
    )
    args = parser.parse_args()
    with open(args.source / "tracks.tsv", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    rows = rows[:: max(1, len(rows) // args.songs)][: args.songs]
    songs = [song(args.source, row["id"]) for row in rows]
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=0)
    sides = next(splitter.split(songs, groups=[row["artist"] for row in rows]))
    found = {}
    for way in songs[0]:
        (x, y, weight), test = (
            [np.concatenate([songs[n][way][part] for n in side]) for part in range(3)]
            for side in sides
        )
        trees = HistGradientBoostingClassifier(random_state=0, early_stopping=True)
        guess = trees.fit(x, y, weight).predict(test[0])
        found[way] = guess == test[1], test[1], test[2]
    _, qualities, seconds = found["all"]
    print("quality", "share", *found, sep="\t")
    for quality in (*QUALITIES, "other", "any"):
        share = f"{seconds[among(qualities, quality)].sum() / seconds.sum():.3f}"
        rights = [
            f"{np.average(right[these], weights=weight[these]):.3f}"
            if these.any()
            else "-"
            for right, truth, weight in found.values()
            for these in [among(truth, quality)]
        ]
        print(quality, share, *rights, sep="\t")


if __name__ == "__main__":
    main()
