"""Where several hearings of one recording tell the same, and what they tell there.

A hearing is what :func:`crema.corpus.hearings.hear` returns.  Of several, the one that
agrees best with the others is taken, and of that the parts that enough of the others
have too.
"""

from typing import NamedTuple

import mir_eval
import numpy as np

from crema import segments
from crema.corpus.hearings import levels

#: Share of the other hearings that must agree, in the mean over so many beats, or over
#: so many seconds of chords.
AGREEMENT, BEATS, SECONDS = 0.75, 9, 4.0
#: The least length of an excerpt, in seconds: some more than that of the patches that
#: beat is trained on, for a version of it may be faster.
LENGTH = 24.0
#: How far, in seconds, two beats may be from each other to be the same.
NEAR = 0.07
#: What an excerpt has before its first beat and after its last, in seconds.
MARGIN = 0.1
#: Seconds from one place to the next at which chords are compared.
GRID = 0.1


class Excerpt(NamedTuple):
    """A part of a recording, and what is to be heard in it."""

    start: float
    """In seconds, as is all here."""
    end: float
    observed: list
    """Of (start, end, value); of a beat, start and end are the same, and the value is
    its position in the bar, or None where too few agree on the bars."""


def beats(hearings):
    """Find where hearings agree on the beats.

    Parameters
    ----------
    hearings : list of dict
        With ``beat``.

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
    known, bars = (smooth(vote, BEATS) >= AGREEMENT for vote in np.mean(votes, axis=0))
    found = []
    for first, stop in _where(known):
        told = zip(
            times[first:stop], positions[first:stop], bars[first:stop], strict=True
        )
        observed = [(t, t, int(at) if sure else None) for t, at, sure in told]
        start, end = times[first], times[stop - 1]
        if end - start >= LENGTH:
            found.append(Excerpt(max(0.0, start - MARGIN), end + MARGIN, observed))
    return found


def chords(hearings):
    """Find where hearings agree on the chords, and hear some.

    They need not agree on inversions, which are those of the best hearing.

    Parameters
    ----------
    hearings : list of dict
        With ``chord``.

    Returns
    -------
    list of Excerpt
    """
    hearings = [hearing["chord"] for hearing in hearings]
    end = min(intervals[-1, 1] for intervals, _ in hearings)
    times = np.arange(GRID / 2, end, GRID)
    if len(times) < SECONDS / GRID:
        return []
    told = [_labels_at(times, *hearing) for hearing in hearings]
    best, others = _best(told, lambda one, other: np.mean(one == other))
    # That all hear nothing, or nothing they know, may be for want of ears.
    sounds = ~np.isin(told[best], ("N", "X"))
    votes = [sounds & (told[best] == other) for other in others]
    same = smooth(np.mean(votes, axis=0), round(SECONDS / GRID)) >= AGREEMENT
    found = []
    for first, stop in _where(same):
        if stop - first < round(LENGTH / GRID):
            continue
        start, end = first * GRID, stop * GRID
        observed = [
            (max(start, left), min(end, right), label)
            for (left, right), label in zip(*hearings[best], strict=True)
            if left < end and right > start
        ]
        found.append(Excerpt(start, end, observed))
    return found


def agree(times, positions, other_times, other_positions):
    """Tell which beats of one hearing another hearing has too.

    Parameters
    ----------
    times, positions : np.ndarray, shape=(n,)
        Of the beats, in seconds, and in the bar.
    other_times, other_positions : np.ndarray, shape=(m,)
        Those of the other hearing.

    Returns
    -------
    beats, bars : np.ndarray, shape=(n,), dtype=bool
        Whether the other hearing has the beat, and none between it and the next;
        whether it also has it in the same position.
    """
    first = np.searchsorted(other_times, times - NEAR)
    last = np.searchsorted(other_times, times + NEAR, side="right")
    has = first < last
    between = np.searchsorted(other_times, times[1:] - NEAR) - last[:-1]
    has[:-1] &= between <= 0
    same = has.copy()
    same[has] = other_positions[first[has]] == positions[has]
    return has, same


def smooth(votes, span):
    """Return the mean of the votes around each place, shape as they have.

    Parameters
    ----------
    votes : np.ndarray, shape=(n,)
        At least `span`.
    span : int
        How many places to average.
    """
    # The edges as often as there are places beyond them, so that no zeros are counted.
    before = (span - 1) // 2
    padded = np.pad(votes, (before, span - 1 - before), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, span).mean(axis=-1)


def _where(flags):
    """Return first place and end, exclusive, of each run of True."""
    return [(first, stop) for first, stop in segments.runs(flags) if flags[first]]


def _best(hearings, likeness):
    """Return the number of the hearing most like the others, and the others."""
    sums = [sum(likeness(one, other) for other in hearings) for one in hearings]
    best = int(np.argmax(sums))
    return best, hearings[:best] + hearings[best + 1 :]


def _same_beats(one, other):
    """Return how alike two hearings are in beats and downbeats."""
    pairs = zip(levels(*one), levels(*other), strict=True)
    return sum(mir_eval.beat.f_measure(*pair) for pair in pairs if all(map(len, pair)))


def _labels_at(times, intervals, labels):
    """Return the label at each time, without its inversion."""
    plain = [label.split("/")[0] for label in labels]
    places = np.searchsorted(intervals[:, 1], times, side="right")
    return np.array(plain)[np.minimum(places, len(plain) - 1)]
