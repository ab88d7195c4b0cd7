"""Beats and downbeats as events on frames."""

import jams
import numpy as np

from crema.compiled import pumpp
from crema.exceptions import AnnotationError, ConfigError
from crema.pump import Dotted

#: Numbers of beats per bar that decoding considers.
METERS = (2, 3, 4, 5, 6, 7)
#: Sum of the targets around an event in the loss: 1, two halves and two quarters.
WIDTH = 2.5
#: Lowest frame rate, in Hz, that keeps neighbouring beats apart.
LEAST_RATE = 40


class Beats(Dotted, pumpp.task.base.BaseTaskTransformer):
    """Beats, fields ``name.beat`` and ``name.downbeat``, shape ``(None, 1)``.

    The frame nearest to a beat (downbeat) is 1, others are 0.  Unknown frames are -1:
    those outside the time of the annotation and, for downbeats, those around beats
    whose position in the bar is unknown.

    Parameters
    ----------
    name : str
        Prefix of the fields.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames.
    """

    def __init__(self, name="beat", sr=22050, hop_length=220):
        super().__init__(name=name, namespace="beat", sr=sr, hop_length=hop_length)
        if not sr >= LEAST_RATE * hop_length:
            raise ConfigError(
                f"hop_length {hop_length} is too long for beats, which need "
                f"{LEAST_RATE} frames per second: use at most {sr // LEAST_RATE} "
                "samples"
            )
        self.register("beat", [None, 1], np.dtype("int8"))
        self.register("downbeat", [None, 1], np.dtype("int8"))

    def transform_annotation(self, ann, duration):
        """Encode an annotation.

        Parameters
        ----------
        ann : jams.Annotation
            Namespace ``beat``; the value of a beat is its position in the bar, from 1,
            or None.
        duration : float
            Duration of the track in seconds.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, 1), dtype=int8
        """
        rate = self.sr / self.hop_length
        n_frames = int(duration * rate)
        order = sorted(ann.data, key=lambda obs: obs.time)
        times = np.asarray([obs.time for obs in order])
        positions = np.asarray(
            [np.nan if obs.value is None else obs.value for obs in order], dtype=float
        )
        if (positions < 1).any():
            raise AnnotationError(
                f"a beat has position {np.nanmin(positions):g} in its bar, but the "
                "downbeat must be 1; count from 1"
            )
        frames = np.rint(times * rate).astype(int)
        begin = 0 if ann.time is None else ann.time
        # Some annotations of events have a duration of 0.
        end = begin + ann.duration if ann.duration else duration
        beat = np.full(n_frames, -1, dtype=np.int8)
        beat[round(begin * rate) : round(end * rate)] = 0
        downbeat = beat.copy()
        # A frame is unknown if the beat before or after it has an unknown position.
        unknown = np.isnan(positions)
        edges = np.clip([0, *frames, n_frames], 0, n_frames)
        open_after = np.concatenate([unknown[:1], unknown[1:] | unknown[:-1]])
        open_after = np.append(open_after, unknown[-1:])
        for start, stop, is_open in zip(edges, edges[1:], open_after, strict=False):
            if is_open:
                downbeat[start:stop] = -1
        inside = (times >= begin) & (times <= end) & (frames < n_frames)
        beat[frames[inside]] = 1
        downbeat[frames[inside & unknown]] = -1
        downbeat[frames[inside & (positions == 1)]] = 1
        return {"beat": beat[:, np.newaxis], "downbeat": downbeat[:, np.newaxis]}

    def inverse(self, encoded, duration=None):
        """Decode peaks of beat posteriors as beats of unknown position.

        Parameters
        ----------
        encoded : np.ndarray, shape=(n_frames, 1)
            Posterior probabilities, or events as :meth:`transform_annotation` encodes
            them.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``beat``.  The confidence of a beat is its posterior.
        """
        hop = self.hop_length / self.sr
        if duration is None:
            duration = len(encoded) * hop
        posterior = np.asarray(encoded, dtype=float)[:, 0]
        padded = np.pad(posterior, 1, constant_values=-np.inf)
        peak = (posterior > padded[:-2]) & (posterior >= padded[2:])
        annotation = jams.Annotation(self.namespace, time=0, duration=duration)
        for frame in np.flatnonzero(peak & (posterior >= 0.5)):
            annotation.append(frame * hop, 0, None, float(posterior[frame]))
        return annotation
