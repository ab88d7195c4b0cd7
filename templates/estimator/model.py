"""The estimator NAME: decode posteriors into an annotation."""

from crema import segments
from crema.models import base
from crema.tasks.NAME import LABELS


class Model(base.Estimator):
    """The estimator NAME, with one output ``NAME.label``, shape ``(n_frames, 13)``."""

    #: The labels of the classes of each output, written along with posteriors.
    classes = {"NAME.label": LABELS}

    def decode(self, outputs, duration):
        """Decode by Viterbi, with the self-transition probability from training.

        Without this method, the task transformer of the first output would decode it.
        """
        self_transition = self.probability("self_transition")
        hop = self.task.hop_length / self.task.sr
        frames = outputs["NAME.label"]
        return [
            segments.annotate(
                self.task.namespace, frames, LABELS, self_transition, hop, duration
            )
        ]
