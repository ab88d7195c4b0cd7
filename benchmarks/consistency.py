"""Measure how consistent the models are on music without annotations.

    python benchmarks/consistency.py [--seconds 60] [--model DIR] FILE ...

Each piece is annotated unchanged, and again after each change of audio in
crema.corpus.hearings.  The effect of the change on the annotation is undone, and
mir_eval scores the result against the annotation of the unchanged piece.  A model that
agrees with itself can still be wrong.  But where two annotations differ, at least one
is wrong; if a score here is s, the mean error of the two is at least (1 - s) / 2.
"""

import argparse

import mir_eval
import numpy as np

from crema import analyze
from crema.corpus.hearings import CHANGES, hear, levels
from crema.exceptions import CremaError
from crema.utils import audiofile

#: Measures, in the order of the columns.
MEASURES = ("root", "majmin", "sevenths", "beat F", "downbeat F", "key")


def agreement(first, second):
    """Score a second hearing against the first; NaN for beats if the first has none."""
    scores = {}
    if "chord" in first:
        chords = mir_eval.chord.evaluate(*first["chord"], *second["chord"])
        scores |= {name: chords[name] for name in ("root", "majmin", "sevenths")}
    if "beat" in first:
        pairs = zip(*(levels(*h["beat"]) for h in (first, second)), strict=True)
        for name, (one, other) in zip(("beat F", "downbeat F"), pairs, strict=True):
            missing = 0.0 if len(one) else np.nan
            both = len(one) and len(other)
            scores[name] = mir_eval.beat.f_measure(one, other) if both else missing
    if "key" in first:
        keys = [heard["key"].replace(":", " ") for heard in (first, second)]
        scores["key"] = mir_eval.key.weighted_score(*keys)
    return scores


def main():
    """Print the mean agreement of each measure after each change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audio", nargs="+", metavar="FILE")
    length = "seconds from the middle of each piece; 0 for all"
    parser.add_argument("--seconds", type=float, default=60, help=length)
    parser.add_argument("--model", action="append", default=[], metavar="DIR")
    args = parser.parse_args()
    estimators = analyze.load_models(args.model)
    rows = {change: {name: [] for name in MEASURES} for change in CHANGES}
    heard = 0
    for path in args.audio:
        try:
            y, sample_rate = audiofile.read(path)
        except CremaError as error:
            print(error)
            continue
        if args.seconds:
            spare = max(0, len(y) - round(args.seconds * sample_rate))
            y = y[spare // 2 : len(y) - (spare - spare // 2)]
        heard += 1
        first = hear(y, sample_rate, estimators)
        for name, change in CHANGES.items():
            changed = change.apply(y, sample_rate)
            second = hear(changed, sample_rate, estimators, change)
            for measure, score in agreement(first, second).items():
                rows[name][measure].append(score)
    print(
        f"{heard} {'piece' if heard == 1 else 'pieces'}: means, and the lower "
        "quartile of all"
    )
    shown = [name for name in MEASURES if any(row[name] for row in rows.values())]
    print(f"{'':22}" + "".join(f"{name:>12}" for name in shown))
    every = {name: np.concatenate([r[name] for r in rows.values()]) for name in shown}
    for title, row in [*rows.items(), ("all", every)]:
        means = (np.nanmean(row[name]) for name in shown)
        print(f"{title:22}" + "".join(f"{mean:12.3f}" for mean in means))
    quarter = (np.nanquantile(every[name], 0.25) for name in shown)
    print(f"{'lower quartile':22}" + "".join(f"{value:12.3f}" for value in quarter))


if __name__ == "__main__":
    main()
