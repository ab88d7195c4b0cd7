"""The estimator NAME: from posteriors to an annotation."""

from crema import segments
from crema.models import base
from crema.tasks.NAME import LABELS


class Model(base.Estimator):
    """The estimator NAME, whose output is ``NAME.label``, shape ``(n_frames, 13)``."""

    #: What the classes of each output stand for, for those who write posteriors.
    classes = {"NAME.label": LABELS}

    def decode(self, outputs, duration):
        """Decode by Viterbi, with what training estimated of how long labels last.

        Without this method, the first output's task transformer decodes it.
        """
        self_transition = self.probability("self_transition")
        hop = self.task.hop_length / self.task.sr
        frames = outputs["NAME.label"]
        return [
            segments.annotate(
                self.task.namespace, frames, LABELS, self_transition, hop, duration
            )
        ]
