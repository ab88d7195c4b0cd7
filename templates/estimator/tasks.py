"""Labels of the estimator NAME: here, the root of the chord at each frame.

Change the lines marked "here".  pump.pkl can only hold classes that are defined in this
module, in :mod:`crema.features` or by pumpp.
"""

import numpy as np
from mir_eval import chord

from crema import segments
from crema.compiled import pumpp
from crema.notes import PITCH_CLASSES
from crema.pump import Dotted

#: Classes, in the order of the posteriors: here, roots without intervals, and no root.
LABELS = [*(f"{note}:1" for note in PITCH_CLASSES), "N"]


class Labels(Dotted, pumpp.task.base.BaseTaskTransformer):
    """Labels as class indices, field ``name.label``, shape ``(None, 1)``.

    Parameters
    ----------
    name : str
        Prefix of the field.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames.
    """

    def __init__(self, name="NAME", sr=22050, hop_length=2048):
        # Here, the JAMS namespace that holds the labels.
        super().__init__(name=name, namespace="chord", sr=sr, hop_length=hop_length)
        self.register("label", [None, 1], np.dtype("int8"))

    def transform_annotation(self, ann, duration):
        """Encode an annotation; frames without a label are -1 and train nothing.

        Parameters
        ----------
        ann : jams.Annotation
            In the namespace of this task.
        duration : float
            Duration of the track in seconds.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, 1)
        """
        intervals, labels = ann.to_interval_values()
        classes = [[self.parse(label)] for label in labels]
        encoded = self.encode_intervals(
            duration,
            intervals,
            np.asarray(classes, dtype=np.int8),
            dtype=np.int8,
            multi=False,
            fill=-1,
        )
        return {"label": encoded}

    @staticmethod
    def parse(label):
        """Return the class of a label, -1 if unknown."""
        # Here, mir_eval encodes the root of N as -1, and -1 % 13 is the last class.
        return -1 if label == "X" else chord.encode(label)[0] % 13

    def inverse(self, encoded, duration=None):
        """Decode posteriors, shape (n_frames, n_classes), into an annotation."""
        hop = self.hop_length / self.sr
        return segments.annotate(self.namespace, encoded, LABELS, None, hop, duration)
