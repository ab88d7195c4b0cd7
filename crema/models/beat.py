"""Beats and downbeats: posteriors per frame; decoding over tempo and meter.

For each of several ranges of tempo, decoding finds the most probable sequence of beats
whose intervals change little from one to the next.  If none is clear, it also looks for
one whose intervals change more.  The model is a hidden semi-Markov
form of the bar pointer model: a state is a beat and the interval before it, so a frame
costs one step per pair of intervals, and positions within an interval cost none.

Each sequence is divided into bars of two, three or four beats, and into bars of varying
length.  Posteriors are not independent from beat to beat: a network that cannot tell 60
from 120 beats per minute is unsure throughout a song, and the product of its posteriors
would turn this doubt into certainty.  Decoding therefore does not choose the most
probable of these readings, but the one with the highest expected F-measures of beats
and of downbeats (minimum Bayes risk).  That of its beats is estimated from the
posteriors, that of its downbeats from all readings, weighted by expected F-measures of
beats and by likelihoods tempered to offset bar-to-bar correlation.

References
----------
F. Krebs, S. Böck and G. Widmer, "An efficient state-space model for joint tempo and
meter tracking", ISMIR 2015.

S. Kumar and W. Byrne, "Minimum Bayes-risk decoding for statistical machine
translation", HLT-NAACL 2004.
"""

from typing import NamedTuple

import jams
import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.special import softmax

from crema.compiled import librosa
from crema.exceptions import ModelError
from crema.models import base
from crema.models.beat_pulse import FLOOR, beat_runs, steadied, vertex, without_rests
from crema.tasks.beat import METERS, WIDTH

#: Ranges of the intervals between beats, in seconds, of an octave each: 39 to 222 beats
#: per minute.
OCTAVES = ((0.27, 0.54), (0.38, 0.76), (0.54, 1.08), (0.76, 1.52))
#: If no sequence of beats is expected to reach the F-measure CLEAR, the tempo may be
#: free: others are found with the deviation RUBATO of intervals.  These fit any
#: posteriors better, so HANDICAP is taken from their expected F-measure.  Chosen on
#: songs in rubato, and checked on others, whose scores should not change.
CLEAR, RUBATO, HANDICAP = 0.7, 0.1, 0.02
#: Bar lengths tried for a whole piece, besides varying ones.
COMMON = (2, 3, 4)
#: Exponent of the posteriors of downbeats: neighbouring ones are correlated.
ACOUSTIC_SCALE = 0.3
#: Probability that a bar breaks off at a beat, to allow for extra or missing beats.
BREAK = 1e-3
#: Probability that the meter changes after a bar.
CHANGE = 1e-2
#: Log weight of a reading, in nats, per unit of its expected F-measure and per nat of
#: its downbeat likelihood.  Measured on 300 held-out songs; half or twice as much
#: changes little.
TRUST, DOWNBEAT_TRUST = 12.0, 0.03
#: TRUST for confidences, which would be too high with the value above; measured on the
#: validation tracks.
CERTAINTY = 6.0
#: Largest distance between an estimated beat and an annotated one that it matches, in
#: seconds: that of mir_eval's F-measure.
TOLERANCE = 0.07
#: Beats over which support is averaged, and the support that gives full confidence.
SUPPORT, ENOUGH = 17, 0.5


class Model(base.Estimator):
    """The beat estimator.

    Its outputs are ``beat.beat`` and ``beat.downbeat``, of shape ``(n_frames, 1)``.
    """

    classes = {"beat.beat": ["beat"], "beat.downbeat": ["downbeat"]}

    def __init__(self, directory):
        super().__init__(directory)
        self.deviation = self.probability("interval_deviation")
        self.prior = self.probability("beat_prior")
        self.downbeat_prior = self.probability("downbeat_prior")
        meters = self.decoder.get("meters")
        if not (
            isinstance(meters, list)
            and len(meters) == len(METERS)
            and all(isinstance(share, float) and 0 < share < 1 for share in meters)
        ):
            raise ModelError(
                f"{self.directory / 'decoder.json'}: meters must be {len(METERS)} "
                "probabilities; train the model again"
            )
        self.meters = np.asarray(meters)

    def decode(self, outputs, duration):
        """Decode beats and their positions in bars.

        The confidence of a beat is the total weight of the sequences that contain it,
        reduced in proportion where the posteriors support the beats little.
        """
        beat, downbeat = (
            outputs[name][:, 0].astype(float) for name in ("beat.beat", "beat.downbeat")
        )
        rate = self.task.sr / self.task.hop_length
        near = round(TOLERANCE * rate)
        annotation = jams.Annotation(self.task.namespace, time=0, duration=duration)
        sequences = self.sequences(beat, rate)
        if not sequences:
            return [annotation]
        wide = widened(beat), widened(downbeat)
        readings = [
            reading
            for sequence in sequences
            for reading in self.readings(sequence, *wide)
        ]
        (frames, *_), positions, _ = readings[choose(readings, near)]
        confidences = agreement(frames, sequences, near) * support(frames, beat, near)
        for frame, position, confidence in zip(
            frames, positions, confidences, strict=True
        ):
            time = min(peak(beat, frame) / rate, duration)
            annotation.append(time, 0, int(position), float(confidence))
        return [annotation]

    def sequences(self, beat, rate):
        """Find sequences of beats, at a steady tempo and perhaps at a free one.

        Parameters
        ----------
        beat : np.ndarray, shape=(n_frames,)
            Posterior of a beat at each frame.
        rate : float
            Frames per second.

        Returns
        -------
        list of Sequence
            Empty if there are no beats.
        """
        steady = self.by_octave(beat, rate, self.deviation)
        found = list(steady.values())
        if found and max(sequence.expected for sequence in found) < CLEAR:
            for octave, free in self.by_octave(beat, rate, RUBATO).items():
                free = free._replace(expected=free.expected - HANDICAP)
                other = steady.get(octave)
                # A free tempo is no reason to leave out what is faint.
                if not other or (
                    free.expected > other.expected
                    and len(free.frames) > 0.9 * len(other.frames)
                ):
                    found.append(free)
        return found

    def by_octave(self, beat, rate, deviation):
        """Find the most probable beats within each range of tempo.

        Parameters
        ----------
        beat : np.ndarray, shape=(n_frames,)
            Posterior of a beat at each frame.
        rate : float
            Frames per second.
        deviation : float
            Standard deviation of the logarithm of the ratio of successive intervals.

        Returns
        -------
        dict of (float, float) to Sequence
            By range; without those in which there are no beats.
        """
        found = {}
        wide = widened(beat)
        highest = maximum_filter1d(beat, 2 * round(TOLERANCE * rate) + 1)
        for octave in OCTAVES:
            runs = beat_runs(beat, rate, deviation, self.prior, *octave)
            runs = [part for run in runs for part in without_rests(run, highest)]
            if not runs:
                continue
            # Before steadying: low posteriors at a click do not make it less probable.
            expected = expected_f_measure(wide[np.concatenate(runs)], beat)
            runs = [steadied(run, beat, self.prior) for run in runs]
            breaks = np.cumsum([len(run) for run in runs])[:-1]
            found[octave] = Sequence(np.concatenate(runs), breaks, expected)
        return found

    def readings(self, sequence, beat, downbeat):
        """Yield readings of a sequence of beats, in bars of equal and varying length.

        Parameters
        ----------
        sequence : Sequence
            The beats.
        beat, downbeat : np.ndarray, shape=(n_frames,)
            Posteriors of beats and downbeats, :func:`widened`.

        Yields
        ------
        Reading
        """
        single = [np.where(np.equal(METERS, meter), 1.0, 0.0) for meter in COMMON]
        prior = self.downbeat_prior
        is_beat, is_downbeat = beat[sequence.frames], downbeat[sequence.frames]
        share = np.minimum(is_downbeat / np.maximum(is_beat, FLOOR), 1)
        share = np.clip(share, FLOOR, 1 - FLOOR)
        yes, no = np.log(share / prior), np.log((1 - share) / (1 - prior))
        parts = np.split(share, sequence.breaks)
        for meters in (self.meters, *single):
            positions = np.concatenate(
                [bar_positions(part, meters, prior) for part in parts]
            )
            likelihood = np.where(positions == 1, yes, no).sum()
            yield Reading(sequence, positions, likelihood)


class Sequence(NamedTuple):
    """Beats of a piece, without bars.

    Attributes
    ----------
    frames : np.ndarray of int, shape=(n_beats,)
        Frame of each beat.
    breaks : np.ndarray of int
        Numbers of the beats that follow a passage without beats.
    expected : float
        Expected F-measure.
    """

    frames: np.ndarray
    breaks: np.ndarray
    expected: float


class Reading(NamedTuple):
    """One interpretation of a piece: its beats and bars.

    Attributes
    ----------
    beats : Sequence
        The beats.
    positions : np.ndarray of int, shape=(n_beats,)
        Position of each beat in the bar, from 1.
    likelihood : float
        Log-likelihood ratio of the downbeats to chance, in nats.
    """

    beats: Sequence
    positions: np.ndarray
    likelihood: float


def widened(posterior):
    """Return the maximum over five frames: an event can peak beside its frame."""
    return maximum_filter1d(posterior, 5)


def choose(readings, near):
    """Find the reading with the highest expected F-measures of beats and downbeats.

    Parameters
    ----------
    readings : list of Reading
        At least one.
    near : int
        Tolerance in frames between matching events.

    Returns
    -------
    int
        Index of the reading.
    """
    expected = np.array([reading.beats.expected for reading in readings])
    likelihood = np.array([reading.likelihood for reading in readings])
    weight = softmax(TRUST * expected + DOWNBEAT_TRUST * likelihood)
    bars = [reading.beats.frames[reading.positions == 1] for reading in readings]
    agree = [[f_measure(a, b, near) for b in bars] for a in bars]
    return int(np.argmax(expected + np.asarray(agree) @ weight))


def agreement(frames, sequences, near):
    """Return the weight of the sequences that contain each beat, shape (n_beats,)."""
    weight = softmax([CERTAINTY * sequence.expected for sequence in sequences])
    hits = [is_near(frames, sequence.frames, near) for sequence in sequences]
    return np.minimum(weight @ np.asarray(hits, dtype=float), 1)


def support(frames, posterior, near):
    """Return how much the posteriors support the beats around each beat, up to 1.

    The probability of a beat near a frame is the sum of the posteriors there, divided
    by :data:`crema.tasks.beat.WIDTH`, the sum that training teaches for each event.
    """
    total = np.cumsum(np.concatenate([[0], posterior]))
    last = np.minimum(frames + near + 1, len(posterior))
    probability = (total[last] - total[np.maximum(frames - near, 0)]) / WIDTH
    probability = uniform_filter1d(np.minimum(probability, 1), SUPPORT, mode="nearest")
    return np.minimum(probability / ENOUGH, 1)


def is_near(frames, others, near):
    """Return which frames are within `near` frames of one of `others`, sorted."""
    if not len(others):
        return np.zeros(len(frames), dtype=bool)
    after = np.searchsorted(others, frames)
    distance = np.minimum(
        np.abs(frames - others[np.maximum(after - 1, 0)]),
        np.abs(frames - others[np.minimum(after, len(others) - 1)]),
    )
    return distance <= near


def f_measure(frames, others, near):
    """Return the F-measure of two lists of events more than ``2 * near`` apart each."""
    total = len(frames) + len(others)
    return 2 * is_near(frames, others, near).sum() / total if total else 1.0


def peak(posterior, frame):
    """Find the peak of a posterior near a frame.

    Returns
    -------
    float
        Its position in frames, from a parabola through the logarithms.
    """
    window = np.arange(max(0, frame - 2), min(len(posterior), frame + 3))
    frame = window[posterior[window].argmax()]
    if not 0 < frame < len(posterior) - 1:
        return float(frame)
    beside = vertex(*np.log(posterior[frame - 1 : frame + 2] + FLOOR))
    return frame + float(np.clip(beside, -0.5, 0.5))


def bar_positions(downbeat, meters, prior):
    """Find the most probable bars.

    Parameters
    ----------
    downbeat : np.ndarray, shape=(n_beats,)
        Probability that each beat is a downbeat.
    meters : np.ndarray, shape=(6,)
        Probabilities of bars of 2 to 7 beats, some of which can be 0.
    prior : float
        Prior probability that a beat is a downbeat.

    Returns
    -------
    np.ndarray of int, shape=(n_beats,)
        Position in the bar, from 1.
    """
    if not len(downbeat):
        return np.zeros(0, dtype=int)
    meters = {
        meter: share / np.sum(meters)
        for meter, share in zip(METERS, meters, strict=True)
        if share
    }
    states = [(meter, position) for meter in meters for position in range(1, meter + 1)]
    positions = np.asarray([position for _, position in states])
    transition = np.zeros((len(states), len(states)))
    for row, (meter, position) in enumerate(states):
        if position < meter:
            transition[row, states.index((meter, position + 1))] = 1 - BREAK
            if position > 1:  # a bar has two beats or more
                transition[row, states.index((meter, 1))] = BREAK
        else:
            for other, share in meters.items():
                transition[row, states.index((other, 1))] += CHANGE * share
            transition[row, states.index((meter, 1))] += 1 - CHANGE
    transition /= transition.sum(axis=1, keepdims=True)
    initial = np.asarray([meters[meter] / meter for meter, _ in states])
    # Relative to the prior; otherwise, if a network is unsure of all downbeats, bars
    # with the fewest downbeats would win.
    probable = np.clip(downbeat, FLOOR, 1 - FLOOR)
    first = (probable * (1 - prior)) ** ACOUSTIC_SCALE
    other = ((1 - probable) * prior) ** ACOUSTIC_SCALE
    likelihood = np.where(positions[:, np.newaxis] == 1, first, other)
    path = librosa.sequence.viterbi(likelihood, transition, p_init=initial)
    return positions[path]


def expected_f_measure(chosen, posterior):
    """Return the expected F-measure of estimated events.

    Parameters
    ----------
    chosen : np.ndarray, shape=(n_events,)
        Probability of each event.
    posterior : np.ndarray, shape=(n_frames,)
        Probability of an event at each frame, which gives the expected number of them.

    Returns
    -------
    float
        In [0, 1].
    """
    total = len(chosen) + posterior.sum() / WIDTH
    return min(1.0, 2 * chosen.sum() / total) if total else 0.0
