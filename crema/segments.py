"""From what a model says of each frame to segments of time."""

import itertools

import jams
import librosa
import numpy as np


def annotate(namespace, encoded, labels, transition, hop, duration=None, news=1.0):
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
    transition : np.ndarray, shape=(n_classes, n_classes), or None
        Of the Viterbi path, see :func:`best_path`.
    hop : float
        Seconds between frames.
    duration : float, optional
        Duration of the track in seconds; by default that of the frames.
    news : float
        Of the Viterbi path, see :func:`best_path`.

    Returns
    -------
    jams.Annotation
        From 0 to `duration` without gap or overlap.  The confidence of a segment is the
        mean posterior of its label in it.
    """
    if duration is None:
        duration = len(encoded) * hop
    if encoded.shape[1] == 1:
        states = encoded[:, 0].astype(int)
        posterior = np.ones_like(encoded, dtype=float)
    else:
        states = best_path(encoded, transition, news)
        posterior = np.take_along_axis(encoded, states[:, np.newaxis], axis=1)
    annotation = jams.Annotation(namespace, time=0, duration=duration)
    for start, end in runs(states):
        begin, stop = segment_times(start, end, len(states), hop, duration)
        if stop > begin:
            annotation.append(
                time=begin,
                duration=stop - begin,
                value=labels[states[start]],
                confidence=float(posterior[start:end].mean()),
            )
    return annotation


def best_path(posterior, transition, news=1.0):
    """Find the most probable sequence of states.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities given the observation of each frame.
    transition : np.ndarray, shape=(n_states, n_states), or None
        Row ``i`` holds the probabilities of what follows state ``i``; None takes each
        frame by itself.
    news : float
        How much of what a frame tells the frames before it have not told.  A path
        takes frames for independent, and doubts that a network has for minutes on end
        would add up to certainty; below 1, this exponent of the posteriors makes up
        for that.

    Returns
    -------
    np.ndarray, shape=(n_frames,), dtype=int
    """
    if transition is None or not len(posterior):
        return posterior.argmax(axis=1)
    probability = posterior.astype(float).T ** news
    probability = probability / probability.sum(axis=0)
    states = librosa.sequence.viterbi_discriminative(probability, transition)
    return states.astype(int)


def runs(states):
    """Yield ``(start, end)`` of each longest run of equal values."""
    edges = np.flatnonzero(np.diff(states)) + 1
    yield from itertools.pairwise([0, *edges.tolist(), len(states)])


def segment_times(start, end, n_frames, hop, duration):
    """Return the times in seconds of the segment of frames ``start:end``.

    pumpp gives frame ``i`` the label that begins anywhere in ``[i, i + 1)`` hops, so
    a change seen at frame ``i`` lies at ``i + 1/2`` on average.
    """
    begin = 0.0 if start == 0 else min((start + 0.5) * hop, duration)
    stop = duration if end == n_frames else min((end + 0.5) * hop, duration)
    return begin, stop
