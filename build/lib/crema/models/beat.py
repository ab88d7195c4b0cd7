"""Beats and downbeats: posteriors per frame; decoding over tempo and meter.

Decoding finds the most probable sequence of beats, whose intervals change little from
one to the next, and then the most probable bars of 2 to 7 beats over them.  It is
a hidden semi-Markov form of the bar pointer model: a state is a beat and the interval
that led to it, so that a frame costs one step per pair of intervals, and positions
within an interval cost none.

References
----------
F. Krebs, S. Böck and G. Widmer, "An efficient state-space model for joint tempo and
meter tracking", ISMIR 2015.
"""

import jams
import librosa
import numpy as np

from crema.exceptions import ModelError
from crema.models import base
from crema.tasks.beat import METERS

#: Intervals between beats that are considered, in seconds: 37 to 222 beats a minute.
SHORTEST, LONGEST = 0.27, 1.6
#: How many intervals in between, equally spaced on a logarithmic scale, 2.3 % apart
#: as far as frames allow.
N_INTERVALS = 80
#: Probability that a bar breaks off at any beat, for a beat too many or too few.
BREAK = 1e-3
#: Probability that the meter changes after a bar.
CHANGE = 1e-2
#: Posteriors are kept this far from 0 and 1.
FLOOR = 1e-4


class BeatModel(base.Estimator):
    """The beat estimator.

    Its outputs are ``beat.beat`` and ``beat.downbeat``, of shape ``(n_frames, 1)``.

    Attributes
    ----------
    classes : dict of str to list of str
        What the classes of each output stand for.
    """

    classes = {"beat.beat": ["beat"], "beat.downbeat": ["downbeat"]}

    def __init__(self, directory):
        super().__init__(directory)
        self.deviation = self.probability("interval_deviation")
        self.prior = self.probability("beat_prior")
        meters = self.decoder.get("meters")
        if not (
            isinstance(meters, list)
            and len(meters) == len(METERS)
            and all(isinstance(share, float) and 0 < share < 1 for share in meters)
        ):
            raise ModelError(
                f"{self.directory / 'decoder.json'}: meters are not {len(METERS)} "
                "probabilities; train the model again"
            )
        self.meters = np.asarray(meters)

    def decode(self, outputs, duration):
        """Decode beats, then their positions in bars.

        The confidence of a beat is its posterior; music without beats has none.
        """
        beat = outputs["beat.beat"][:, 0].astype(float)
        downbeat = outputs["beat.downbeat"][:, 0].astype(float)
        rate = self.task.sr / self.task.hop_length
        frames = beat_frames(beat, rate, self.deviation, self.prior)
        # A downbeat may peak a frame beside its beat.
        near = librosa.util.frame(np.pad(downbeat, 2), frame_length=5, hop_length=1)
        positions = bar_positions(near.max(axis=0)[frames], self.meters)
        annotation = jams.Annotation(self.task.namespace, time=0, duration=duration)
        for frame, position in zip(frames, positions, strict=True):
            place, confidence = peak(beat, frame)
            annotation.append(min(place / rate, duration), 0, int(position), confidence)
        return [annotation]


Model = BeatModel


def beat_frames(posterior, rate, deviation, prior):
    """Find the most probable sequence of beats.

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

    Returns
    -------
    np.ndarray of int
        The frames of the beats, none where silence is more probable than any.
    """
    n_frames = len(posterior)
    if not n_frames:
        return np.zeros(0, dtype=int)
    clipped = np.clip(posterior, FLOOR, 1 - FLOOR)
    odds = np.log(clipped / (1 - clipped)) - np.log(prior / (1 - prior))
    # An interval that is not among those considered must not cost its beat.
    odds = np.pad(odds, 1, mode="edge")
    odds = np.maximum(odds[1:-1], np.maximum(odds[:-2], odds[2:])).astype(np.float32)
    intervals = np.unique(
        np.rint(np.geomspace(SHORTEST, LONGEST, N_INTERVALS) * rate).astype(int)
    )
    cost = transition_cost(intervals, deviation)
    block, longest = int(intervals[0]), int(intervals[-1])
    # score[t, i]: of the best sequence that ends in a beat at t, i before which was
    # another; the frames before the first belong to no sequence.
    score = np.full((longest + n_frames, len(intervals)), -np.inf, dtype=np.float32)
    before = np.full((n_frames, len(intervals)), -1, dtype=np.int16)
    for start in range(0, n_frames, block):
        # Nothing in a block can follow on anything in it, so it is done at once.
        now = np.arange(start, min(start + block, n_frames))
        previous = score[longest + now[:, np.newaxis] - intervals]
        reached = previous - cost.T
        best = reached.argmax(axis=2)
        gain = np.take_along_axis(reached, best[:, :, np.newaxis], axis=2)[:, :, 0]
        # A sequence may begin at any beat, at no cost.
        begins = gain <= 0
        score[longest + now] = odds[now, np.newaxis] + np.where(begins, 0, gain)
        before[now] = np.where(begins, -1, best)
    score = score[longest:]
    if score.max() <= 0:
        return np.zeros(0, dtype=int)
    frame, state = np.unravel_index(score.argmax(), score.shape)
    frames = [frame]
    while before[frame, state] >= 0:
        frame, state = frame - intervals[state], before[frame, state]
        frames.append(frame)
    return np.asarray(frames[::-1])


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


def peak(posterior, frame):
    """Find the peak near a frame.

    Returns
    -------
    place : float
        Between frames, by a parabola through the logarithms.
    height : float
        The posterior of the highest frame.
    """
    window = np.arange(max(0, frame - 2), min(len(posterior), frame + 3))
    frame = window[posterior[window].argmax()]
    height = float(posterior[frame])
    if not 0 < frame < len(posterior) - 1:
        return float(frame), height
    left, middle, right = np.log(posterior[frame - 1 : frame + 2] + FLOOR)
    curvature = left - 2 * middle + right
    if curvature >= 0:
        return float(frame), height
    return frame + float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)), height


def bar_positions(downbeat, meters):
    """Find the most probable bars.

    Parameters
    ----------
    downbeat : np.ndarray, shape=(n_beats,)
        Probability of a downbeat at each beat.
    meters : np.ndarray, shape=(6,)
        Probabilities of bars of 2 to 7 beats.

    Returns
    -------
    np.ndarray of int, shape=(n_beats,)
        Position in the bar, from 1.
    """
    if not len(downbeat):
        return np.zeros(0, dtype=int)
    states = [(meter, position) for meter in METERS for position in range(1, meter + 1)]
    positions = np.asarray([position for _, position in states])
    meters = dict(zip(METERS, meters / np.sum(meters), strict=True))
    transition = np.zeros((len(states), len(states)))
    for row, (meter, position) in enumerate(states):
        if position < meter:
            transition[row, states.index((meter, position + 1))] = 1 - BREAK
            transition[row, states.index((meter, 1))] += BREAK
        else:
            for other, share in meters.items():
                transition[row, states.index((other, 1))] += CHANGE * share
            transition[row, states.index((meter, 1))] += 1 - CHANGE
    transition /= transition.sum(axis=1, keepdims=True)
    initial = np.asarray([meters[meter] / meter for meter, _ in states])
    clipped = np.clip(downbeat, FLOOR, 1 - FLOOR)
    likelihood = np.where(positions[:, np.newaxis] == 1, clipped, 1 - clipped)
    path = librosa.sequence.viterbi(likelihood, transition, p_init=initial)
    return positions[path]
