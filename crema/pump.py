"""The pump's operators: what a model sees, and what its outputs mean.

pumpp names a field ``operator/field``, and Keras accepts no ``/`` in the name of a
layer.  The operators here join the two with a dot, so that a model's inputs and
outputs bear the names of pump fields to the letter.

They also decide what a feature file costs.  The HCQT is held as 8-bit levels of
80 dB, a quarter of float32; chord labels are class indices, not one-hot rows.
"""

import io
import itertools
import pickle

import jams
import librosa
import numpy as np
import pumpp

from crema.exceptions import ConfigError, ModelError

#: Range of the log magnitudes, in dB below the loudest value of the track.
DYNAMIC_RANGE = 80.0
#: Magnitudes up to here are silence, as they are to librosa.
SILENCE = 1e-5
#: Highest level of a feature; ``level / LEVELS * DYNAMIC_RANGE - DYNAMIC_RANGE`` is dB.
LEVELS = 255


class Dotted:
    """Mixin that names fields ``operator.field``."""

    def scope(self, key):
        """Return the name of the field `key` of this operator."""
        return f"{self.name}.{key}"


class HCQT(Dotted, pumpp.feature.HCQTMag):
    """Log-magnitude harmonic constant-Q transform in 8-bit levels.

    The harmonics share one transform: a harmonic ``2 ** k`` is the same filter bank
    ``k`` octaves up, so ``n_octaves + k`` octaves are computed once and sliced.  As in
    :class:`pumpp.feature.HCQTMag`, each harmonic is in dB below its own maximum.

    Parameters
    ----------
    name : str
        Prefix of the field ``name.mag``, shape ``(None, bins, harmonics)``.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames, a multiple of ``2 ** (octaves - 1)``.
    n_octaves : int
        Octaves per harmonic, up from C1 (32.7 Hz).
    over_sample : int
        Bins per semitone.
    harmonics : sequence of int
        Powers of two.
    dtype : {'uint8', 'float32'}
        Levels rounded to integers (what is stored and trained on), or not rounded.

    References
    ----------
    R. M. Bittner et al., "Deep salience representations for F0 estimation in
    polyphonic music", ISMIR 2017.
    """

    def __init__(
        self,
        name="hcqt",
        sr=22050,
        hop_length=2048,
        n_octaves=6,
        over_sample=3,
        harmonics=(1, 2),
        dtype="uint8",
    ):
        super().__init__(
            name,
            sr,
            hop_length,
            n_octaves=n_octaves,
            over_sample=over_sample,
            harmonics=harmonics,
            log=True,
            dtype=dtype,
        )
        for option, value in (
            ("hop_length", hop_length),
            ("octaves", n_octaves),
            ("bins_per_semitone", over_sample),
        ):
            if value < 1:
                raise ConfigError(f"{option} {value} must be at least 1")
        if any(h & (h - 1) for h in self.harmonics):
            raise ConfigError(f"harmonics {harmonics} must be powers of two")
        octaves = n_octaves + max(harmonics).bit_length() - 1
        if hop_length % 2 ** (octaves - 1):
            raise ConfigError(
                f"hop_length {hop_length} must be a multiple of {2 ** (octaves - 1)} "
                f"for a transform of {octaves} octaves"
            )
        if 2.0**octaves * self.fmin * 1.05 > sr / 2:
            raise ConfigError(
                f"sample_rate {sr} is too low for {octaves} octaves above C1; it must "
                f"be at least {2.1 * 2**octaves * self.fmin:.0f}"
            )

    def transform_audio(self, y):
        """Compute the transform.

        Parameters
        ----------
        y : np.ndarray, shape=(n_samples,)
            Audio at this operator's sampling rate.

        Returns
        -------
        data : dict
            ``data['mag']`` : np.ndarray, shape=(n_frames, n_bins, n_harmonics)
        """
        bins = 12 * self.over_sample
        octaves = [h.bit_length() - 1 for h in self.harmonics]
        magnitude = np.abs(
            librosa.cqt(
                y,
                sr=self.sr,
                hop_length=self.hop_length,
                fmin=self.fmin,
                n_bins=bins * (self.n_octaves + max(octaves)),
                bins_per_octave=bins,
            )
        )
        n_frames = self.n_frames(librosa.get_duration(y=y, sr=self.sr))
        magnitude = librosa.util.fix_length(magnitude, size=n_frames)
        levels = [
            self.levels(magnitude[bins * k : bins * (k + self.n_octaves)])
            for k in octaves
        ]
        return {"mag": np.stack(levels, axis=-1).swapaxes(0, 1)}

    def levels(self, magnitude):
        """Map magnitudes to levels: 0 for 80 dB or more below the maximum."""
        if not magnitude.size:
            return magnitude.astype(self.dtype)
        decibels = librosa.amplitude_to_db(magnitude, ref=np.max, top_db=DYNAMIC_RANGE)
        # Silence has no maximum to be below; it is not as loud as can be.
        decibels[magnitude <= SILENCE] = -DYNAMIC_RANGE
        levels = (decibels + DYNAMIC_RANGE) * (LEVELS / DYNAMIC_RANGE)
        if np.issubdtype(self.dtype, np.integer):
            levels = np.rint(levels)
        return levels.astype(self.dtype)


class ChordTags(Dotted, pumpp.task.ChordTagTransformer):
    """Chord tags of pumpp's vocabularies as class indices, field ``name.chord``."""

    def __init__(self, name="chord_tag", sr=22050, hop_length=2048, vocab="3567s"):
        super().__init__(
            name=name, vocab=vocab, sr=sr, hop_length=hop_length, sparse=True
        )
        # pumpp holds a set of strings, whose order, and so whose pickle, changes
        # from one process to the next.
        self._classes = [str(label) for label in self.encoder.classes_]

    def encode_intervals(self, *args, **kwargs):
        """Encode intervals; what is not annotated is ``X``, where pumpp has class 0."""
        return super().encode_intervals(*args, fill=self._classes.index("X"), **kwargs)

    @property
    def labels(self):
        """List of str: the chord label of each class, in Harte syntax."""
        return list(self._classes)

    def inverse(self, encoded, duration=None):
        """Decode posteriors into a chord annotation.

        Where transition probabilities are set (``set_transition``), the labels are
        the Viterbi path through the posteriors, divided by no prior; else the most
        probable label of each frame.  Frames of equal label become one segment.

        Parameters
        ----------
        encoded : np.ndarray, shape=(n_frames, n_labels) or (n_frames, 1)
            Posterior probabilities, or class indices.
        duration : float, optional
            Duration of the track in seconds; by default that of the frames.

        Returns
        -------
        jams.Annotation
            Namespace ``chord``, from 0 to `duration` without gap or overlap.  The
            confidence of a segment is the mean posterior of its label in it.
        """
        hop = self.hop_length / self.sr
        if duration is None:
            duration = len(encoded) * hop
        if encoded.shape[1] == 1:
            states = encoded[:, 0].astype(int)
            posterior = np.ones_like(encoded, dtype=float)
        else:
            states = best_path(encoded, self.transition)
            posterior = np.take_along_axis(encoded, states[:, np.newaxis], axis=1)
        annotation = jams.Annotation(self.namespace, time=0, duration=duration)
        for start, end in runs(states):
            begin, stop = segment_times(start, end, len(states), hop, duration)
            if stop > begin:
                annotation.append(
                    time=begin,
                    duration=stop - begin,
                    value=self._classes[states[start]],
                    confidence=float(posterior[start:end].mean()),
                )
        return annotation


def best_path(posterior, transition):
    """Find the most probable sequence of states.

    Parameters
    ----------
    posterior : np.ndarray, shape=(n_frames, n_states)
        State probabilities given the observation of each frame.
    transition : np.ndarray, shape=(n_states, n_states), or None
        Row ``i`` holds the probabilities of what follows state ``i``; None takes each
        frame by itself.

    Returns
    -------
    np.ndarray, shape=(n_frames,), dtype=int
    """
    if transition is None or not len(posterior):
        return posterior.argmax(axis=1)
    probability = posterior.astype(float).T
    probability = probability / probability.sum(axis=0)
    states = librosa.sequence.viterbi_discriminative(probability, transition)
    return states.astype(int)


def runs(states):
    """Yield ``(start, end)`` of each longest run of equal values."""
    edges = np.flatnonzero(np.diff(states)) + 1
    yield from itertools.pairwise([0, *edges.tolist(), len(states)])


def segment_times(start, end, n_frames, hop, duration):
    """Return the times in seconds of the segment of frames ``start:end``.

    pumpp gives frame ``i`` the label that begins anywhere in ``[i, i + 1)`` hops, so
    a change seen at frame ``i`` lies at ``i + 1/2`` on average.
    """
    begin = 0.0 if start == 0 else min((start + 0.5) * hop, duration)
    stop = duration if end == n_frames else min((end + 0.5) * hop, duration)
    return begin, stop


class StructuredChord(Dotted, pumpp.task.ChordTransformer):
    """Pitch classes, root and bass, fields ``name.pitch``, ``.root``, ``.bass``.

    Root and bass are indices from 0 (C) to 11 (B); 12 stands for none.
    """

    def __init__(self, name="chord_struct", sr=22050, hop_length=2048):
        super().__init__(name=name, sr=sr, hop_length=hop_length, sparse=True)


#: Everything a pump is made of.  A pickle can name any function; ours names these.
PICKLED = {
    ("builtins", "bool"),
    ("builtins", "int"),
    ("builtins", "float"),
    ("builtins", "set"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("numpy", "bool"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("pumpp.base", "Tensor"),
    ("pumpp.core", "Pump"),
}
#: Modules of which any class may appear: pumpp's operators and encoders, and ours.
PICKLED_MODULES = ("pumpp.feature.", "pumpp.task.", "pumpp.labels", "crema.pump")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        found = None
        if (module, name) in PICKLED:
            found = super().find_class(module, name)
        elif module.startswith(PICKLED_MODULES) and name.isalnum():
            found = super().find_class(module, name)
            # The modules also hold what they import; only what they define is ours.
            if not (isinstance(found, type) and found.__module__ == module):
                found = None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a pump")
        return found


def save(pump, path):
    """Pickle a pump to `path`; the same operators give the same bytes."""
    from crema.utils import io as files

    with files.atomic(path) as temporary:
        temporary.write_bytes(pickle.dumps(pump, protocol=4))


def load(path):
    """Load a pump that :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
        A ``pump.pkl``.

    Returns
    -------
    pumpp.Pump

    Raises
    ------
    ModelError
        The file is missing, is not a pump, or names anything but the classes that a
        pump consists of; nothing of such a file is run.
    """
    try:
        with open(path, "rb") as stream:
            pump = _Unpickler(io.BytesIO(stream.read())).load()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ModelError(
            f"{path}: is not a pump that can be used ({error}); run prepare again"
        ) from error
    if not isinstance(pump, pumpp.Pump):
        raise ModelError(f"{path}: holds no pump; run prepare again")
    return pump
