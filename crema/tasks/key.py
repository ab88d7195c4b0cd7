"""Keys as 24 classes, of the whole track and of each frame."""

import numpy as np

from crema import segments
from crema.compiled import pumpp
from crema.exceptions import AnnotationError
from crema.notes import MAJOR_MODES, MINOR_MODES, MINOR_TONICS, PITCH_CLASSES, split
from crema.pump import Dotted

#: Classes, in the order of the posteriors.
KEYS = [f"{tonic}:major" for tonic in PITCH_CLASSES]
KEYS += [f"{tonic}:minor" for tonic in MINOR_TONICS]


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
    """

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
        """Decode the whole track, or each frame by itself.

        Parameters
        ----------
        encoded : np.ndarray, shape=(24,), (n_frames, 24), (1,) or (n_frames, 1)
            Posterior probabilities, or class indices.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``key_mode``: segments from 0 to `duration`, one if `encoded` is
            for the whole track.  ``N`` is where a class index is -1.
        """
        encoded = np.atleast_2d(encoded)
        labels = [*KEYS, "N"] if encoded.shape[1] == 1 else KEYS
        hop = self.hop_length / self.sr
        return segments.annotate(self.namespace, encoded, labels, None, hop, duration)


def longest(intervals, classes):
    """Return the class with the longest total duration, -1 if none is a key."""
    lengths = np.zeros(len(KEYS))
    for (start, end), key in zip(intervals, classes, strict=True):
        if key >= 0:
            lengths[key] += end - start
    return np.int8(lengths.argmax() if lengths.any() else -1)
