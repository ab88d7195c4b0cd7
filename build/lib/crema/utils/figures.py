"""Figures of a report: learning curves, and scores beside the baseline.

python -m crema.utils.figures curves history.csv curves.svg
python -m crema.utils.figures scores test_data.json scores.svg
"""

import argparse
import csv
import pathlib

from crema import exceptions
from crema.exceptions import DataError
from crema.utils import io


def curves(history, path):
    """Draw what was measured at each epoch, for training and validation.

    Parameters
    ----------
    history : path-like
        The ``history.csv`` of a training.
    path : path-like
        The figure to write, in the format of its suffix.
    """
    with open(history, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        raise DataError(f"{history}: holds no epoch; train again")
    epochs = [int(row["epoch"]) for row in rows]
    names = [name for name in rows[0] if f"val_{name}" in rows[0]]
    # The loss that is minimised comes first and the rest in the order of its parts.
    names.sort(key=lambda name: (name != "loss", name))
    columns = min(3, len(names))
    figure, axes = grid(-(-len(names) // columns), columns)
    for axis, name in zip(axes, names, strict=False):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            axis.plot(epochs, [float(row[key]) for row in rows], label=label)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("epoch")
    axes[0].legend(fontsize=8)
    save(figure, path)


def scores(test_data, path):
    """Draw the distribution of each score over tracks, and that of the baseline.

    Parameters
    ----------
    test_data : path-like
        The ``test_data.json`` of an evaluation.
    path : path-like
        The figure to write, in the format of its suffix.
    """
    result = io.read_json(test_data)
    names = list(result["summary"])
    figure, (axis,) = grid(1, 1, width=max(6, 0.8 * len(names)), height=4)
    kinds = (("scores", "model", "C0", -0.18), ("baseline", "baseline", "C1", 0.18))
    for kind, label, colour, offset in kinds:
        for place, name in enumerate(names):
            values = [row[kind].get(name) for row in result["tracks"]]
            values = [value for value in values if value is not None]
            at = [place + offset] * len(values)
            axis.plot(at, values, ".", color=colour, alpha=0.35, markersize=5)
            mean = result["summary"][name][
                "weighted" if kind == "scores" else "baseline"
            ]
            if mean is not None:
                axis.plot(place + offset, mean, "_", color=colour, markersize=16, mew=3)
        axis.plot([], [], "_", color=colour, markersize=12, mew=3, label=label)
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    axis.set_ylim(-0.02, 1.02)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(loc="lower left", fontsize=8)
    axis.set_title(
        f"{result['estimator']} {result['version']}: dots are tracks, bars the means "
        "weighted by duration",
        fontsize=9,
    )
    save(figure, path)


def grid(rows, columns, width=3.4, height=2.6):
    """Return a figure and a flat list of its axes; no display is needed."""
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and ids do not change from run to run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "crema"})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        squeeze=False,
        layout="constrained",
    )
    return figure, list(axes.flat)


def save(figure, path):
    """Write a figure; the same data give the same bytes."""
    for axis in figure.axes:
        axis.set_visible(axis.has_data())
    with io.atomic(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", choices=["curves", "scores"])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    args = parser.parse_args(argv)
    {"curves": curves, "scores": scores}[args.figure](args.source, args.target)


if __name__ == "__main__":
    exceptions.program(main)
