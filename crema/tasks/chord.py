"""Chords as classes: tags of pumpp's vocabularies, and their structure.

Labels are class indices, not one-hot rows, to keep feature files small.
"""

import re

import mir_eval
import numpy as np

from crema import segments
from crema.compiled import pumpp
from crema.notes import transpose
from crema.pump import Dotted


class ChordTags(Dotted, pumpp.task.ChordTagTransformer):
    """Chord tags of pumpp's vocabularies as class indices, field ``name.chord``."""

    def __init__(self, name="chord_tag", sr=22050, hop_length=2048, vocab="3567s"):
        super().__init__(
            name=name, vocab=vocab, sr=sr, hop_length=hop_length, sparse=True
        )
        self.vocab = vocab
        # pumpp holds a set of strings, whose order, and hence pickle, differs between
        # processes.
        self._classes = [str(label) for label in self.encoder.classes_]

    def simplify(self, chord):
        """Return the vocabulary's label for a chord.

        Degrees in parentheses count, which pumpp ignores: ``C:(b3,5)`` is a minor
        chord.  If the chord with them is not in the vocabulary, its shorthand decides,
        unless it has none or omits its third: then the label is ``X``.
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
        """Encode intervals; unannotated time is ``X``, not class 0 as in pumpp."""
        return super().encode_intervals(*args, fill=self._classes.index("X"), **kwargs)

    @property
    def labels(self):
        """List of str: the chord label of each class, in Harte syntax, with flats."""
        return [transpose(label, 0) for label in self._classes]

    def inverse(self, encoded, duration=None):
        """Decode each frame by itself: its class, or the most probable one.

        Parameters
        ----------
        encoded : np.ndarray, shape=(n_frames, n_labels) or (n_frames, 1)
            Posterior probabilities, or class indices.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``chord``; segments from 0 to `duration` without gap or overlap.
        """
        hop = self.hop_length / self.sr
        return segments.annotate(
            self.namespace, encoded, self.labels, None, hop, duration
        )


class StructuredChord(Dotted, pumpp.task.ChordTransformer):
    """Pitch classes, root and bass, fields ``name.pitch``, ``.root``, ``.bass``.

    Root and bass are indices from 0 (C) to 11 (B); 12 stands for none.
    """

    def __init__(self, name="chord_struct", sr=22050, hop_length=2048):
        super().__init__(name=name, sr=sr, hop_length=hop_length, sparse=True)

    def transform_annotation(self, ann, duration):
        """Encode an annotation; ``X`` has no tones, not all twelve as in pumpp."""
        encoded = super().transform_annotation(ann, duration)
        encoded["pitch"] &= encoded["root"] < 12
        return encoded
