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
        annotation = segments.annotate(
            self.task.namespace,
            outputs["NAME.label"],
            LABELS,
            self.probability("self_transition"),
            self.hop,
            duration,
        )
        return [annotation]
