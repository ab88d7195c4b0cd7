"""Find regions where predictions on several versions of a recording agree.

A hearing is a prediction returned by :func:`crema.corpus.hearings.hear`.  Excerpts come
from the hearing that agrees best with the others: they are the regions that enough of
the others share.
"""

from typing import NamedTuple

import mir_eval
import numpy as np

from crema import segments
from crema.corpus.hearings import levels
from crema.models.beat import TOLERANCE

#: Share of the other hearings that must agree, averaged over a window of so many beats,
#: or of so many seconds for chords.
AGREEMENT, BEATS, SECONDS = 0.75, 9, 4.0
#: Minimum length of an excerpt in seconds.  It exceeds the patch length of beat
#: training, because a sped-up version of the excerpt is shorter.
LENGTH = 24.0
#: Seconds of an excerpt before its first beat and after its last.
MARGIN = 0.1
#: Spacing in seconds of the times at which chords are compared.
GRID = 0.1


class Excerpt(NamedTuple):
    """A region of a recording and its annotation.

    Attributes
    ----------
    start, end : float
        Limits of the region in seconds.
    observed : list of (float, float, str) or of (float, int or None)
        Start and end in seconds, and label of each chord.  Or the time in seconds and
        position in the bar of each beat; None where too few hearings agree on it.
    """

    start: float
    end: float
    observed: list


def beats(hearings):
    """Find where hearings agree on the beats.

    Parameters
    ----------
    hearings : list of dict
        Hearings with ``beat``.

    Returns
    -------
    list of Excerpt
    """
    hearings = [hearing["beat"] for hearing in hearings]
    best, others = _best(hearings, _same_beats)
    times, positions = hearings[best]
    if len(times) < BEATS:
        return []
    votes = [agree(times, positions, *other) for other in others]
    agreed, barred = (
        smooth(vote, BEATS) >= AGREEMENT for vote in np.mean(votes, axis=0)
    )
    excerpts = []
    for first, stop in _where(agreed):
        rows = zip(
            times[first:stop], positions[first:stop], barred[first:stop], strict=True
        )
        observed = [(t, int(at) if in_bar else None) for t, at, in_bar in rows]
        start, end = times[first], times[stop - 1]
        if end - start >= LENGTH:
            excerpts.append(Excerpt(max(0.0, start - MARGIN), end + MARGIN, observed))
    return excerpts


def chords(hearings):
    """Find where hearings agree on chords other than ``N`` and ``X``.

    Inversions need not agree; they are taken from the best hearing.

    Parameters
    ----------
    hearings : list of dict
        Hearings with ``chord``.

    Returns
    -------
    list of Excerpt
    """
    hearings = [hearing["chord"] for hearing in hearings]
    end = min(intervals[-1, 1] for intervals, _ in hearings)
    times = np.arange(GRID / 2, end, GRID)
    if len(times) < SECONDS / GRID:
        return []
    labels = [_labels_at(times, *hearing) for hearing in hearings]
    best, others = _best(labels, lambda one, other: np.mean(one == other))
    # If all predict N or X, that may be a failure of the model.
    sounds = ~np.isin(labels[best], ("N", "X"))
    votes = [sounds & (labels[best] == other) for other in others]
    same = smooth(np.mean(votes, axis=0), round(SECONDS / GRID)) >= AGREEMENT
    excerpts = []
    for first, stop in _where(same):
        if stop - first < round(LENGTH / GRID):
            continue
        start, end = first * GRID, stop * GRID
        observed = [
            (max(start, left), min(end, right), label)
            for (left, right), label in zip(*hearings[best], strict=True)
            if left < end and right > start
        ]
        excerpts.append(Excerpt(start, end, observed))
    return excerpts


def agree(times, positions, other_times, other_positions):
    """Find which beats of one hearing also occur in another.

    Parameters
    ----------
    times, positions : np.ndarray, shape=(n,)
        Times of the beats in seconds and their positions in the bar.
    other_times, other_positions : np.ndarray, shape=(m,)
        The same for the other hearing.

    Returns
    -------
    beats : np.ndarray, shape=(n,), dtype=bool
        Whether the other hearing has the beat, and no further beat before the next.
    bars : np.ndarray, shape=(n,), dtype=bool
        Whether it also has the beat at the same position in the bar.
    """
    first = np.searchsorted(other_times, times - TOLERANCE)
    last = np.searchsorted(other_times, times + TOLERANCE, side="right")
    has = first < last
    between = np.searchsorted(other_times, times[1:] - TOLERANCE) - last[:-1]
    has[:-1] &= between <= 0
    same = has.copy()
    same[has] = other_positions[first[has]] == positions[has]
    return has, same


def smooth(votes, span):
    """Return the centred moving average of votes.

    Parameters
    ----------
    votes : np.ndarray, shape=(n,)
        At least `span` values.
    span : int
        Length of the window.

    Returns
    -------
    np.ndarray, shape=(n,)
    """
    # Zero padding would count as disagreement.
    before = (span - 1) // 2
    padded = np.pad(votes, (before, span - 1 - before), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, span).mean(axis=-1)


def _where(flags):
    """Return the start and the exclusive end of each run of True."""
    return [(first, stop) for first, stop in segments.runs(flags) if flags[first]]


def _best(hearings, likeness):
    """Return the index of the hearing most like the others, and the others."""
    sums = [sum(likeness(one, other) for other in hearings) for one in hearings]
    best = int(np.argmax(sums))
    return best, hearings[:best] + hearings[best + 1 :]


def _same_beats(one, other):
    """Return the sum of the F-measures of beats and of downbeats."""
    pairs = zip(levels(*one), levels(*other), strict=True)
    return sum(mir_eval.beat.f_measure(*pair) for pair in pairs if all(map(len, pair)))


def _labels_at(times, intervals, labels):
    """Return the label at each time, without its inversion."""
    plain = [label.split("/")[0] for label in labels]
    places = np.searchsorted(intervals[:, 1], times, side="right")
    return np.array(plain)[np.minimum(places, len(plain) - 1)]
