"""Measure how much the features differ from those of pumpp.

    python benchmarks/features_equal.py [AUDIO ...]

crema computes one constant-Q transform, takes the harmonics as slices of it, and stores
8-bit levels over a range of 80 dB.  pumpp computes one transform per harmonic and
stores floats.  For each file (by default, for synthesized audio) this measures absolute
differences in dB:

- one transform: ``crema.features.HCQT(dtype="float32")`` against
  ``pumpp.feature.HCQTMag``; target: at most 0.01 dB anywhere;
- 8 bits: ``crema.features.HCQT()`` against the same features in float32; target: at
  most half a level;
- half the rate: pumpp's features against pumpp's features at twice the sampling rate
  and twice the hop length, the usual setting; no target.

The exit status is 1 if a target is missed.
"""

import argparse
import sys

import numpy as np

from crema import features
from crema.compiled import pumpp
from crema.utils import audiofile

SHORTCUT = 0.01
# Half a level, plus the single-precision error of numbers near 255.
ROUNDING = features.DYNAMIC_RANGE / features.LEVELS / 2 + 1e-5


def synthesize(sample_rate, seconds=30):
    """Return chords of decaying harmonics over noise, with a silent passage."""
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
    """Return the features of audio in dB, shape (n_frames, n_bins, n_harmonics)."""
    values = next(iter(operator.transform(y, sample_rate).values()))[0]
    if isinstance(operator, features.HCQT):
        values = (
            values * (features.DYNAMIC_RANGE / features.LEVELS) - features.DYNAMIC_RANGE
        )
    return values


def reference(like, factor=1):
    """Return pumpp's operator with our parameters, at `factor` times the rate."""
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
    """Print how two arrays differ; return whether the difference meets the target."""
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
    parser.add_argument("audio", nargs="*", help="files that libsndfile can read")
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
