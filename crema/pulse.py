"""Sequences of beats in what a network says of each frame.

The most probable one follows every change of tempo (:func:`beat_runs`).  It follows too
where the network hears, for some time, what is between beats: within ten seconds it has
slid by half a beat, at little cost.  Most of what is recorded today was played to a
click, and goes on as it began (:func:`steadied`).
"""

import math

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.ndimage import binary_opening, maximum_filter1d

from crema.compiled import librosa

#: From one of the intervals between beats to the next, on a logarithmic scale; where
#: that is less than a frame, they are all the frames.
STEP = 0.0225
#: How much more probable than silence, in nats, beats must be: three clear ones.
PULSE = 12.0
#: So many beats in a row that all have less than this posterior are a rest.
REST, UNHEARD = 8, 0.02
#: Posteriors are kept this far from 0 and 1.
FLOOR = 1e-4
#: How far a click may be from the median interval, relative to it.
AROUND = 0.03
#: Fewer beats than these tell of no click.
CLICKS = 16
#: A click may come a frame early or late each so many beats, at a cost in nats.
STRIDE, MOVE = 4, 6.0
#: Of the beats that are more than the second number of frames beside a click, at least
#: this share must be within the first of a quarter of its interval: what is taken for a
#: beat, and is none.  Elsewhere are those of a tempo that has changed.
QUARTERS, WITHIN, BESIDE = 0.75, 3, 7
#: How much of what the network hears of any beats it must hear of those of a click, for
#: them to be played to one.  Measured, as these, on the validation tracks.
STEADY = 0.7


def beat_runs(posterior, rate, deviation, prior, shortest, longest):
    """Find beats, and where these end, others: what is left is silence or has no pulse.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames,)
        Probability of a beat at each frame.
    rate : float
        Frames per second.
    deviation : float
        Standard deviation of the logarithm of the ratio of successive intervals.
    prior : float
        Probability of a beat at a frame of which nothing is known.
    shortest, longest : float
        Intervals that are considered, in seconds.

    Returns
    -------
    list of np.ndarray of int
        The frames of the beats of each sequence, in order; from one to the next it is
        longer than the longest interval.  Each is the most probable one in what those
        that are more probable have left, and much more so than silence (:data:`PULSE`).
    """
    if not len(posterior):
        return []
    odds = log_odds(posterior, prior)
    count = round(np.log(longest / shortest) / STEP) + 1
    intervals = np.geomspace(shortest, longest, count) * rate
    intervals = np.unique(np.rint(intervals).astype(int))
    cost = transition_cost(intervals, deviation)
    runs, gap = [], math.ceil(longest * rate)
    left = [(0, len(odds))]
    while left:
        start, end = left.pop()
        if end - start <= gap:
            continue
        score = scores(odds[start:end], intervals, cost)
        # What is before a sequence has the same scores without it.
        while end - start > gap:
            run = start + best(score[:, : intervals[-1] + end - start], intervals, cost)
            if not len(run):
                break
            runs.append(run)
            left.append((run[-1] + gap + 1, end))
            end = run[0] - gap
    return sorted(runs, key=lambda run: run[0])


def scores(odds, intervals, cost):
    """Find how probable sequences of beats are.

    Parameters
    ----------
    odds : np.ndarray of float32, shape=(n_frames,)
        See :func:`log_odds`.
    intervals : np.ndarray of int, shape=(n_intervals,)
        In frames, in order.
    cost : np.ndarray of float32, shape=(n_intervals, n_intervals)
        See :func:`transition_cost`.

    Returns
    -------
    np.ndarray of float32, shape=(n_intervals, longest interval + n_frames)
        How much more probable than silence, in nats, is the best sequence that ends in
        a beat at a frame, an interval before which was another.  The frames before the
        first belong to no sequence.
    """
    block, longest = int(intervals[0]), int(intervals[-1])
    score = np.full((len(intervals), longest + len(odds)), -np.inf, dtype=np.float32)
    # reached[j, t]: of the best that goes on from t at interval j.
    reached = np.full_like(score, -np.inf)
    each, before = np.arange(len(intervals))[:, np.newaxis], intervals[:, np.newaxis]
    for start in range(0, len(odds), block):
        # Nothing in a block can follow on anything in it, so it is done at once.
        now = np.arange(start, min(start + block, len(odds)))
        here = slice(longest + start, longest + start + len(now))
        # A sequence may begin at any beat, at no cost.
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
        The frames of the beats, none where they are not much more probable than silence
        (:data:`PULSE`).
    """
    # To begin costs nothing, so that noise is enough for some beats.
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
    # Two beats have an interval, and nothing that it agrees with.
    return np.asarray(frames[::-1] if len(frames) > 2 else [], dtype=int)


def without_rests(frames, posterior):
    """Take a sequence of beats apart where it goes on, but is not heard to.

    Parameters
    ----------
    frames : np.ndarray of int, shape=(n_beats,)
        Of the beats.
    posterior : np.ndarray, shape=(n_frames,)
        The most probable beat near each frame.

    Returns
    -------
    list of np.ndarray of int
        The frames of the beats before, between and after the rests.
    """
    rest = binary_opening(posterior[frames] < UNHEARD, np.ones(REST))
    parts = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(rest)) + 1)
    return [frames[part] for part in parts if not rest[part[0]]]


def log_odds(posterior, prior):
    """Return how much more probable a beat is at each frame than it was before.

    An event may be a frame beside its place, as intervals are rounded.
    """
    clipped = np.clip(posterior, FLOOR, 1 - FLOOR)
    odds = np.log(clipped / (1 - clipped)) - np.log(prior / (1 - prior))
    return maximum_filter1d(odds, 3).astype(np.float32)


def transition_cost(intervals, deviation):
    """Return what it costs to go from each interval to each other, in nats.

    A normal distribution of the logarithm of their ratio, wide enough for what rounding
    to frames does to short intervals; beyond five deviations any change of tempo costs
    the same.
    """
    logarithm = np.log(intervals)
    spread = np.hypot(deviation, 0.5 / intervals)[:, np.newaxis]
    away = (logarithm - logarithm[:, np.newaxis]) / spread
    weight = np.exp(-0.5 * np.minimum(away**2, 25))
    return -np.log(weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def steadied(frames, posterior, prior):
    """Find beats at one tempo, if the given ones seem to have slid off them.

    They must be heard nearly as well, and where the given ones are others, these must
    be on eighths or sixteenths of them.

    The tempo is that of the strongest periodicity near the median interval, in the
    spectrum of the posteriors.  The phase is the most probable of those that stay what
    they are, or move by a frame now and then (:data:`STRIDE`).

    Parameters
    ----------
    frames : np.ndarray of int, shape=(n_beats,)
        Of the given beats, in order.
    posterior : np.ndarray, shape=(n_frames,)
        Probability of a beat at each frame.
    prior : float
        Probability of a beat at a frame of which nothing is known.

    Returns
    -------
    np.ndarray of int
        The frames of the beats at one tempo, from where the given ones begin to where
        they end; or else, and where they are few, the given ones.
    """
    if len(frames) < CLICKS:
        return frames
    first, last = frames[0], frames[-1]
    interval = click(posterior[first : last + 1], np.median(np.diff(frames)))
    width = math.ceil(interval)
    # At any phase, within an interval, from before the first beat to after the last.
    start = first - interval
    strides = math.ceil(((last - start) / interval + 2) / STRIDE)
    beats = start + interval * np.arange(strides * STRIDE)
    places = np.rint(beats[:, np.newaxis] + np.arange(-width, width + 1)).astype(int)
    # What is outside tells nothing.
    odds = np.pad(log_odds(posterior, prior), (2 * width, (STRIDE + 2) * width))
    heard = odds[places + 2 * width].reshape(strides, STRIDE, -1).sum(axis=1)
    moves = np.eye(heard.shape[1])
    moves += np.exp(-MOVE) * (np.eye(len(moves), k=1) + np.eye(len(moves), k=-1))
    phases = librosa.sequence.viterbi(
        np.exp(heard - heard.max(), dtype=float).T,  # in float32, jumps were cheap
        moves / moves.sum(axis=1, keepdims=True),
    )
    steady = places[np.arange(len(places)), np.repeat(phases, STRIDE)]
    near = maximum_filter1d(posterior, 5)
    inside = (steady >= first - width // 2) & (steady <= last + width // 2)
    steady = steady[inside].clip(0, len(near) - 1)
    enough = near[steady].sum() >= STEADY * near[frames].sum()
    return steady if enough and on_quarters(frames, steady, interval) else frames


def on_quarters(frames, steady, interval):
    """Return whether beats that are not those of a click are at quarters of it."""
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
    # Half a place would be a sixteenth of a beat in the end: a parabola.
    return size / (place + vertex(*spectrum[place - 1 : place + 2]))


def vertex(left, middle, right):
    """Return how far beside the middle of three values a parabola has its maximum."""
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0
