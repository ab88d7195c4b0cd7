r"""Stage 3, NAME: score the model on the test tracks, end to end from audio.

    python training/NAME/03-evaluate.py --corpus corpora/demo \
        --index training/NAME/index_test.json --resources training/NAME/resources

mir_eval computes the score; the baseline needs no training.
"""

from crema import exceptions
from crema.notes import PITCH_CLASSES
from crema.utils import evaluate

#: Rows and columns of the confusion matrix: here roots, and N, whose root is -1.
LABELS = (*PITCH_CLASSES, "N")


def score(reference, estimate):
    """Score an annotation.

    Parameters
    ----------
    reference, estimate : jams.Annotation
        In the namespace of the task; `estimate` is the first annotation of the model.

    Returns
    -------
    dict of str to (float or None)
        Scores in [0, 1]; None if the reference has nothing to compare with.

    Raises
    ------
    NotComparable
        The reference cannot be used for scoring; the message says why.
    """
    import mir_eval

    if all(obs.value == "X" for obs in reference.data):
        raise evaluate.NotComparable("the annotation has no known root")
    sides = []
    for annotation in (reference, estimate):
        intervals, labels = annotation.to_interval_values()
        # A rounding error in start plus duration can overlap the next segment.
        sides += [intervals.round(6), labels]
    scores = mir_eval.chord.evaluate(*sides)
    return {"root": float(scores["root"])}


def correct(reference, estimate):
    """Return rows of confidence, whether the label is right, and duration in seconds.

    The calibration error of the confidence is computed from them.
    """
    from mir_eval import chord

    return [
        (est.confidence, chord.root([ref.value], [est.value])[0], seconds)
        for ref, est, seconds in evaluate.overlaps(reference, estimate)
        if ref.value != "X"
    ]


def confused(reference, estimate):
    """Return rows of reference label, estimated label, and duration in seconds.

    The confusion matrix, here of roots, is computed from them.
    """
    from mir_eval import chord

    return [
        (*(LABELS[chord.encode(obs.value)[0]] for obs in (ref, est)), seconds)
        for ref, est, seconds in evaluate.overlaps(reference, estimate)
        if ref.value != "X"
    ]


def baseline(y, sr):
    """Estimate the strongest pitch class of each frame.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio.
    sr : int
        Its sampling rate in Hz.

    Returns
    -------
    jams.Annotation
        In the namespace of the task.
    """
    import numpy as np

    from crema import segments
    from crema.chroma import FRAME, chromagram
    from crema.tasks import NAME as task

    strongest = chromagram(y, sr).argmax(axis=0)[:, np.newaxis]
    return segments.annotate("chord", strongest, task.LABELS, None, FRAME, len(y) / sr)


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    args = evaluate.parser(__doc__).parse_args(argv)
    scoring = evaluate.Scoring(score, baseline, correct, confused, LABELS)
    evaluate.run(args, "NAME", scoring)


if __name__ == "__main__":
    exceptions.program(main)
