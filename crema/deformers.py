"""muda deformers that run Rubber Band in process.

muda's own deformers start the program ``rubberband`` for each copy and pass audio in
temporary WAV files.  Its pitch shift also estimates the tuning of the track whether or
not it is needed, and writes Unicode sharps, which JAMS rejects in chord labels.
"""

import math

import numpy as np
import pedalboard
import soxr

from crema import samples
from crema.compiled import muda
from crema.exceptions import ConfigError
from crema.notes import transpose


class PitchShift(muda.deformers.pitch.AbstractPitchShift):
    """Pitch shift by whole semitones.

    Chords, keys, tonics, pitches and contours are transposed; times are unchanged.

    Parameters
    ----------
    n_semitones : sequence of int
        Shift of each copy; 0 keeps the audio exactly, but can respell labels (C# as
        Db).

    References
    ----------
    B. McFee, E. Humphrey and J. Bello, "A software framework for musical data
    augmentation", ISMIR 2015.
    """

    def __init__(self, n_semitones=(1,)):
        super().__init__()
        # muda's pattern "chord" also matches chord_roman; no pattern matches notes.
        self.dispatch.clear()
        self._register("(key_mode|chord|chord_harte)$", self.deform_note)
        self._register("(chord_roman|pitch_class)$", self.deform_tonic)
        self._register("pitch_contour$", self.deform_contour)
        self._register("(note|pitch)_hz$", self.deform_hz)
        self._register("(note|pitch)_midi$", self.deform_midi)
        self.n_semitones = [int(n) for n in np.atleast_1d(n_semitones)]

    def states(self, jam):
        """Yield the state of each copy.

        Whole semitones transpose labels whatever the tuning, so it is not estimated.
        """
        for n in self.n_semitones:
            yield {"tuning": 0.0, "n_semitones": n}

    @staticmethod
    def audio(mudabox, state):
        """Shift the audio, keeping its length."""
        audio = mudabox._audio
        audio["y"] = shift_pitch(audio["y"], audio["sr"], state["n_semitones"])

    @staticmethod
    def deform_note(annotation, state):
        """Transpose chord labels and keys."""
        for obs in annotation.pop_data():
            value = transpose(obs.value, state["n_semitones"])
            annotation.append(obs.time, obs.duration, value, obs.confidence)

    @staticmethod
    def deform_tonic(annotation, state):
        """Transpose the tonic of pitch classes and Roman numerals."""
        for obs in annotation.pop_data():
            tonic = transpose(obs.value["tonic"], state["n_semitones"])
            value = {**obs.value, "tonic": tonic}
            annotation.append(obs.time, obs.duration, value, obs.confidence)


class TimeStretch(muda.deformers.time.AbstractTimeStretch):
    """Time stretch that keeps the pitch.

    Times and durations of all annotations are divided by the rate; values of tempo
    annotations are multiplied by it.

    Parameters
    ----------
    rates : sequence of float
        Rate of each copy; 2 is twice as fast.

    References
    ----------
    B. McFee, E. Humphrey and J. Bello, "A software framework for musical data
    augmentation", ISMIR 2015.
    """

    def __init__(self, rates=(1.2,)):
        super().__init__()
        self.rates = [float(rate) for rate in np.atleast_1d(rates)]
        if not all(rate > 0 for rate in self.rates):
            raise ConfigError(f"rates {self.rates} must be positive")

    def states(self, jam):
        """Yield the state of each copy."""
        for rate in self.rates:
            yield {"rate": rate}

    @staticmethod
    def audio(mudabox, state):
        """Stretch the audio."""
        audio = mudabox._audio
        audio["y"] = stretch_time(audio["y"], audio["sr"], state["rate"])


def shift_pitch(y, sample_rate, n_semitones):
    """Shift the pitch of one channel: stretch it in time, then resample it.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Audio.
    sample_rate : int
        Sampling rate in Hz.
    n_semitones : float
        Semitones upwards.

    Returns
    -------
    np.ndarray, shape=(n_samples,), dtype=float32
    """
    if not n_semitones or not len(y):
        return y.copy()
    factor = 2 ** (n_semitones / 12)
    # Resetting phases at transients would detune low tones by up to a semitone.
    stretched = stretch_time(y, sample_rate, 1 / factor, transient_mode="smooth")
    # Rubber Band's own resampling takes ten times as long.
    return samples.fix_length(
        soxr.resample(stretched, sample_rate * factor, sample_rate), len(y)
    )


def stretch_time(y, sample_rate, rate, transient_mode="crisp"):
    """Stretch one channel in time.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Audio.
    sample_rate : int
        Sampling rate in Hz.
    rate : float
        Speed-up factor; above 1 is faster.
    transient_mode : {'crisp', 'mixed', 'smooth'}
        Whether to favour onsets (crisp) or steady tones (smooth).

    Returns
    -------
    np.ndarray, shape=(round(n_samples / rate),), dtype=float32
    """
    if rate == 1 or not len(y):
        return y.copy()
    # The finer engine takes three times as long.
    stretched = pedalboard.time_stretch(
        y, sample_rate, rate, high_quality=False, transient_mode=transient_mode
    )[0]
    # Rubber Band scales time around the middle of its first window, not around 0:
    # uncorrected, beats would be off by 6 ms at a rate of 0.8.  Its window is 2048
    # samples at 48 kHz and a power of two at other rates; 0.55 was measured on clicks.
    window = 2 ** math.ceil(math.log2(2048 * sample_rate / 48000))
    delay = round(0.55 * window * (1 - 1 / rate))
    stretched = stretched[delay:] if delay > 0 else np.pad(stretched, (-delay, 0))
    return samples.fix_length(stretched, round(len(y) / rate))
