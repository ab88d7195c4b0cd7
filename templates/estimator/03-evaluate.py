r"""Stage 3, NAME: score the model on the test tracks, end to end from audio.

    python training/NAME/03-evaluate.py --corpus corpora/demo \
        --index training/NAME/index_test.json --resources training/NAME/resources

The score is that of mir_eval; the baseline needs no training.
"""

from crema import exceptions
from crema.notes import PITCH_CLASSES
from crema.utils import evaluate

#: Here, a root, and none, which mir_eval calls -1.
LABELS = (*PITCH_CLASSES, "N")


def score(reference, estimate):
    """Score an annotation.

    Parameters
    ----------
    reference, estimate : jams.Annotation
        Of the namespace of the task; `estimate` is the first that the model returns.

    Returns
    -------
    dict of float or None
        In [0, 1]; None where the reference has nothing to compare with.

    Raises
    ------
    NotComparable
        The reference cannot be scored against; the message says why.
    """
    import mir_eval

    if all(obs.value == "X" for obs in reference.data):
        raise evaluate.NotComparable("the annotation tells no root")
    sides = []
    for annotation in (reference, estimate):
        intervals, labels = annotation.to_interval_values()
        # Start plus duration can exceed the next start by one bit, an overlap.
        sides += [intervals.round(6), labels]
    scores = mir_eval.chord.evaluate(*sides)
    return {"root": float(scores["root"])}


def correct(reference, estimate):
    """Return rows of a confidence, whether it was right, and its weight, here seconds.

    From them follows how well the confidence of the estimator is calibrated.
    """
    from mir_eval import chord

    return [
        (found.confidence, chord.root([expected.value], [found.value])[0], seconds)
        for expected, found, seconds in evaluate.overlaps(reference, estimate)
        if expected.value != "X"
    ]


def confused(reference, estimate):
    """Return rows of a label, which one was given in its place, and their weight.

    From them follows the figure of what is taken for what; here of roots, in seconds.
    """
    from mir_eval import chord

    return [
        (*(LABELS[chord.encode(obs.value)[0]] for obs in (expected, found)), seconds)
        for expected, found, seconds in evaluate.overlaps(reference, estimate)
        if expected.value != "X"
    ]


def baseline(y, sr):
    """Take the strongest pitch class of each frame.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio.
    sr : int
        Its sampling rate in Hz.

    Returns
    -------
    jams.Annotation
        Of the namespace of the task.
    """
    import numpy as np

    from crema import segments
    from crema.compiled import librosa
    from crema.tasks.NAME import LABELS
    from crema.utils import audiofile

    duration = len(y) / sr
    y = np.pad(y, (0, max(0, sr - len(y))))
    chroma = librosa.feature.chroma_cqt(
        y=audiofile.resample(y, sr, 22050), sr=22050, hop_length=2048
    )
    strongest = chroma.argmax(axis=0)[:, np.newaxis]
    return segments.annotate("chord", strongest, LABELS, None, 2048 / 22050, duration)


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    args = evaluate.parser(__doc__).parse_args(argv)
    scoring = evaluate.Scoring(score, baseline, correct, confused, LABELS)
    evaluate.run(args, "NAME", scoring)


if __name__ == "__main__":
    exceptions.program(main)
