"""Chords as classes: tags of pumpp's vocabularies, and their structure.

Labels are class indices, not one-hot rows, so that feature files stay small.
"""

import re

import mir_eval
import numpy as np

from crema import segments
from crema.compiled import pumpp
from crema.pump import Dotted

#: Of the confidence of a chord, see :func:`crema.segments.confidence`.
POWER = 0.65


class ChordTags(Dotted, pumpp.task.ChordTagTransformer):
    """Chord tags of pumpp's vocabularies as class indices, field ``name.chord``."""

    self_transition = None

    def __init__(self, name="chord_tag", sr=22050, hop_length=2048, vocab="3567s"):
        super().__init__(
            name=name, vocab=vocab, sr=sr, hop_length=hop_length, sparse=True
        )
        self.vocab = vocab
        # pumpp holds a set of strings, whose order, and so whose pickle, changes
        # from one process to the next.
        self._classes = [str(label) for label in self.encoder.classes_]

    def simplify(self, chord):
        """Return the label of the vocabulary that stands for a chord.

        Degrees in parentheses count, where pumpp leaves them out: ``C:(b3,5)`` is a
        minor chord.  What is no chord of the vocabulary by them is called by its
        shorthand, if there is one and its third is not left out, or else ``X``.
        """
        label, _, degrees = chord.partition("/")[0].partition("(")
        if not degrees:
            return super().simplify(chord)
        root, tones, _ = mir_eval.chord.encode(chord.partition("/")[0])
        query = self.mask_ & tones[::-1].dot(2 ** np.arange(12))
        if query in pumpp.task.chord.QUALITIES:
            quality = pumpp.task.chord.QUALITIES[query]
            return f"{pumpp.task.chord.PITCHES[root]}:{quality}"
        named = not label.endswith(":") and not re.search(r"\*b?3", degrees)
        return super().simplify(chord) if named else "X"

    def encode_intervals(self, *args, **kwargs):
        """Encode intervals; what is not annotated is ``X``, where pumpp has class 0."""
        return super().encode_intervals(*args, fill=self._classes.index("X"), **kwargs)

    @property
    def labels(self):
        """List of str: the chord label of each class, in Harte syntax."""
        return list(self._classes)

    def set_transition(self, p_self):
        """Set how probably the label of a frame is that of the frame before, or None.

        pumpp would make a matrix of it, which the path does without.
        """
        self.self_transition = p_self

    def inverse(self, encoded, duration=None):
        """Decode posteriors into a chord annotation.

        Where it is known how probably a label goes on (``set_transition``), the labels
        are the Viterbi path through the posteriors, divided by no prior; else the most
        probable label of each frame.  Frames of equal label become one segment.

        Parameters
        ----------
        encoded : np.ndarray, shape=(n_frames, n_labels) or (n_frames, 1)
            Posterior probabilities, or class indices.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``chord``, from 0 to `duration` without gap or overlap.  The
            confidence of a segment is :func:`crema.segments.confidence`.
        """
        return segments.annotate(
            self.namespace,
            encoded,
            self._classes,
            self.self_transition,
            self.hop_length / self.sr,
            duration,
            power=POWER,
        )


class StructuredChord(Dotted, pumpp.task.ChordTransformer):
    """Pitch classes, root and bass, fields ``name.pitch``, ``.root``, ``.bass``.

    Root and bass are indices from 0 (C) to 11 (B); 12 stands for none.
    """

    def __init__(self, name="chord_struct", sr=22050, hop_length=2048):
        super().__init__(name=name, sr=sr, hop_length=hop_length, sparse=True)

    def transform_annotation(self, ann, duration):
        """Encode an annotation; ``X`` has no tones, where pumpp has all twelve."""
        encoded = super().transform_annotation(ann, duration)
        encoded["pitch"] &= encoded["root"] < 12
        return encoded
