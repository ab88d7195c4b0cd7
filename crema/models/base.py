"""What every trained estimator does: audio in, posteriors or an annotation out."""

import pathlib

from crema import models, network, pump
from crema.audio import Audio
from crema.exceptions import ModelError
from crema.utils import disk, hashes
from crema.version import __version__


class Estimator:
    """A trained model, its pump and its decoder, read from one directory.

    Subclasses override :meth:`decode` where an output is more than what the task
    transformer of the first output makes of it, and :meth:`revise` where other
    estimators can help.

    Parameters
    ----------
    directory : str or path-like
        Holds ``model.onnx`` or else ``model.h5``, ``pump.json`` or else ``pump.pkl``,
        ``decoder.json`` and ``version.txt``; where ``SHA256SUMS`` is there too, the
        files must be those that it lists.

    Attributes
    ----------
    pump : pumpp.Pump
        Its feature extractors make the model's inputs, its task transformers decode
        the outputs.
    extractors : list of pumpp.feature.FeatureExtractor
        Those of its operators that make the inputs.
    version : str
        ``GIT-HASH.ITERATION`` of the training.
    decoder : dict
        Parameters of the decoding that were estimated in training.
    origin : dict
        The name, the version, and one hash for the files that it was loaded from.

    Raises
    ------
    ModelError
        A file is missing or damaged.
    """

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        found = models.files(directory)
        model, operators, *_ = found
        self.directory = directory
        self.pump = pump.load(operators)
        self.decoder = disk.read_json(directory / "decoder.json")
        self.version = (directory / "version.txt").read_text(encoding="utf-8").strip()
        # Of the files as they are now; another training may replace them.
        self.origin = {
            "estimator": self.name,
            "version": self.version,
            "sha256": hashes.of_all(found),
        }
        self.network = network.load(model)
        self.inputs = self.network.inputs
        self.output_names = self.network.outputs
        unknown = {*self.inputs, self.output_names[0]} - set(self.pump.fields)
        if unknown:
            raise ModelError(
                f"{directory}: {model.name} and {operators.name} do not belong "
                f"together (the pump has no field {min(unknown)!r}); train again"
            )
        self.extractors = [
            operator
            for operator in self.pump.ops
            if set(operator.fields) & set(self.inputs)
        ]

    def __reduce__(self):
        """Be loaded again in another process, as the network cannot be sent to it."""
        return type(self), (self.directory,)

    @property
    def name(self):
        """Name of the estimator, that of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def names(self):
        """Names of the annotations that :meth:`decode` makes, one for each."""
        return (self.name,)

    @property
    def task(self):
        """The task transformer that decodes the first output."""
        return next(
            operator
            for operator in self.pump.ops
            if self.output_names[0] in operator.fields
        )

    def probability(self, name):
        """Return a probability that training estimated for the decoder.

        Raises
        ------
        ModelError
            ``decoder.json`` does not hold it.
        """
        value = self.decoder.get(name) if isinstance(self.decoder, dict) else None
        if not (isinstance(value, float) and 0 < value < 1):
            raise ModelError(
                f"{self.directory / 'decoder.json'}: {name} is not a probability; "
                "train the model again"
            )
        return value

    def outputs(self, filename=None, y=None, sr=None):
        """Compute the posteriors.

        Parameters
        ----------
        filename : str or path-like, optional
            An audio file; or else `y` and `sr`.
        y : np.ndarray, shape=(n_samples,) or (n_channels, n_samples)
            Audio, in floating point within [-1, 1] or integers of full scale.
        sr : int
            Its sampling rate in Hz.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, n_classes) or (n_classes,)
            One array per output of the network, by name, the first output first; an
            output about the whole piece has no axis of frames.

        Raises
        ------
        AudioError
            The audio cannot be read or used.
        """
        return self.posteriors(Audio(filename, y, sr))

    def predict(self, filename=None, y=None, sr=None):
        """Annotate audio.

        Parameters
        ----------
        filename, y, sr
            As in :meth:`outputs`.

        Returns
        -------
        jams.Annotation
            The first annotation of :meth:`annotate`.

        Raises
        ------
        AudioError
            The audio cannot be read or used.
        """
        return self.annotate(Audio(filename, y, sr))[0]

    def posteriors(self, audio):
        """Compute the posteriors of a :class:`crema.audio.Audio`; see :meth:`outputs`.

        Several estimators share what they compute of one such object, and who asks for
        posteriors and annotations has the network run once.
        """

        def compute():
            data = {}
            for operator in self.extractors:
                data.update(audio.features(operator))
            arrays = {name: data[name][0] for name in self.inputs}
            return self.network.run(arrays, self.task.sr / self.task.hop_length)

        return audio.once(self, compute)

    def annotate(self, audio):
        """Annotate a :class:`crema.audio.Audio`.

        Returns
        -------
        list of jams.Annotation
            Each from 0 to the duration of the audio.  Its sandbox has one of
            :attr:`names`, and :attr:`origin`.  The first is what evaluation scores.
        """
        annotations = self.decode(self.posteriors(audio), audio.duration)
        for name, annotation in zip(self.names, annotations, strict=True):
            annotation.sandbox.update(name=name, model=dict(self.origin))
            metadata = annotation.annotation_metadata
            metadata.annotation_tools = f"crema {__version__}"
            metadata.version = self.version
            metadata.data_source = "program"
        return annotations

    def revise(self, made):
        """Mend one's own annotations by what other estimators say of the same piece.

        Parameters
        ----------
        made : dict of str to list of jams.Annotation
            What :meth:`annotate` of each estimator made, by name.  Not to be changed.

        Returns
        -------
        list of jams.Annotation
            Those of this estimator; by default as they are.
        """
        return made[self.name]

    def decode(self, outputs, duration):
        """Make annotations of what :meth:`outputs` returns.

        Parameters
        ----------
        outputs : dict of np.ndarray
            Posteriors by name.
        duration : float
            Duration of the audio in seconds.

        Returns
        -------
        list of jams.Annotation
        """
        return [self.task.inverse(outputs[self.output_names[0]], duration=duration)]
