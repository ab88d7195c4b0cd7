"""Keys as 24 classes, of the whole track and of each frame."""

import jams
import numpy as np

from crema import segments
from crema.compiled import pumpp
from crema.exceptions import AnnotationError
from crema.notes import MAJOR_MODES, MINOR_MODES, PITCH_CLASSES, split
from crema.pump import Dotted

#: Classes, in the order of the posteriors.
KEYS = [f"{tonic}:{mode}" for mode in ("major", "minor") for tonic in PITCH_CLASSES]
#: Exponent of the posteriors of frames: neighbouring ones are correlated, as a frame
#: lasts a tenth of a second and the receptive field 13 s.
ACOUSTIC_SCALE = 0.03
#: Exponents of the confidence of the key of a whole track and of a part, see
#: :func:`crema.segments.confidence`.
POWER, LOCAL_POWER = 1.5, 2.5


def parse(label):
    """Return the class of a key.

    Parameters
    ----------
    label : str
        In the syntax of the JAMS namespace ``key_mode``: ``C:major``, ``F#:dorian``,
        ``Bb``, ``N``.  A mode counts as major or minor by its third.

    Returns
    -------
    int
        Index into :data:`KEYS`, -1 for ``N``.

    Raises
    ------
    AnnotationError
        `label` is not a key.
    """
    if label == "N":
        return -1
    pitch, mode = split(label)
    if pitch is None or mode not in MAJOR_MODES + MINOR_MODES:
        raise AnnotationError(f"{label!r} is not a key")
    return pitch + 12 * (mode in MINOR_MODES)


class Keys(Dotted, pumpp.task.base.BaseTaskTransformer):
    """Keys, fields ``name.overall``, shape ``(1,)``, and ``name.local``, ``(None, 1)``.

    The values are class indices, and -1 without a key or an annotation.  The overall
    key is the one with the longest total duration.

    Parameters
    ----------
    name : str
        Prefix of the fields.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames.

    Attributes
    ----------
    self_transition : float or None
        Probability that the key stays the same from one frame to the next.
    """

    self_transition = None

    def __init__(self, name="key", sr=22050, hop_length=2048):
        super().__init__(name=name, namespace="key_mode", sr=sr, hop_length=hop_length)
        self.register("overall", [1], np.dtype("int8"))
        self.register("local", [None, 1], np.dtype("int8"))

    def transform_annotation(self, ann, duration):
        """Encode an annotation.

        Parameters
        ----------
        ann : jams.Annotation
            Namespace ``key_mode``.
        duration : float
            Duration of the track in seconds.

        Returns
        -------
        dict of np.ndarray
            ``overall``, shape (1,), and ``local``, shape (n_frames, 1).
        """
        intervals, labels = ann.to_interval_values()
        classes = np.asarray([parse(label) for label in labels], dtype=np.int8)
        local = self.encode_intervals(
            duration,
            intervals,
            classes[:, np.newaxis],
            dtype=np.int8,
            multi=False,
            fill=-1,
        )
        return {"overall": np.asarray([longest(intervals, classes)]), "local": local}

    def inverse(self, encoded, duration=None):
        """Decode posteriors of the whole track or of each frame.

        Parameters
        ----------
        encoded : np.ndarray, shape=(24,) or (n_frames, 24)
            Posterior probabilities.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``key_mode``: one key from 0 to `duration`, or the keys of the
            frames, by Viterbi decoding if the attribute ``self_transition`` is set.
            Their confidence is :func:`crema.segments.confidence`.
        """
        hop = self.hop_length / self.sr
        encoded = np.asarray(encoded)
        if encoded.ndim == 1:
            duration = hop if duration is None else duration
            annotation = jams.Annotation(self.namespace, time=0, duration=duration)
            best = int(encoded.argmax())
            certainty = segments.confidence(encoded[np.newaxis], best, POWER)
            annotation.append(0, duration, KEYS[best], certainty)
            return annotation
        return segments.annotate(
            self.namespace,
            encoded,
            KEYS,
            self.self_transition,
            hop,
            duration,
            ACOUSTIC_SCALE,
            LOCAL_POWER,
        )


def longest(intervals, classes):
    """Return the class with the longest total duration, -1 if none is a key."""
    lengths = np.zeros(len(KEYS))
    for (start, end), key in zip(intervals, classes, strict=True):
        if key >= 0:
            lengths[key] += end - start
    return np.int8(lengths.argmax() if lengths.any() else -1)
