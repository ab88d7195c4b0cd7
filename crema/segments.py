"""Convert posteriors of frames to segments of time."""

import itertools

import jams
import numpy as np

#: Lower limit of posteriors in :func:`edges`.
FLOOR = 1e-6


def annotate(
    namespace,
    encoded,
    labels,
    self_transition,
    hop,
    duration=None,
    scale=1.0,
    power=1.0,
):
    """Make an annotation from the posteriors or classes of frames.

    Successive frames of equal class become one segment.

    Parameters
    ----------
    namespace : str
        Namespace of the annotation.
    encoded : np.ndarray, shape=(n_frames, n_classes) or (n_frames, 1)
        Posterior probabilities, or class indices.
    labels : sequence of str
        The label of each class.
    self_transition : float or None
        Self-transition probability of the Viterbi path, see :func:`best_path`.
    hop : float
        Seconds between frames.
    duration : float, optional
        Duration of the track in seconds; by default that of the frames.
    scale : float
        Acoustic scale of the Viterbi path, see :func:`best_path`.
    power : float
        Exponent of the confidence, see :func:`confidence`.

    Returns
    -------
    jams.Annotation
        Segments from 0 to `duration` without gap or overlap, with their
        :func:`confidence`.
    """
    if duration is None:
        duration = len(encoded) * hop
    if encoded.shape[1] == 1:
        states = encoded[:, 0].astype(int)
        encoded = np.eye(len(labels))[states]
    else:
        states = best_path(encoded, self_transition, scale)
    times = np.minimum(np.multiply(edges(encoded, states), hop), duration)
    times[-1] = duration
    annotation = jams.Annotation(namespace, time=0, duration=duration)
    for (start, end), (begin, stop) in zip(
        runs(states), itertools.pairwise(times.tolist()), strict=True
    ):
        if stop > begin:
            annotation.append(
                time=begin,
                duration=stop - begin,
                value=labels[states[start]],
                confidence=confidence(encoded[start:end], states[start], power),
            )
    return annotation


def without_data(annotation):
    """Return an annotation with the same metadata and no observations."""
    return jams.Annotation(
        annotation.namespace,
        annotation_metadata=annotation.annotation_metadata,
        sandbox=annotation.sandbox,
        time=annotation.time,
        duration=annotation.duration,
    )


def align(annotation, times, reach):
    """Move the boundaries between segments to given times nearby.

    Parameters
    ----------
    annotation : jams.Annotation
        Segments without gap or overlap.
    times : sequence of float
        Times in seconds, sorted.
    reach : float
        Largest distance that a boundary moves, in seconds.  Only the nearest boundary
        moves to a time, so that no segment vanishes.

    Returns
    -------
    jams.Annotation
    """
    result = without_data(annotation)
    boundaries = np.array([segment.time for segment in annotation.data])
    boundaries = np.append(boundaries, annotation.time + annotation.duration)
    times = np.asarray(times, dtype=float)
    if len(times):
        nearest_time = nearest(boundaries, times)
        moved = times[nearest_time]
        moves = nearest(times, boundaries)[nearest_time] == np.arange(len(boundaries))
        moves &= np.abs(moved - boundaries) <= reach
        moves[[0, -1]] = False
        boundaries = np.where(moves, moved, boundaries)
    for segment, (start, end) in zip(
        annotation.data, itertools.pairwise(boundaries.tolist()), strict=True
    ):
        result.append(start, end - start, segment.value, segment.confidence)
    return result


def nearest(values, among):
    """Return for each value the index of the nearest element of `among`, sorted."""
    return np.searchsorted((among[1:] + among[:-1]) / 2, values)


def confidence(posterior, state, power=1.0):
    """Return the confidence that one state holds throughout some frames.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities of each frame.
    state : int
        The state.
    power : float
        Exponent of the mean posteriors: above 1 if frames together are more certain
        than a single one, below 1 if the network is overconfident.  It is measured on
        held-out tracks.

    Returns
    -------
    float
        Mean posterior of the state to this power, normalised over all states.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
    networks", ICML 2017; `power` is the inverse of their temperature.
    """
    weight = posterior.mean(axis=0, dtype=float) ** power
    return float(weight[state] / weight.sum())


def best_path(posterior, self_transition, scale=1.0):
    """Find the most probable sequence of states.

    All changes are equally probable, so the best state before a change is the best of
    all, and a frame costs one step per state instead of one per pair of states.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities given the observation of each frame.
    self_transition : float or None
        Probability that a frame has the state of the frame before, at least that of
        each other state; the others are equally probable.  With None, each frame takes
        its own most probable state.
    scale : float
        Exponent of the posteriors, the acoustic scale of speech recognition.  The path
        assumes independent frames, but neighbouring frames share their errors, which
        would add up to certainty.  Values below 1 compensate for this.

    Returns
    -------
    np.ndarray, shape=(n_frames,), dtype=int

    References
    ----------
    G. D. Forney, "The Viterbi algorithm", Proceedings of the IEEE, 1973.
    """
    n_frames, n_states = posterior.shape
    if self_transition is None or not n_frames or n_states == 1:
        return posterior.argmax(axis=1)
    gains = scale * np.log(np.maximum(posterior, np.finfo(float).tiny))
    stay = np.log(self_transition)
    change = np.log((1 - self_transition) / (n_states - 1))
    score = gains[0].copy()
    # For each frame: the best state of the one before, and the states reached from it.
    before, changed = np.zeros(n_frames, int), np.zeros((n_frames, n_states), bool)
    for frame in range(1, n_frames):
        before[frame] = score.argmax()
        leave = score[before[frame]] + change
        score += stay
        np.less(score, leave, out=changed[frame])
        np.maximum(score, leave, out=score)
        score += gains[frame]
    path = np.empty(n_frames, int)
    path[-1] = score.argmax()
    for frame in range(n_frames - 1, 0, -1):
        state = path[frame]
        path[frame - 1] = before[frame] if changed[frame, state] else state
    return path


def runs(states):
    """Yield ``(start, end)`` of each maximal run of equal values."""
    changes = np.flatnonzero(np.diff(states)) + 1
    yield from itertools.pairwise([0, *changes.tolist(), len(states)])


def edges(posterior, states):
    """Find the boundaries of runs of equal states, to fractions of a frame.

    pumpp gives frame ``i`` the label that begins anywhere in ``[i, i + 1)`` hops, so a
    change first seen at frame ``i`` lies half a frame later on average.  The posteriors
    locate it within the frame: that of the new state at frame ``i`` is the probability
    that the change comes before ``i + 1``.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities of each frame.
    states : np.ndarray, shape=(n_frames,), dtype=int
        The states of a path.

    Returns
    -------
    list of float
        The beginning of each run, in frames, and the end of the last.  The change
        between two runs is where the log odds of their states, interpolated linearly
        between frames, cross zero.
    """
    boundaries = [0.0]
    for start, _ in list(runs(states))[1:]:
        pair = posterior[start - 1 : start + 1, [states[start - 1], states[start]]]
        logarithm = np.log(np.maximum(pair, FLOOR))
        before, after = logarithm[:, 1] - logarithm[:, 0]
        crosses = before <= 0 <= after != before
        # Below 1, so that rounding down gives the frame of the change.
        fraction = min(before / (before - after), 0.999) if crosses else 0.5
        boundaries.append(float(start + fraction))
    return [*boundaries, float(len(states))]
