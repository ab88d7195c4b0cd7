"""Predictions on a recording and on altered versions of it.

The changes preserve chords, beats and key, or move them by a known amount: pitch shift,
a tuning offset of 30 cents, time stretch, low-quality MP3, reduced treble, reverb.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from crema import analyze, formats, samples
from crema.notes import transpose


class Change(NamedTuple):
    """A change of audio and its effect on annotations.

    Attributes
    ----------
    apply : callable
        ``apply(y, sample_rate)`` returns the changed samples.
    semitones : int
        Upward transposition of the labels.
    rate : float
        Factor by which times are divided.
    """

    apply: Callable
    semitones: int = 0
    rate: float = 1.0


# The changes import what only the extra `training` installs, so that without it a
# program can say so.
def _pitch(semitones):
    def change(y, sample_rate):
        from crema import deformers

        return deformers.shift_pitch(y, sample_rate, semitones)

    return Change(change, int(semitones))


def _tempo(rate):
    def change(y, sample_rate):
        from crema import deformers

        return deformers.stretch_time(y, sample_rate, rate)

    return Change(change, rate=rate)


def _effect(name, *args, **options):
    def change(y, sample_rate):
        import pedalboard

        plugin = getattr(pedalboard, name)(*args, **options)
        # MP3 supports no higher sampling rate.
        rate = min(sample_rate, 48000)
        processed = pedalboard.Pedalboard([plugin])(
            samples.resample(y, sample_rate, rate), rate
        )
        processed = samples.resample(processed, rate, sample_rate)
        return samples.fix_length(processed, len(y))

    return Change(change)


#: The changes by name.
CHANGES = {
    "3 semitones up": _pitch(3),
    "4 semitones down": _pitch(-4),
    "30 cents up": _pitch(0.3),
    "1.12 times as fast": _tempo(1.12),
    "0.89 times as fast": _tempo(0.89),
    "MP3, lowest quality": _effect("MP3Compressor", 9.9),
    "dull": _effect("HighShelfFilter", 1000, gain_db=-24),
    "in a hall": _effect("Reverb", 0.8, wet_level=0.3),
}
#: No change.
AS_IT_IS = Change(lambda y, sample_rate: y)


def levels(times, positions):
    """Return the times of all beats, and of the downbeats."""
    return times, times[positions == 1]


def hear(y, sample_rate, estimators, change=AS_IT_IS):
    """Annotate changed audio, and map the annotations back to the original.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        The changed audio.
    sample_rate : int
        Samples per second.
    estimators : list
        Models from :func:`crema.analyze.load_models`.
    change : Change
        The change that was applied to `y`.

    Returns
    -------
    dict
        Predictions of the estimators.  ``chord``: intervals in seconds, shape=(n, 2),
        and labels.  ``beat``: times in seconds and positions in the bar, shape=(n,)
        each.  ``key``: the label of the whole piece.
    """
    named = formats.named(analyze.analyze(y=y, sr=sample_rate, model=estimators))
    predictions = {}
    if "chord" in named:
        intervals, labels = named["chord"].to_interval_values()
        labels = [transpose(label, -change.semitones) for label in labels]
        predictions["chord"] = (intervals * change.rate).round(6), labels
    if "beat" in named:
        beats = named["beat"].data
        times = np.array([beat.time * change.rate for beat in beats])
        positions = np.array([beat.value for beat in beats], dtype=int)
        predictions["beat"] = times, positions
    if "key" in named:
        key = named["key"].data[0].value
        predictions["key"] = transpose(key, -change.semitones)
    return predictions
