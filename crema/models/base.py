"""What every trained estimator does: audio in, posteriors or an annotation out."""

import pathlib

import numpy as np

from crema import pump
from crema.exceptions import AudioError, ModelError
from crema.utils import io
from crema.version import __version__


class Estimator:
    """A trained model, its pump and its decoder, read from one directory.

    Subclasses override :meth:`decode` where an output is more than what the task
    transformer of the first output makes of it.

    Parameters
    ----------
    directory : str or path-like
        Holds ``model.h5``, ``pump.pkl``, ``decoder.json`` and ``version.txt``.

    Attributes
    ----------
    pump : pumpp.Pump
        Its feature extractors make the model's inputs, its task transformers decode
        the outputs.
    version : str
        ``GIT-HASH.ITERATION`` of the training.
    decoder : dict
        Parameters of the decoding that were estimated in training.

    Raises
    ------
    ModelError
        A file is missing or damaged.
    """

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        for name in ("model.h5", "pump.pkl", "decoder.json", "version.txt"):
            if not (directory / name).is_file():
                raise ModelError(
                    f"{directory}: holds no trained model ({name} is missing); train "
                    "one with snakemake, or name another directory"
                )
        self.directory = directory
        self.pump = pump.load(directory / "pump.pkl")
        self.decoder = io.read_json(directory / "decoder.json")
        self.version = (directory / "version.txt").read_text(encoding="utf-8").strip()
        self.network = load_network(directory / "model.h5")
        self.inputs = [tensor.name for tensor in self.network.inputs]
        self.output_names = list(self.network.output_names)
        unknown = {*self.inputs, self.output_names[0]} - set(self.pump.fields)
        if unknown:
            raise ModelError(
                f"{directory}: model.h5 and pump.pkl do not belong together (the pump "
                f"has no field {min(unknown)!r}); train again"
            )
        self._extractors = [
            operator
            for operator in self.pump.ops
            if set(operator.fields) & set(self.inputs)
        ]

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

    def features(self, y, sr):
        """Compute the model's inputs.

        Parameters
        ----------
        y : np.ndarray, shape=(n_samples,) or (n_channels, n_samples)
            Audio, in floating point within [-1, 1] or integers of full scale.
        sr : int
            Samples per second of `y`.

        Returns
        -------
        dict of np.ndarray
            One array per input, with a leading axis of length 1.

        Raises
        ------
        AudioError
            `y` is empty, not numeric or not finite.
        """
        y = as_mono(y)
        data = {}
        for operator in self._extractors:
            # A clip shorter than a frame still gets an answer.
            least = -(-sr * operator.hop_length // operator.sr) + 1
            padded = np.pad(y, (0, max(0, least - len(y))))
            data.update(operator.transform(padded, sr))
        return {name: data[name] for name in self.inputs}

    def outputs(self, filename=None, y=None, sr=None):
        """Compute the posteriors.

        Parameters
        ----------
        filename : str or path-like, optional
            An audio file; or else `y` and `sr`.
        y : np.ndarray, shape=(n_samples,) or (n_channels, n_samples)
            Audio.
        sr : int
            Its sampling rate in Hz.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, n_classes)
            One array per output of the network, by name, the first output first.

        Raises
        ------
        AudioError
            The audio cannot be read or used.
        """
        y, sr = load_audio(filename, y, sr)
        batch = self.features(y, sr)
        arrays = [batch[name] for name in self.inputs]
        estimated = self.network.predict(
            arrays if len(arrays) > 1 else arrays[0], verbose=0
        )
        if not isinstance(estimated, (list, tuple)):
            estimated = [estimated]
        return dict(
            zip(self.output_names, (array[0] for array in estimated), strict=True)
        )

    def predict(self, filename=None, y=None, sr=None):
        """Annotate audio.

        Parameters
        ----------
        filename, y, sr
            As in :meth:`outputs`.

        Returns
        -------
        jams.Annotation
            From 0 to the duration of the audio, its metadata naming this model.

        Raises
        ------
        AudioError
            The audio cannot be read or used.
        """
        y, sr = load_audio(filename, y, sr)
        y = as_mono(y)
        annotation = self.decode(self.outputs(y=y, sr=sr), len(y) / sr)
        metadata = annotation.annotation_metadata
        metadata.annotation_tools = f"crema {__version__}"
        metadata.version = self.version
        metadata.data_source = "program"
        return annotation

    def decode(self, outputs, duration):
        """Make an annotation of what :meth:`outputs` returns.

        Parameters
        ----------
        outputs : dict of np.ndarray
            Posteriors by name.
        duration : float
            Duration of the audio in seconds.

        Returns
        -------
        jams.Annotation
        """
        return self.task.inverse(outputs[self.output_names[0]], duration=duration)


def load_network(path):
    """Load a Keras model; code inside the file is not run."""
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # h5py and keras raise many kinds for a damaged file
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{path}: is not a model that can be used ({reason[0]}); train it again"
        ) from error


def load_audio(filename, y, sr):
    """Return ``y, sr``, read from `filename` unless they are given."""
    if y is not None:
        if sr is None or not sr > 0:
            raise AudioError("audio given as y needs its sampling rate: sr=44100")
        return y, sr
    if filename is None:
        raise AudioError("nothing to analyse: give filename=, or y= and sr=")
    return io.read_audio(filename)


def as_mono(y):
    """Return audio as float32 of shape (n_samples,); integers are scaled to [-1, 1]."""
    y = np.asarray(y)
    if np.issubdtype(y.dtype, np.unsignedinteger):
        middle = np.iinfo(y.dtype).max // 2 + 1
        y = (y.astype(np.float32) - middle) / middle
    elif np.issubdtype(y.dtype, np.integer):
        y = y.astype(np.float32) / -float(np.iinfo(y.dtype).min)
    elif not np.issubdtype(y.dtype, np.floating):
        raise AudioError(f"audio must be numbers, not {y.dtype}")
    if y.ndim == 2:
        y = y.mean(axis=0)
    if y.ndim != 1 or not y.size:
        raise AudioError(
            f"audio must have the shape (n_samples,) or (n_channels, n_samples) and "
            f"not be empty, not {y.shape}"
        )
    y = y.astype(np.float32, copy=False)
    if not np.isfinite(y).all():
        raise AudioError("audio holds samples that are not finite numbers")
    return y
