r"""Measure how well the chords of POP909 predict its keys: a ceiling for estimators.

    python benchmarks/key_ceiling.py POP909_DIR

For each song, a random forest is given a major key and its relative minor, one of which
is the annotated key, and the annotated chords and sections with their times.  In a
ten-fold cross-validation it learns to predict which of the two is annotated.  Where it
fails, the harmony does not determine the key, or the label is unreliable.
"""

import argparse
import json
import pathlib

import mir_eval
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from crema.tasks.key import longest, parse


def describe(labels, tonic):
    """Describe the chords of a song by scale degree.

    Parameters
    ----------
    labels : dict
        ``chords`` and ``sections``, lists of [start, end, label].
    tonic : int
        Pitch class of the major key.

    Returns
    -------
    np.ndarray, shape=(96,)
        For each scale degree: the share of time as root of a major, a minor and another
        chord, and as bass; whether it is the first and the last root; the shares of
        sections that begin and that end with it as root.
    """
    found = np.zeros((12, 8))
    spans = []
    for start, end, label in labels["chords"]:
        root, tones, bass = mir_eval.chord.encode(label)
        if root >= 0:
            quality = 0 if tones[4] else 1 if tones[3] else 2
            found[root, quality] += end - start
            found[(root + bass) % 12, 3] += end - start
            spans.append((start, end, root))
    found /= max(found[:, :3].sum(), 1e-9)
    if spans:
        found[spans[0][2], 4] = found[spans[-1][2], 5] = 1
    for begin, stop, _ in labels["sections"]:
        for start, end, root in spans:
            found[root, 6] += (start <= begin + 0.3 < end) / len(labels["sections"])
            found[root, 7] += (start < stop - 0.3 <= end) / len(labels["sections"])
    return np.roll(found, -tonic, axis=0).ravel()


def main():
    """Print the share of songs whose mode is predicted correctly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=pathlib.Path, help="directory that contains labels/*.json"
    )
    source = parser.parse_args().source
    songs, minor = [], []
    for path in sorted((source / "labels").glob("*.json")):
        labels = json.loads(path.read_text())
        intervals = [(start, end) for start, end, _ in labels["keys"]]
        key = longest(intervals, [parse(label) for *_, label in labels["keys"]])
        if key >= 0:
            minor.append(key >= 12)
            songs.append(describe(labels, key if key < 12 else (key - 9) % 12))
    forest = RandomForestClassifier(400, random_state=0)
    found = cross_val_predict(forest, np.asarray(songs), minor, cv=10)
    right = np.mean(found == minor)
    print(f"{len(songs)} songs, {np.mean(minor):.3f} of them in minor")
    print(f"mode predicted correctly from the chords: {right:.3f}")
    # A relative key scores .3 in the weighted score of mir_eval.
    print(f"weighted score if all else is right: {right + 0.3 * (1 - right):.3f}")


if __name__ == "__main__":
    main()
