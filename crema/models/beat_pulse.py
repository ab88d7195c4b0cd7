"""Find sequences of beats in the posteriors of frames.

The most probable sequence follows every change of tempo (:func:`beat_runs`).  It also
follows a network that responds to off-beats for some time: within ten seconds the
sequence drifts by half a beat, at little cost.  Most recordings today are played to a
click, at a constant tempo (:func:`steadied`).
"""

import math

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.ndimage import binary_opening, maximum_filter1d

from crema.compiled import librosa

#: Spacing of the candidate intervals between beats, in natural logarithms; where it is
#: less than a frame, each number of frames is a candidate.
STEP = 0.0225
#: Least log-likelihood ratio of beats to silence, in nats: about three clear beats.
PULSE = 12.0
#: A rest is this many successive beats with posteriors below this threshold.
REST, UNHEARD = 8, 0.02
#: Posteriors are clipped this far from 0 and 1.
FLOOR = 1e-4
#: Largest deviation of a click's interval from the median interval, relative to it.
AROUND = 0.03
#: Fewest beats from which a click is inferred.
CLICKS = 16
#: Every so many beats, a click can shift by one frame, at a cost in nats.
STRIDE, MOVE = 4, 6.0
#: Beats more than BESIDE frames from a click are off it, and clicks so far outside the
#: piece are left out.  Of the beats off it, at least a share QUARTERS must be within
#: WITHIN frames of quarters of its interval, as off-beats mistaken for beats are; beats
#: elsewhere indicate that the tempo changed.
QUARTERS, WITHIN, BESIDE = 0.75, 3, 7
#: Least sum of posteriors at a click, relative to that at the given beats.  Measured,
#: like the values above, on the validation tracks.
STEADY = 0.7


def beat_runs(posterior, rate, deviation, prior, shortest, longest):
    """Find sequences of beats, separated by silence or by music without a pulse.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames,)
        Probability of a beat at each frame.
    rate : float
        Frames per second.
    deviation : float
        Standard deviation of the logarithm of the ratio of successive intervals.
    prior : float
        Prior probability of a beat at a frame.
    shortest, longest : float
        Limits of the intervals between beats, in seconds.

    Returns
    -------
    list of np.ndarray of int
        The frames of the beats of each sequence, in order.  Sequences are more than the
        longest interval apart.  Each is the most probable one in the frames that more
        probable sequences leave, and much more probable than silence (:data:`PULSE`).
    """
    if not len(posterior):
        return []
    odds = log_odds(posterior, prior)
    count = round(np.log(longest / shortest) / STEP) + 1
    intervals = np.geomspace(shortest, longest, count) * rate
    intervals = np.unique(np.rint(intervals).astype(int))
    cost = transition_cost(intervals, deviation)
    runs, gap = [], math.ceil(longest * rate)
    remaining = [(0, len(odds))]
    while remaining:
        start, end = remaining.pop()
        if end - start <= gap:
            continue
        score = scores(odds[start:end], intervals, cost)
        # Scores before a sequence do not depend on it.
        while end - start > gap:
            run = start + best(score[:, : intervals[-1] + end - start], intervals, cost)
            if not len(run):
                break
            runs.append(run)
            remaining.append((run[-1] + gap + 1, end))
            end = run[0] - gap
    return sorted(runs, key=lambda run: run[0])


def scores(odds, intervals, cost):
    """Score sequences of beats.

    Parameters
    ----------
    odds : np.ndarray of float32, shape=(n_frames,)
        See :func:`log_odds`.
    intervals : np.ndarray of int, shape=(n_intervals,)
        Intervals between beats in frames, sorted.
    cost : np.ndarray of float32, shape=(n_intervals, n_intervals)
        See :func:`transition_cost`.

    Returns
    -------
    np.ndarray of float32, shape=(n_intervals, longest interval + n_frames)
        Log-likelihood ratio to silence, in nats, of the best sequence that ends with a
        beat at each frame and another one each interval before.  The frames before the
        first belong to no sequence.
    """
    block, longest = int(intervals[0]), int(intervals[-1])
    score = np.full((len(intervals), longest + len(odds)), -np.inf, dtype=np.float32)
    # reached[j, t]: score of the best sequence that continues from t at interval j.
    reached = np.full_like(score, -np.inf)
    each, before = np.arange(len(intervals))[:, np.newaxis], intervals[:, np.newaxis]
    for start in range(0, len(odds), block):
        # A block is no longer than any interval, so none of its frames follow another.
        now = np.arange(start, min(start + block, len(odds)))
        here = slice(longest + start, longest + start + len(now))
        # A sequence can begin at any beat, at no cost.
        score[:, here] = odds[now] + np.maximum(
            reached[each, longest + now - before], 0
        )
        onwards = score[:, np.newaxis, here] - cost[:, :, np.newaxis]
        reached[:, here] = onwards.max(axis=0)
    return score


def best(score, intervals, cost):
    """Find the most probable sequence of beats.

    Parameters
    ----------
    score, intervals, cost
        See :func:`scores`.

    Returns
    -------
    np.ndarray of int
        The frames of the beats, empty unless they are much more probable than silence
        (:data:`PULSE`).
    """
    # Beginning costs nothing, so noise alone yields some beats.
    if score.max() <= PULSE:
        return np.zeros(0, dtype=int)
    frames = []
    state, frame = np.unravel_index(score.argmax(), score.shape)
    gain = 1
    while gain > 0:
        frames.append(frame - intervals[-1])
        frame -= intervals[state]
        gains = score[:, frame] - cost[:, state]
        state = gains.argmax()
        gain = gains[state]
    # Two beats have a single interval, which no other confirms.
    return np.asarray(frames[::-1] if len(frames) > 2 else [], dtype=int)


def without_rests(frames, posterior):
    """Split a sequence of beats at rests, where their posteriors are low.

    Parameters
    ----------
    frames : np.ndarray of int, shape=(n_beats,)
        Frames of the beats.
    posterior : np.ndarray, shape=(n_frames,)
        Highest posterior of a beat near each frame.

    Returns
    -------
    list of np.ndarray of int
        The frames of the beats before, between and after the rests.
    """
    rest = binary_opening(posterior[frames] < UNHEARD, np.ones(REST))
    parts = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(rest)) + 1)
    return [frames[part] for part in parts if not rest[part[0]]]


def log_odds(posterior, prior):
    """Return the log odds of a beat at each frame, relative to the prior.

    They are the maximum over three frames, as intervals are rounded to frames.
    """
    clipped = np.clip(posterior, FLOOR, 1 - FLOOR)
    odds = np.log(clipped / (1 - clipped)) - np.log(prior / (1 - prior))
    return maximum_filter1d(odds, 3).astype(np.float32)


def transition_cost(intervals, deviation):
    """Return the cost of going from each interval to each other, in nats.

    The logarithm of their ratio is normally distributed, with a deviation that allows
    for the rounding of short intervals to frames.  All changes of tempo beyond five
    deviations cost the same.
    """
    logarithm = np.log(intervals)
    spread = np.hypot(deviation, 0.5 / intervals)[:, np.newaxis]
    away = (logarithm - logarithm[:, np.newaxis]) / spread
    weight = np.exp(-0.5 * np.minimum(away**2, 25))
    return -np.log(weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def steadied(frames, posterior, prior):
    """Replace beats by a click at constant tempo from which they seem to have drifted.

    The posteriors at the click must be nearly as high as at the given beats, and given
    beats off the click must be on its eighths or sixteenths.

    The tempo is the strongest periodicity near the median interval, in the spectrum of
    the posteriors.  The phase is the most probable path of offsets that are constant or
    move by one frame now and then (:data:`STRIDE`).

    Parameters
    ----------
    frames : np.ndarray of int, shape=(n_beats,)
        Frames of the given beats, in order.
    posterior : np.ndarray, shape=(n_frames,)
        Probability of a beat at each frame.
    prior : float
        Prior probability of a beat at a frame.

    Returns
    -------
    np.ndarray of int
        The frames of the click, from the first given beat to the last; the given beats
        if they are few or the conditions are not met.
    """
    if len(frames) < CLICKS:
        return frames
    first, last = frames[0], frames[-1]
    interval = click(posterior[first : last + 1], np.median(np.diff(frames)))
    width = math.ceil(interval)
    # Offsets of up to an interval, from before the first beat to after the last.
    start = first - interval
    strides = math.ceil(((last - start) / interval + 2) / STRIDE)
    beats = start + interval * np.arange(strides * STRIDE)
    grid = np.rint(beats[:, np.newaxis] + np.arange(-width, width + 1)).astype(int)
    # Frames outside the piece have log odds of 0: no evidence.
    odds = np.pad(log_odds(posterior, prior), (2 * width, (STRIDE + 2) * width))
    evidence = odds[grid + 2 * width].reshape(strides, STRIDE, -1).sum(axis=1)
    moves = np.eye(evidence.shape[1])
    moves += np.exp(-MOVE) * (np.eye(len(moves), k=1) + np.eye(len(moves), k=-1))
    phases = librosa.sequence.viterbi(
        np.exp(evidence - evidence.max(), dtype=float).T,  # float32 made jumps cheap
        moves / moves.sum(axis=1, keepdims=True),
    )
    steady = grid[np.arange(len(grid)), np.repeat(phases, STRIDE)]
    peaks = maximum_filter1d(posterior, 5)
    earliest = max(first - width // 2, -BESIDE)
    latest = min(last + width // 2, len(peaks) - 1 + BESIDE)
    inside = (earliest <= steady) & (steady <= latest)
    steady = steady[inside].clip(0, len(peaks) - 1)
    enough = peaks[steady].sum() >= STEADY * peaks[frames].sum()
    return steady if enough and on_quarters(frames, steady, interval) else frames


def on_quarters(frames, steady, interval):
    """Return whether beats off a click are at quarters of its interval."""
    places = np.interp(frames, steady, np.arange(len(steady)))
    beside = np.abs(places - np.rint(places)) * interval > BESIDE
    places = 4 * places[beside]
    close = np.abs(places - np.rint(places)) * interval / 4 <= WITHIN
    return close.sum() >= QUARTERS * len(close)


def click(posterior, interval):
    """Find the strongest periodicity of posteriors near an interval, in frames."""
    size = next_fast_len(8 * len(posterior), real=True)
    spectrum = np.abs(rfft(posterior - posterior.mean(), size))
    first = math.floor(size / (interval * (1 + AROUND)))
    last = math.ceil(size / (interval * (1 - AROUND)))
    place = first + spectrum[first : last + 1].argmax()
    # A parabola, as an error of half a bin adds up to a sixteenth of a beat.
    return size / (place + vertex(*spectrum[place - 1 : place + 2]))


def vertex(left, middle, right):
    """Return the offset of a parabola's maximum from the middle of three values."""
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0
