"""Keys: posteriors of the whole track and of each frame; decoding.

A key is a tonic and ``major`` or ``minor``, as in ``F:minor``; other modes count as one
of these by their third.
"""

from crema import segments
from crema.models import base
from crema.tasks.key import KEYS

#: Exponent of the posteriors of frames: neighbouring ones are correlated, as a frame
#: lasts a tenth of a second and the receptive field 13 s.
ACOUSTIC_SCALE = 0.03
#: Exponents of the confidence of the key of a whole track and of a part, see
#: :func:`crema.segments.confidence`.
POWER, LOCAL_POWER = 1.5, 2.5


class Model(base.Estimator):
    """The key estimator.

    Its outputs are ``key.overall``, of shape ``(24,)``, and ``key.local``, of shape
    ``(n_frames, 24)``.
    """

    classes = {"key.overall": KEYS, "key.local": KEYS}
    names = ("key", "local_key")

    def __init__(self, directory):
        super().__init__(directory)
        self.self_transition = self.probability("self_transition")

    def decode(self, outputs, duration):
        """Decode the key of the whole track and the sequence of local keys.

        They are two annotations: the first has one key from beginning to end, the
        second changes key with the music, by Viterbi decoding.
        """
        overall, local = (outputs[name] for name in self.classes)
        where = self.hop, duration
        name = self.task.namespace
        return [
            segments.annotate(name, overall[None], KEYS, None, *where, power=POWER),
            segments.annotate(
                name,
                local,
                KEYS,
                self.self_transition,
                *where,
                scale=ACOUSTIC_SCALE,
                power=LOCAL_POWER,
            ),
        ]
