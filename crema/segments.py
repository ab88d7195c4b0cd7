"""From what a model says of each frame to segments of time."""

import itertools

import jams
import numpy as np

#: Posteriors below this are as improbable as each other.
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
    """Make an annotation of the classes of frames.

    Frames of equal class become one segment.

    Parameters
    ----------
    namespace : str
        Of the annotation.
    encoded : np.ndarray, shape=(n_frames, n_classes) or (n_frames, 1)
        Posterior probabilities, or class indices.
    labels : sequence of str
        The label of each class.
    self_transition : float or None
        Of the Viterbi path, see :func:`best_path`.
    hop : float
        Seconds between frames.
    duration : float, optional
        Duration of the track in seconds; by default that of the frames.
    scale : float
        Of the Viterbi path, see :func:`best_path`.
    power : float
        Of the confidence, see :func:`confidence`.

    Returns
    -------
    jams.Annotation
        From 0 to `duration` without gap or overlap.  The confidence of a segment is the
        mean posterior of its label in it, to this power.
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


def align(annotation, times, reach):
    """Move the boundaries between segments to times at which they are likelier.

    Parameters
    ----------
    annotation : jams.Annotation
        Segments without gap or overlap.
    times : sequence of float
        In seconds, in order.
    reach : float
        How far a boundary moves at most, in seconds.  Of several boundaries, the
        nearest has a time for itself, so that no segment vanishes.

    Returns
    -------
    jams.Annotation
    """
    result = jams.Annotation(
        annotation.namespace,
        annotation_metadata=annotation.annotation_metadata,
        sandbox=annotation.sandbox,
        time=annotation.time,
        duration=annotation.duration,
    )
    places = np.array([segment.time for segment in annotation.data])
    places = np.append(places, annotation.time + annotation.duration)
    times = np.asarray(times, dtype=float)
    if len(times):
        nearest_time = nearest(places, times)
        moved = times[nearest_time]
        own = nearest(times, places)[nearest_time] == np.arange(len(places))
        own &= np.abs(moved - places) <= reach
        own[[0, -1]] = False
        places = np.where(own, moved, places)
    for segment, (start, end) in zip(
        annotation.data, itertools.pairwise(places.tolist()), strict=True
    ):
        result.append(start, end - start, segment.value, segment.confidence)
    return result


def nearest(values, among):
    """Return for each value the index of the nearest of others, which are in order."""
    return np.searchsorted((among[1:] + among[:-1]) / 2, values)


def confidence(posterior, state, power=1.0):
    """Say how certain it is that one state holds in all of some frames.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities of each frame.
    state : int
        The state.
    power : float
        By which the odds between the states grow: above 1 where frames together tell
        more than one by itself, below 1 where a network is surer than it is right.  It
        is measured on tracks that the network has not learned from.

    Returns
    -------
    float
        The mean posterior, to this power, of the state, all states adding up to 1.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
    networks", ICML 2017; `power` is the inverse of their temperature.
    """
    weight = posterior.mean(axis=0, dtype=float) ** power
    return float(weight[state] / weight.sum())


def best_path(posterior, self_transition, scale=1.0):
    """Find the most probable sequence of states.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities given the observation of each frame.
    self_transition : float or None
        Probability that the state of a frame is that of the frame before, not less than
        that of another; all others are as probable as each other.  None takes each
        frame by itself.
    scale : float
        Exponent of the posteriors, the acoustic scale of speech recognition.  The path
        takes frames for independent; those near each other are not, and their errors,
        which they share, would add up to certainty.  Below 1, it makes up for that.

    Returns
    -------
    np.ndarray, shape=(n_frames,), dtype=int

    References
    ----------
    G. D. Forney, "The Viterbi algorithm", Proceedings of the IEEE, 1973.  Where all
    changes are equally probable, the best state before a change is the best of all, and
    a frame costs one step per state instead of one per pair of states.
    """
    n_frames, n_states = posterior.shape
    if self_transition is None or not n_frames or n_states == 1:
        return posterior.argmax(axis=1)
    gains = scale * np.log(np.maximum(posterior, np.finfo(float).tiny))
    stay = np.log(self_transition)
    change = np.log((1 - self_transition) / (n_states - 1))
    score = gains[0].copy()
    # Of each frame but the first: the best state before, and which states come from it.
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
    """Yield ``(start, end)`` of each longest run of equal values."""
    changes = np.flatnonzero(np.diff(states)) + 1
    yield from itertools.pairwise([0, *changes.tolist(), len(states)])


def edges(posterior, states):
    """Find where the runs of equal states begin and end, between the frames.

    pumpp gives frame ``i`` the label that begins anywhere in ``[i, i + 1)`` hops, so
    that a change seen first at frame ``i`` lies half a frame later on average.  Where
    in it, the posteriors tell: that of the new state at frame ``i`` is how probable it
    is that the change comes before ``i + 1``.

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
        between two runs is where the line between the log odds of the two states
        before and after it crosses zero.
    """
    places = [0.0]
    for start, _ in list(runs(states))[1:]:
        pair = posterior[start - 1 : start + 1, [states[start - 1], states[start]]]
        logarithm = np.log(np.maximum(pair, FLOOR))
        before, after = logarithm[:, 1] - logarithm[:, 0]
        crosses = before <= 0 <= after != before
        # The frame of a change can be told from its place: it never reaches the next.
        part = min(before / (before - after), 0.999) if crosses else 0.5
        places.append(float(start + part))
    return [*places, float(len(states))]
