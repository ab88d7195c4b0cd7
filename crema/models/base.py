"""Base class of trained estimators: audio in, posteriors or annotations out."""

import pathlib

import numpy as np

from crema import models, network, pump
from crema.audio import Audio
from crema.exceptions import ModelError
from crema.utils import disk, hashes
from crema.version import __version__


class Estimator:
    """A trained model, its pump and its decoder, read from one directory.

    Subclasses override :meth:`decode` if decoding takes more than the task transformer
    of the first output, and :meth:`revise` if other estimators can improve the result.

    Parameters
    ----------
    directory : str or path-like
        Holds ``model.onnx`` or else ``model.h5``, ``pump.json`` or else ``pump.pkl``,
        ``decoder.json`` and ``version.txt``.  If it also holds ``SHA256SUMS``, the
        files must match it.

    Attributes
    ----------
    classes : dict of str to list of str
        Labels of the classes of each output, written along with posteriors; by default,
        classes are numbered.
    pump : pumpp.Pump
        Its feature extractors compute the inputs of the network, its task transformers
        decode the outputs.
    extractors : list of pumpp.feature.FeatureExtractor
        Operators of the pump that compute the inputs.
    version : str
        ``GIT-HASH.ITERATION`` of the training, see :mod:`crema.utils.version`.
    decoder : dict
        Parameters for decoding, estimated in training.
    origin : dict
        Name of the estimator, version, and one hash over the files it was loaded from.

    Raises
    ------
    ModelError
        A file is missing or damaged.
    """

    classes = {}

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        paths = models.files(directory)
        model, operators, *_ = paths
        self.directory = directory
        self.pump = pump.load(operators)
        self.decoder = disk.read_json(directory / "decoder.json")
        self.version = (directory / "version.txt").read_text(encoding="utf-8").strip()
        # Hashed now, as another training can replace the files later.
        self.origin = {
            "estimator": self.name,
            "version": self.version,
            "sha256": hashes.of_all(paths),
        }
        self.network = network.load(model)
        self.inputs = self.network.inputs
        self.output_names = self.network.outputs
        unknown = {*self.inputs, self.output_names[0]} - set(self.pump.fields)
        if unknown:
            raise ModelError(
                f"{directory}: {model.name} and {operators.name} do not match (the "
                f"pump has no field {min(unknown)!r}); train again"
            )
        self.extractors = [
            operator
            for operator in self.pump.ops
            if set(operator.fields) & set(self.inputs)
        ]

    def __reduce__(self):
        """Pickle only the directory: the network cannot be sent to another process."""
        return type(self), (self.directory,)

    @property
    def name(self):
        """Name of the estimator, which is that of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def names(self):
        """Names of the annotations that :meth:`decode` returns, in order."""
        return (self.name,)

    @property
    def task(self):
        """The task transformer that decodes the first output."""
        return next(
            operator
            for operator in self.pump.ops
            if self.output_names[0] in operator.fields
        )

    @property
    def hop(self):
        """Time between the frames of the outputs, in seconds."""
        return self.task.hop_length / self.task.sr

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
            Samples: floating point within [-1, 1], or integers of full scale.
        sr : int
            Sampling rate of `y` in Hz.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, n_classes) or (n_classes,)
            The outputs of the network by name, in its order.  An output about the whole
            piece has no axis of frames.

        Raises
        ------
        AudioError
            The audio cannot be read or used.
        ModelError
            The network does not compute numbers.
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

        Estimators share the features of such an object, and the network runs once for
        both posteriors and annotations.
        """

        def compute():
            data = {}
            for operator in self.extractors:
                data.update(audio.features(operator))
            arrays = {name: data[name][0] for name in self.inputs}
            found = self.network.run(arrays, self.task.sr / self.task.hop_length)
            for name, posterior in found.items():
                if not np.isfinite(posterior).all():
                    raise ModelError(
                        f"{self.directory}: its output {name} is not a number; the "
                        "model is damaged, or its training failed: train it again"
                    )
            return found

        return audio.once(self, compute)

    def annotate(self, audio):
        """Annotate a :class:`crema.audio.Audio`.

        Returns
        -------
        list of jams.Annotation
            Annotations from 0 to the duration of the audio.  The sandbox of each holds
            its name, one of :attr:`names`, and :attr:`origin`.  Evaluation scores the
            first.
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
        """Improve the annotations of this estimator, given those of all estimators.

        Parameters
        ----------
        made : dict of str to list of jams.Annotation
            Results of :meth:`annotate` for the same piece, by the name of the
            estimator.  They must not be changed.

        Returns
        -------
        list of jams.Annotation
            The annotations of this estimator, by default unchanged.
        """
        return made[self.name]

    def decode(self, outputs, duration):
        """Decode the posteriors that :meth:`outputs` returns.

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
