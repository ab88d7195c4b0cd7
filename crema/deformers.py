"""muda deformers on Rubber Band as a library, in process.

muda's own pitch shift starts the program ``rubberband`` for each copy, through
temporary WAV files, estimates the tuning of the track whether or not it is needed,
and writes sharps in Unicode, which JAMS does not accept as chord labels.
"""

import re

import muda.deformers
import numpy as np
import pedalboard

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class PitchShift(muda.deformers.pitch.AbstractPitchShift):
    """Pitch shift by whole semitones.

    Chords, keys, tonics, pitches and contours are transposed; time stays as it is.

    Parameters
    ----------
    n_semitones : sequence of int
        One copy each; 0 is an exact copy.

    References
    ----------
    B. McFee, E. Humphrey and J. Bello, "A software framework for musical data
    augmentation", ISMIR 2015.
    """

    def __init__(self, n_semitones=(1,)):
        super().__init__()
        # muda's pattern "chord" also matches chord_roman, and none matches notes.
        self.dispatch.clear()
        self._register("(key_mode|chord|chord_harte)$", self.deform_note)
        self._register("(chord_roman|pitch_class)$", self.deform_tonic)
        self._register("pitch_contour$", self.deform_contour)
        self._register("(note|pitch)_hz$", self.deform_hz)
        self._register("(note|pitch)_midi$", self.deform_midi)
        self.n_semitones = [int(n) for n in np.atleast_1d(n_semitones)]

    def states(self, jam):
        """Yield the state of each copy.

        A whole semitone moves every label whatever the tuning, so none is estimated.
        """
        for n in self.n_semitones:
            yield {"tuning": 0.0, "n_semitones": n}

    @staticmethod
    def audio(mudabox, state):
        """Shift the audio; its length is unchanged."""
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


def shift_pitch(y, sample_rate, n_semitones):
    """Shift the pitch of one channel.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Audio.
    sample_rate : int
        Samples per second.
    n_semitones : float
        Up where positive.

    Returns
    -------
    np.ndarray, shape=(n_samples,), dtype=float32
    """
    if not n_semitones or not len(y):
        return y.copy()
    # The finer engine costs three times as much.  To reset phases at transients would
    # break up low tones, by up to a semitone.  Formants that stay behind are not what
    # a transposed instrument does.
    shifted = pedalboard.time_stretch(
        y,
        sample_rate,
        pitch_shift_in_semitones=n_semitones,
        high_quality=False,
        transient_mode="smooth",
        preserve_formants=False,
    )
    shifted = shifted[0, : len(y)]
    return np.pad(shifted, (0, len(y) - len(shifted)))


def transpose(label, n_semitones):
    """Transpose the note at the beginning of a label, spelling it in ASCII.

    Parameters
    ----------
    label : str
        A chord (``C#:min7/b3``), key (``Gb:major``) or note; what begins with no note
        (``N``, ``X``) stays as it is.
    n_semitones : int
        Semitones up.

    Returns
    -------
    str

    Examples
    --------
    >>> transpose("C#:min7/b3", 3)
    'E:min7/b3'
    """
    match = re.match(r"([A-G])([b#]*)(.*)", label)
    if not match:
        return label
    note, accidentals, rest = match.groups()
    pitch = NATURAL[note] + accidentals.count("#") - accidentals.count("b")
    return PITCH_CLASSES[(pitch + n_semitones) % 12] + rest
