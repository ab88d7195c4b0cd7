r"""Stage 3, chord: score the model on the test tracks, end to end from audio.

    python training/chord/03-evaluate.py --corpus corpora/demo \
        --index training/chord/index_test.json --resources training/chord/resources

The scores are those of mir_eval.chord.evaluate; the baseline matches chroma against
templates of major and minor triads.
"""

import itertools

import numpy as np

from crema import exceptions
from crema.utils import evaluate

#: Qualities of the vocabulary; no chord; outside of the vocabulary; wrong root.
LABELS = (
    *("maj", "min", "7", "maj7", "min7", "minmaj7", "maj6", "min6"),
    *("dim", "dim7", "hdim7", "aug", "sus2", "sus4", "N", "X", "other root"),
)


def score(reference, estimate):
    """Score a chord annotation.

    Parameters
    ----------
    reference, estimate : jams.Annotation
        Namespace chord.

    Returns
    -------
    dict of float or None
        The scores of mir_eval.chord.evaluate; None if no chord is comparable.

    Raises
    ------
    NotComparable
        The reference is empty, overlaps, or holds a label that does not parse.
    """
    from mir_eval import chord

    expected = intervals_of(reference)
    scores = chord.evaluate(*expected, *intervals_of(estimate))
    # mir_eval returns 0 if nothing is comparable; the reference then also scores 0
    # against itself.
    perfect = chord.evaluate(*expected, *expected)
    return {
        name: float(value) if perfect[name] > 0 else None
        for name, value in scores.items()
    }


def intervals_of(annotation):
    """Return intervals and labels; a gap is filled with X, which is not scored."""
    from mir_eval import chord

    intervals, labels = [], []
    for interval, label in zip(*annotation.to_interval_values(), strict=True):
        start, end = interval
        previous = intervals[-1][1] if intervals else 0.0
        if start < previous - 1e-3:
            raise evaluate.NotComparable(f"chords overlap at {start:.3f} s")
        try:
            chord.encode(label)
        except chord.InvalidChordException as error:
            raise evaluate.NotComparable(
                f"chord {label!r} at {start:.3f} s does not parse ({error})"
            ) from error
        start = max(start, previous)
        if start > previous + 1e-3:
            intervals.append((previous, start))
            labels.append("X")
        else:
            start = previous
        if end > start:
            intervals.append((start, end))
            labels.append(label)
    if not labels:
        raise evaluate.NotComparable("the chord annotation is empty")
    return np.asarray(intervals), labels


def correct(reference, estimate):
    """Return confidence, whether root and chord tones are correct, and seconds."""
    from mir_eval import chord

    rows = []
    for expected, found, seconds in evaluate.overlaps(reference, estimate):
        right = chord.tetrads([expected.value], [found.value])[0]
        if right >= 0:
            rows.append((found.confidence, right, seconds))
    return rows


def confused(reference, estimate):
    """Return both qualities, or ``other root`` as the estimate's, and seconds."""
    from crema.tasks.chord import ChordTags

    simplify = ChordTags().simplify
    rows = []
    for expected, found, seconds in evaluate.overlaps(reference, estimate):
        root, _, quality = simplify(expected.value).partition(":")
        other, _, answer = simplify(found.value).partition(":")
        if answer and other != root:
            answer = "other root"
        # A chord outside of the vocabulary cannot be estimated correctly.
        if root != "X":
            rows.append((quality or root, answer or other, seconds))
    return rows


def baseline(y, sr):
    """Match chroma against binary templates of 12 major and 12 minor triads.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio.
    sr : int
        Its sampling rate in Hz.

    Returns
    -------
    jams.Annotation
        The Viterbi path with a self-transition probability of 0.9.
    """
    from crema import segments
    from crema.chroma import FRAME, chromagram
    from crema.compiled import librosa
    from crema.notes import PITCH_CLASSES

    chroma = chromagram(y, sr)
    triads = [np.isin(np.arange(12), tones) for tones in ((0, 4, 7), (0, 3, 7))]
    templates = np.asarray([np.roll(t, k) for k in range(12) for t in triads], float)
    likeness = (templates / np.sqrt(3)) @ librosa.util.normalize(chroma, norm=2, axis=0)
    # A frame 34 dB below the loudest counts as silence, which is no chord.
    loudness = chroma.max(axis=0)
    silent = loudness <= 0.02 * loudness.max()
    likeness = np.vstack([np.where(silent, 0, likeness), silent])
    probability = np.exp(20 * likeness.T)
    probability /= probability.sum(axis=1, keepdims=True)
    qualities = itertools.product(PITCH_CLASSES, ("maj", "min"))
    annotation = segments.annotate(
        "chord",
        probability,
        [f"{root}:{quality}" for root, quality in qualities] + ["N"],
        0.9,  # self-transition probability
        FRAME,
        len(y) / sr,
    )
    annotation.annotation_metadata.annotation_tools = "chroma templates"
    return annotation


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    args = evaluate.parser(__doc__).parse_args(argv)
    scoring = evaluate.Scoring(score, baseline, correct, confused, LABELS)
    evaluate.run(args, "chord", scoring)


if __name__ == "__main__":
    exceptions.program(main)
