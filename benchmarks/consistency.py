"""What the models hear in music that nobody has annotated: whether they hear it twice.

    python benchmarks/consistency.py [--seconds 60] [--model DIR] FILE ...

Each piece is annotated as it is, and once more after each of some changes that leave
its chords, beats and key what they are, or move them by a known amount: other keys, a
tuning 30 cents off, another tempo, a coarse MP3, little treble, a hall.  What is heard
then is moved back and scored against the first by mir_eval.  A model that agrees with
itself may still be wrong; but where two hearings differ, one of them is, so that each
is wrong, on average, in at least half of what is missing here from 1.
"""

import argparse

import mir_eval
import numpy as np
import pedalboard

from crema import analyze, deformers, formats
from crema.exceptions import CremaError
from crema.notes import transpose
from crema.utils import io

#: What is measured.
MEASURES = ("root", "majmin", "sevenths", "beat F", "downbeat F", "key")


def effect(*plugins):
    """Return a change that plugins make."""

    def change(y, sample_rate):
        made = pedalboard.Pedalboard(list(plugins))(y, sample_rate)
        return deformers.fix_length(made, len(y))

    return change


def pitch(semitones):
    """Return a change of pitch."""
    return lambda y, sample_rate: deformers.shift_pitch(y, sample_rate, semitones)


def tempo(rate):
    """Return a change of tempo."""
    return lambda y, sample_rate: deformers.stretch_time(y, sample_rate, rate)


#: By name: the change, the semitones by which labels move, and the rate of time.
CHANGES = {
    "3 semitones up": (pitch(3), 3, 1.0),
    "4 semitones down": (pitch(-4), -4, 1.0),
    "30 cents up": (pitch(0.3), 0, 1.0),
    "1.12 times as fast": (tempo(1.12), 0, 1.12),
    "0.89 times as fast": (tempo(0.89), 0, 0.89),
    "MP3, lowest quality": (effect(pedalboard.MP3Compressor(9.9)), 0, 1.0),
    "dull": (effect(pedalboard.HighShelfFilter(1000, gain_db=-24)), 0, 1.0),
    "in a hall": (effect(pedalboard.Reverb(0.8, wet_level=0.3)), 0, 1.0),
}


def hear(y, sample_rate, estimators, semitones=0, rate=1.0):
    """Annotate audio, and undo what is known to have changed.

    Returns
    -------
    dict
        ``chord``: intervals and labels; ``beat``: times, and those of downbeats;
        ``key``: a label.
    """
    jam = analyze.analyze(y=y, sr=sample_rate, model=estimators)
    named = formats.named(jam)
    found = {}
    if "chord" in named:
        intervals, labels = named["chord"].to_interval_values()
        labels = [transpose(label, -semitones) for label in labels]
        found["chord"] = (intervals * rate).round(6), labels
    if "beat" in named:
        times = np.array([beat.time * rate for beat in named["beat"].data])
        first = np.array([beat.value == 1 for beat in named["beat"].data], dtype=bool)
        found["beat"] = times, times[first]
    if "key" in named:
        key = transpose(named["key"].data[0].value, -semitones)
        found["key"] = key.replace(":", " ")
    return found


def agreement(first, second):
    """Score a second hearing against the first; NaN where the first says nothing."""
    scores = {}
    if "chord" in first:
        chords = mir_eval.chord.evaluate(*first["chord"], *second["chord"])
        scores |= {name: chords[name] for name in ("root", "majmin", "sevenths")}
    if "beat" in first:
        for place, name in enumerate(("beat F", "downbeat F")):
            one, other = first["beat"][place], second["beat"][place]
            missing = 0.0 if len(one) else np.nan
            both = len(one) and len(other)
            scores[name] = mir_eval.beat.f_measure(one, other) if both else missing
    if "key" in first:
        scores["key"] = mir_eval.key.weighted_score(first["key"], second["key"])
    return scores


def main():
    """Print the mean agreement of each measure after each change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audio", nargs="+", metavar="FILE")
    length = "of the middle of each piece; 0 for all"
    parser.add_argument("--seconds", type=float, default=60, help=length)
    parser.add_argument("--model", action="append", default=[], metavar="DIR")
    args = parser.parse_args()
    estimators = analyze.load_models(args.model)
    rows = {change: {name: [] for name in MEASURES} for change in CHANGES}
    heard = 0
    for path in args.audio:
        try:
            y, sample_rate = io.read_audio(path)
        except CremaError as error:
            print(error)
            continue
        if args.seconds:
            spare = max(0, len(y) - round(args.seconds * sample_rate))
            y = y[spare // 2 : len(y) - (spare - spare // 2)]
        heard += 1
        first = hear(y, sample_rate, estimators)
        for name, (change, *known) in CHANGES.items():
            second = hear(change(y, sample_rate), sample_rate, estimators, *known)
            for measure, score in agreement(first, second).items():
                rows[name][measure].append(score)
    print(f"{heard} pieces: means, and below them the lowest quarter")
    shown = [name for name in MEASURES if any(row[name] for row in rows.values())]
    print(f"{'':22}" + "".join(f"{name:>12}" for name in shown))
    every = {name: np.concatenate([r[name] for r in rows.values()]) for name in shown}
    for title, row in [*rows.items(), ("all", every)]:
        means = (np.nanmean(row[name]) for name in shown)
        print(f"{title:22}" + "".join(f"{mean:12.3f}" for mean in means))
    quarter = (np.nanquantile(every[name], 0.25) for name in shown)
    print(f"{'lowest quarter':22}" + "".join(f"{value:12.3f}" for value in quarter))


if __name__ == "__main__":
    main()
