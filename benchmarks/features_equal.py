"""Measure how far the features are from those of pumpp.

    python benchmarks/features_equal.py [AUDIO ...]

crema computes one constant-Q transform and slices the harmonics out of it, and stores
8-bit levels of 80 dB.  pumpp computes one transform per harmonic, and stores floats.
On each file (by default, on audio made here) this measures the absolute difference,
in dB, between ``pumpp.feature.HCQTMag`` and

- one transform: ``crema.features.HCQT(dtype="float32")``; at most 0.01 dB anywhere;
- 8 bits: ``crema.features.HCQT()``, against the same, not rounded; at most half a
  level;
- half the rate: no target; pumpp's own features at twice the sampling rate and twice
  the hop length, where most people would compute them.

The exit status is 1 where a target is missed.
"""

import argparse
import sys

import numpy as np

from crema import features
from crema.compiled import pumpp
from crema.utils import audiofile

SHORTCUT = 0.01
# Half a level, and what single precision adds to a number near 255.
ROUNDING = features.DYNAMIC_RANGE / features.LEVELS / 2 + 1e-5


def synthesize(sample_rate, seconds=30):
    """Return chords of decaying harmonics over noise, with a silence in between."""
    random = np.random.default_rng(0)
    y = 1e-3 * random.standard_normal(seconds * sample_rate)
    t = np.arange(2 * sample_rate) / sample_rate
    for start in range(0, seconds - 1, 2):
        for pitch in random.integers(24, 96, size=6):
            for harmonic in range(1, 9):
                frequency = harmonic * 440 * 2 ** ((pitch - 69) / 12)
                if frequency < sample_rate / 2:
                    note = np.sin(2 * np.pi * frequency * t) * np.exp(-2 * t)
                    y[start * sample_rate :][: len(t)] += 0.1 * note / harmonic
    y[10 * sample_rate : 12 * sample_rate] = 0
    return (y / np.abs(y).max()).astype(np.float32)


def decibels(operator, y, sample_rate):
    """Return what an operator makes of audio: (frames, bins, harmonics), in dB."""
    values = next(iter(operator.transform(y, sample_rate).values()))[0]
    if isinstance(operator, features.HCQT):
        values = (
            values * (features.DYNAMIC_RANGE / features.LEVELS) - features.DYNAMIC_RANGE
        )
    return values


def reference(like, factor=1):
    """Return pumpp's operator with the parameters of ours, at `factor` x the rate."""
    return pumpp.feature.HCQTMag(
        "hcqt",
        like.sr * factor,
        like.hop_length * factor,
        n_octaves=like.n_octaves,
        over_sample=like.over_sample,
        harmonics=like.harmonics,
        log=True,
        conv="channels_last",
    )


def compare(name, a, b, target=None):
    """Print how two arrays differ; return whether they do so by `target` at most."""
    frames = min(len(a), len(b))
    difference = np.abs(a[:frames].astype(float) - b[:frames])
    verdict = ""
    if target:
        verdict = f" (target {target:.4f}: {difference.max() <= target})"
    print(
        f"  {name:14s} max {difference.max():.6f} dB, "
        f"mean {difference.mean():.7f} dB{verdict}"
    )
    return not target or difference.max() <= target


def main():
    """Compare the features of each file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("audio", nargs="*", help="files that libsndfile reads")
    args = parser.parse_args()
    exact, stored = features.HCQT(dtype="float32"), features.HCQT()
    good = True
    for path in args.audio or [None]:
        y, rate = audiofile.read(path) if path else (synthesize(44100), 44100)
        print(path or "generated audio")
        ours = decibels(exact, y, rate)
        theirs = decibels(reference(exact), y, rate)
        twice = decibels(reference(exact, 2), y, rate)
        good &= compare("one transform", ours, theirs, SHORTCUT)
        good &= compare("8 bits", decibels(stored, y, rate), ours, ROUNDING)
        compare("half the rate", theirs, twice)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
