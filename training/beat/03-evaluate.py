r"""Stage 3, beat: score the model on the test tracks, end to end from audio.

    python training/beat/03-evaluate.py --corpus corpora/demo \
        --index training/beat/index_test.json --resources training/beat/resources

The scores are those of mir_eval.beat.evaluate, which ignores the first 5 seconds of a
track, and the F-measure of downbeats.  The baseline is librosa's beat tracker, with a
downbeat at every fourth beat from the first.
"""

import numpy as np

from crema import exceptions
from crema.utils import evaluate

#: Positions in the bar, and the label of unmatched beats.
LABELS = (*map(str, range(1, 8)), "no beat")


def score(reference, estimate):
    """Score a beat annotation.

    Parameters
    ----------
    reference, estimate : jams.Annotation
        Namespace beat.

    Returns
    -------
    dict of float or None
        The scores of mir_eval.beat.evaluate; ``downbeat_f_measure``, None if the
        reference lacks a position in the bar, or has no downbeat; ``offset_seconds``,
        the median of estimated minus annotated time over matched beats, None if none.

    Raises
    ------
    NotComparable
        The reference has fewer than two beats after the first 5 seconds.
    """
    import mir_eval

    from crema.models.beat import TOLERANCE

    beats = {}
    for side, annotation in (("reference", reference), ("estimate", estimate)):
        order = sorted(annotation.data, key=lambda obs: obs.time)
        times = np.asarray([obs.time for obs in order])
        downbeat = np.asarray([obs.value == 1 for obs in order], dtype=bool)
        beats[side] = (
            # A beat that is annotated twice counts once.
            mir_eval.beat.trim_beats(np.unique(times)),
            mir_eval.beat.trim_beats(np.unique(times[downbeat])),
            all(obs.value is not None for obs in order),
        )
    expected, expected_down, told = beats["reference"]
    found, found_down, _ = beats["estimate"]
    if len(expected) < 2:
        raise evaluate.NotComparable(
            f"{len(expected)} beat(s) after the first 5 s, which are not scored"
        )
    scores = mir_eval.beat.evaluate(expected, found, min_beat_time=0.0)
    scores = {
        name.lower().replace("-", "_").replace(" ", "_"): float(value)
        for name, value in scores.items()
    }
    scores["downbeat_f_measure"] = (
        float(mir_eval.beat.f_measure(expected_down, found_down))
        if told and len(expected_down)
        else None
    )
    pairs = mir_eval.util.match_events(expected, found, TOLERANCE)
    offsets = [found[j] - expected[i] for i, j in pairs]
    scores["offset_seconds"] = float(np.median(offsets)) if offsets else None
    return scores


def correct(reference, estimate):
    """Return the confidence of each beat, whether it is correct, and the weight 1."""
    hits = matched(reference, estimate).values()
    return [(obs.confidence, j in hits, 1) for j, obs in enumerate(estimate.data)]


def confused(reference, estimate):
    """Return the position of each beat, that of its estimate, and the weight 1.

    Unmatched beats of either side are paired with ``no beat``.
    """
    expected, found = (
        ["beat" if obs.value is None else f"{obs.value:g}" for obs in annotation.data]
        for annotation in (reference, estimate)
    )
    pairs = matched(reference, estimate)
    there = [pairs.get(i) for i in range(len(expected))]
    rows = [
        (one, "no beat" if j is None else found[j], 1)
        for one, j in zip(expected, there, strict=True)
    ]
    return rows + [("no beat", one, 1) for j, one in enumerate(found) if j not in there]


def matched(reference, estimate):
    """Return a dict from each matched beat of the reference to that of the estimate."""
    import mir_eval

    from crema.models.beat import TOLERANCE

    expected, found = (
        np.asarray([obs.time for obs in annotation.data])
        for annotation in (reference, estimate)
    )
    return dict(mir_eval.util.match_events(expected, found, TOLERANCE))


def baseline(y, sr):
    """Track beats with librosa, from onsets and a single tempo.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,)
        Audio.
    sr : int
        Its sampling rate in Hz.

    Returns
    -------
    jams.Annotation
        Every fourth beat, from the first, is a downbeat.

    References
    ----------
    D. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research,
    2007.
    """
    import jams

    from crema import samples
    from crema.compiled import librosa

    y22 = samples.resample(y, sr, 22050)
    _, times = librosa.beat.beat_track(y=y22, sr=22050, units="time")
    annotation = jams.Annotation("beat", time=0, duration=len(y) / sr)
    annotation.annotation_metadata.annotation_tools = "librosa.beat.beat_track"
    for number, time in enumerate(times):
        annotation.append(float(time), 0, number % 4 + 1, None)
    return annotation


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    args = evaluate.parser(__doc__).parse_args(argv)
    scoring = evaluate.Scoring(score, baseline, correct, confused, LABELS)
    evaluate.run(args, "beat", scoring)


if __name__ == "__main__":
    exceptions.program(main)
