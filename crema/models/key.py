"""Keys: posteriors of the whole track and of each frame; decoding.

A key is a tonic and ``major`` or ``minor``, as in ``F:minor``; other modes count as one
of these by their third.
"""

from crema.models import base
from crema.tasks.key import KEYS


class KeyModel(base.Estimator):
    """The key estimator.

    Its outputs are ``key.overall``, of shape ``(24,)``, and ``key.local``, of shape
    ``(n_frames, 24)``.

    Attributes
    ----------
    classes : dict of str to list of str
        Labels of the classes of each output.
    names : tuple of str
        Names of the annotations of the whole track and of its parts.
    """

    classes = {"key.overall": KEYS, "key.local": KEYS}
    names = ("key", "local_key")

    def __init__(self, directory):
        super().__init__(directory)
        self.task.self_transition = self.probability("self_transition")

    def decode(self, outputs, duration):
        """Decode the key of the whole track and the sequence of local keys.

        They are two annotations: the first has one key from beginning to end, the
        second changes key with the music.
        """
        return [
            self.task.inverse(outputs[name], duration=duration)
            for name in ("key.overall", "key.local")
        ]


Model = KeyModel
