"""Synthesize a singing voice: those of soundfonts neither glide nor pronounce.

Harmonics of a fundamental with glides and vibrato are shaped by the formants of vowels
that change from note to note.  Consonants are bursts of noise.  The voice does not pass
for a singer, but is as hard to analyse in some respects: its pitch is never constant,
its onsets are soft and its spectrum moves.

References
----------
D. H. Klatt, "Software for a cascade/parallel formant synthesizer", Journal of the
Acoustical Society of America 67, 1980.
"""

import numpy as np

#: Formants of five vowels of an adult man in Hz (after Peterson and Barney, 1952).
VOWELS = np.array(
    [
        [730, 1090, 2440, 3400, 4500],  # a
        [530, 1840, 2480, 3400, 4500],  # e
        [270, 2290, 3010, 3500, 4500],  # i
        [570, 840, 2410, 3300, 4500],  # o
        [300, 870, 2240, 3300, 4500],  # u
    ],
    dtype=float,
)
BANDWIDTHS = np.array([80, 100, 140, 200, 300], dtype=float)
#: Sampling rate in Hz of the control signals (pitch, loudness, formants).
CONTROL_RATE = 200
#: Number of harmonics; higher ones are too weak to matter.
N_HARMONICS = 40
#: Notes closer than this many seconds are sung in one breath.
BREATH = 0.15
_BLOCK = 1 << 16


def sing(notes, duration, sample_rate, rng):
    """Sing a melody.

    Parameters
    ----------
    notes : list of crema.corpus.render.Note
        If two overlap, the later one ends the earlier.
    duration : float
        Length of the result in seconds.
    sample_rate : int
        Samples per second of the result.
    rng : np.random.Generator
        Draws the singer and how each note is sung.

    Returns
    -------
    np.ndarray, shape=(samples,), dtype=float32
        All zeros without notes; the peak is 1 otherwise.
    """
    n_samples = int(np.ceil(round(duration * sample_rate, 6)))
    notes = _melody(notes, duration)
    if not notes:
        return np.zeros(n_samples, np.float32)
    n_control = int(duration * CONTROL_RATE) + 2
    pitch, current = _pitch(notes, n_control, rng)
    loudness = _loudness(notes, n_control, current, rng)
    size = rng.uniform(1.0, 1.25)  # of the vocal tract: female formants are higher
    vowels = size * _smooth(VOWELS[rng.integers(len(VOWELS), size=len(notes))][current])
    amplitudes = _amplitudes(pitch, vowels, rng.uniform(0.9, 1.6), sample_rate)
    y = _oscillate(pitch, loudness[:, np.newaxis] * amplitudes, n_samples, sample_rate)
    y += _consonants(notes, n_samples, sample_rate, rng) * np.abs(y).max()
    return (y / max(np.abs(y).max(), 1e-9)).astype(np.float32)


def _melody(notes, duration):
    """Reduce notes to one voice, in order."""
    sung = []
    for note in sorted(note for note in notes if note.start < duration - 0.05):
        if sung and note.start - sung[-1].start < 0.03:  # keep the highest of a chord
            note = max(sung.pop(), note, key=lambda note: note.pitch)
        elif sung and sung[-1].end > note.start:
            sung[-1] = sung[-1]._replace(end=note.start)
        sung.append(note._replace(end=min(note.end, duration)))
    return sung


def _pitch(notes, n_control, rng):
    """Return the fundamental in Hz and the index of the note at each control time.

    In pauses the voice stays at its last pitch.
    """
    times = np.arange(n_control) / CONTROL_RATE
    onsets = np.array([note.start for note in notes])
    current = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, None)
    target = np.array([note.pitch for note in notes], dtype=float)[current]
    since = times - onsets[current]
    glide = rng.uniform(0.03, 0.09)
    target = _smooth(target, glide)
    # Some notes are reached from below.
    scoop = rng.uniform(0, 1.5) * (rng.random(len(notes)) < 0.3)
    target -= scoop[current] * np.exp(-np.maximum(since, 0) / 0.05)
    rate = rng.uniform(4.8, 6.5)
    depth = rng.uniform(0.05, 0.5) * rng.uniform(0.3, 1, size=len(notes))
    fade = np.clip((since - 0.2) / 0.3, 0, 1)
    phase = 2 * np.pi * np.cumsum(rate + _drift(n_control, 0.3, rng)) / CONTROL_RATE
    target += depth[current] * fade * np.sin(phase) + _drift(n_control, 0.12, rng)
    return 440 * 2 ** ((target - 69) / 12), current


def _loudness(notes, n_control, current, rng):
    """Return the amplitude at each control time: syllables, breaths and phrases."""
    times = np.arange(n_control) / CONTROL_RATE
    onsets = np.array([note.start for note in notes])
    velocity = np.array([note.velocity for note in notes]) / 127
    ends = np.array([note.end for note in notes])
    legato = np.append(0.0, onsets[1:] - ends[:-1] < BREATH)
    inside = (times >= onsets[current]) & (times < ends[current])
    level = velocity[current] * inside
    # A syllable begins softly even within a breath.
    dip = rng.uniform(0.1, 0.7, size=len(notes)) * legato
    level = level * (
        1 - dip[current] * np.exp(-(((times - onsets[current]) / 0.04) ** 2))
    )
    level = _smooth(level, rng.uniform(0.02, 0.06))
    return level * (1 + _drift(n_control, 0.15, rng))


def _amplitudes(pitch, formants, tilt, sample_rate):
    """Return the amplitudes of the harmonics, shape=(n_times, n_harmonics)."""
    harmonics = np.arange(1, N_HARMONICS + 1)
    frequency = pitch[:, np.newaxis] * harmonics
    gain = np.zeros_like(frequency)
    for i, bandwidth in enumerate(BANDWIDTHS):
        away = (frequency - formants[:, i : i + 1]) / (2 * bandwidth)
        gain += 0.6**i / np.sqrt(1 + away**2)
    gain += 0.02
    gain *= frequency < 0.45 * sample_rate
    return gain / harmonics**tilt


def _oscillate(pitch, amplitudes, n_samples, sample_rate):
    """Sum the harmonics."""
    control = np.arange(len(pitch)) / CONTROL_RATE
    y = np.empty(n_samples, np.float32)
    phase = 0.0
    for start in range(0, n_samples, _BLOCK):
        times = np.arange(start, min(start + _BLOCK, n_samples)) / sample_rate
        place = times * CONTROL_RATE
        index = np.minimum(place.astype(int), len(pitch) - 2)
        between = (place - index).astype(np.float32)
        cycles = phase + np.cumsum(np.interp(times, control, pitch)) / sample_rate
        phase = cycles[-1] % 1
        turn = np.exp(2j * np.pi * cycles).astype(np.complex64)
        harmonic = np.ones_like(turn)
        mixed = np.zeros(len(times), np.float32)
        for levels in amplitudes.T.astype(np.float32):
            harmonic *= turn
            if levels[index].any():
                step = levels[index + 1] - levels[index]
                mixed += (levels[index] + between * step) * harmonic.imag
        y[start : start + len(times)] = mixed
    return y


def _consonants(notes, n_samples, sample_rate, rng):
    """Return bursts of noise before some notes."""
    y = np.zeros(n_samples, np.float32)
    for note in notes:
        if rng.random() < 0.5:
            n = int(rng.uniform(0.02, 0.07) * sample_rate)
            burst = np.diff(rng.standard_normal(n + 1)) * np.hanning(n)
            start = max(0, int(note.start * sample_rate) - n // 2)
            part = burst[: n_samples - start]
            y[start : start + n] += rng.uniform(0.01, 0.08) * part
    return y


def _smooth(values, seconds=0.06):
    """Smooth values along their first axis with a Hann window of so many seconds."""
    n = max(1, round(seconds * CONTROL_RATE)) | 1
    window = np.hanning(n + 2)[1:-1]
    window /= window.sum()
    padded = np.pad(values, [(n // 2, n // 2)] + [(0, 0)] * (values.ndim - 1), "edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, n, axis=0)
    return views @ window


def _drift(n, scale, rng):
    """Return slow random changes around zero, with the given standard deviation."""
    knots = rng.standard_normal(n // (CONTROL_RATE // 2) + 2)
    return scale * np.interp(
        np.arange(n), np.arange(len(knots)) * (CONTROL_RATE // 2), knots
    )
