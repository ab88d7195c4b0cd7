r"""Stage 3, key: score the model on the test tracks, end to end from audio.

    python training/key/03-evaluate.py --corpus corpora/demo \
        --index training/key/index_test.json --resources training/key/resources

The scores are the weighted score of mir_eval.key for the key of the whole track, the
share of each kind of error, and the share of time in which the local key is correct.
The baseline is a correlation of chroma with key profiles.
"""

import numpy as np

from crema import exceptions
from crema.utils import evaluate

#: Listeners' ratings of how well each tone fits a context in C major or C minor;
#: C. Krumhansl, "Cognitive foundations of musical pitch", 1990, table 2.1.
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
#: Modes, and the relations of an estimate to its reference.
RELATIONS = ("correct", "fifth", "relative", "parallel", "other")
LABELS = ("major", "minor", *RELATIONS)


def score(reference, overall, local=None):
    """Score a key annotation.

    Parameters
    ----------
    reference, overall : jams.Annotation
        Namespace key_mode; the key that lasts longest counts.
    local : jams.Annotation, optional
        Local keys; by default `overall`.

    Returns
    -------
    dict of float
        ``weighted_score`` of mir_eval; ``correct``, ``fifth`` (one above or one below),
        ``relative``, ``parallel`` and ``other``, one of which is 1; ``local``, the
        share of the time with a key in which the local key is correct.

    Raises
    ------
    NotComparable
        The reference names no key.
    """
    import mir_eval

    from crema.tasks import key

    truth, found = (
        key.longest(*encoded(annotation)) for annotation in (reference, overall)
    )
    if truth < 0:
        raise evaluate.NotComparable("the annotation names no key")
    names = [
        key.KEYS[index].replace(":", " ") if index >= 0 else "X"
        for index in (truth, found)
    ]
    scores = {"weighted_score": float(mir_eval.key.weighted_score(*names))}
    kind = relation(truth, found) if found >= 0 else "other"
    for name in RELATIONS:
        scores[name] = float(kind == name)
    total = sum(obs.duration for obs in reference.data if key.parse(obs.value) >= 0)
    right = sum(
        seconds for _, hit, seconds in correct(reference, local or overall) if hit
    )
    scores["local"] = float(min(1.0, right / total))
    return scores


def relation(reference, estimate):
    """Return the relation of an estimated key class to that of the reference."""
    steps = (estimate - reference) % 12
    if estimate // 12 == reference // 12:
        return {0: "correct", 5: "fifth", 7: "fifth"}.get(steps, "other")
    relative = 9 if reference < 12 else 3
    return {0: "parallel", relative: "relative"}.get(steps, "other")


def encoded(annotation):
    """Return the intervals and key classes of an annotation."""
    from crema.tasks import key

    intervals, labels = annotation.to_interval_values()
    try:
        return intervals, [key.parse(label) for label in labels]
    except exceptions.AnnotationError as error:
        raise evaluate.NotComparable(str(error)) from error


def correct(reference, *estimates):
    """Return confidence, whether the key is correct, and seconds, of all estimates."""
    from crema.tasks import key

    return [
        (found.confidence, key.parse(found.value) == key.parse(expected.value), seconds)
        for estimate in estimates
        for expected, found, seconds in evaluate.overlaps(reference, estimate)
        if key.parse(expected.value) >= 0
    ]


def confused(reference, *estimates):
    """Return the mode, the relation of the local key to the reference, and seconds."""
    from crema.tasks import key

    rows = []
    for expected, found, seconds in evaluate.overlaps(reference, estimates[-1]):
        truth, answer = key.parse(expected.value), key.parse(found.value)
        if truth >= 0:
            kind = relation(truth, answer) if answer >= 0 else "other"
            rows.append(("major" if truth < 12 else "minor", kind, seconds))
    return rows


def baseline(y, sr):
    """Correlate the mean chroma of the track with key profiles.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio.
    sr : int
        Its sampling rate in Hz.

    Returns
    -------
    jams.Annotation
        One key.
    """
    import jams

    from crema.chroma import chromagram
    from crema.tasks import key

    chroma, duration = chromagram(y, sr, norm=np.inf), len(y) / sr
    profiles = [
        np.roll(PROFILES[mode], tonic)
        for mode in ("major", "minor")
        for tonic in range(12)
    ]
    likeness = np.corrcoef(np.vstack([chroma.mean(axis=1), profiles]))[0, 1:]
    annotation = jams.Annotation("key_mode", time=0, duration=duration)
    annotation.annotation_metadata.annotation_tools = "Krumhansl key profiles"
    best = int(np.nan_to_num(likeness).argmax())
    annotation.append(0, duration, key.KEYS[best], None)
    return annotation


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    args = evaluate.parser(__doc__).parse_args(argv)
    scoring = evaluate.Scoring(score, baseline, correct, confused, LABELS)
    evaluate.run(args, "key", scoring)


if __name__ == "__main__":
    exceptions.program(main)
