"""Draw the figures of the report, and write its table of scores.

python -m crema.utils.figures curves history.csv curves.svg
python -m crema.utils.figures scores test_data.json scores.svg
python -m crema.utils.figures tracks test_data.json tracks.html
python -m crema.utils.figures confusion test_data.json confusion.svg
python -m crema.utils.figures runtimes index_train.json runtimes.svg --logs logs/chord
"""

import argparse
import csv
import html
import pathlib

import numpy as np

from crema import exceptions
from crema.exceptions import DataError
from crema.utils import cli, disk, index

#: Stages with benchmarks; the first two have one job per training track.
STAGES = ("setup", "prepare", "train", "evaluate")
#: HTML page of the table, in the colours of the figures.
PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body, table {{ font: 12px sans-serif }}
table {{ border-collapse: collapse }}
th, td {{ padding: 3px 4px; text-align: right; border-bottom: 1px solid #ddd }}
th {{ position: sticky; top: 0; background: white }}
th:first-child, td:first-child, .reason {{ text-align: left }}
b {{ color: #1f77b4; font-weight: normal }}
i {{ color: #ff7f0e; font-style: normal }}
</style>
<p>{title}: <b>model</b>, <i>baseline</i></p>
<table>
{rows}
</table>
"""


def curves(source, path):
    """Plot losses and metrics per epoch, for training and validation.

    Parameters
    ----------
    source : path-like
        The ``history.csv`` of a training.
    path : path-like
        The figure to write, in the format of its suffix.
    """
    with open(source, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        raise DataError(f"{source}: contains no epochs; train again")
    epochs = [int(row["epoch"]) for row in rows]
    names = [name for name in rows[0] if f"val_{name}" in rows[0]]
    # The total loss comes first, then the others in alphabetical order.
    names.sort(key=lambda name: (name != "loss", name))
    columns = min(3, len(names))
    figure, axes = grid(-(-len(names) // columns), columns)
    for axis, name in zip(axes, names, strict=False):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            # With markers, because a single epoch makes no line.
            axis.plot(epochs, [float(row[key]) for row in rows], ".-", label=label)
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    save(figure, path)


def scores(source, path):
    """Plot the distribution of each score over tracks, for model and baseline.

    Parameters
    ----------
    source : path-like
        The ``test_data.json`` of an evaluation.
    path : path-like
        The figure to write, in the format of its suffix.
    """
    result = disk.read_json(source)
    names = list(result["summary"])
    # Scores in [0, 1] share an axis; each quantity with a unit has its own.
    panels = [[name for name in names if not has_unit(name)]]
    panels += [[name] for name in names if has_unit(name)]
    panels = [panel for panel in panels if panel]
    figure, axes = grid(
        len(panels), 1, width=9, height=[0.45 * len(panel) + 0.4 for panel in panels]
    )
    kinds = (("scores", "model", "C0", -0.2), ("baseline", "baseline", "C1", 0.2))
    for axis, panel in zip(axes, panels, strict=True):
        for kind, label, colour, offset in kinds:
            for place, name in enumerate(panel):
                values = [row[kind].get(name) for row in result["tracks"]]
                values = [value for value in values if value is not None]
                mean = result["summary"][name][
                    "weighted" if kind == "scores" else "baseline"
                ]
                spread(axis, values, mean, place + offset, colour)
            axis.plot([], [], "s", color=colour, label=label)
        axis.set_yticks(range(len(panel)), panel)
        axis.set_ylim(len(panel) - 0.5, -0.5)
        if not has_unit(panel[0]):
            axis.set_xlim(-0.02, 1.02)
        axis.grid(axis="x", alpha=0.3)
        for line in range(1, len(panel)):
            axis.axhline(line - 0.5, color="0.9", linewidth=0.8)
        axis.spines[["left", "right", "top"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].set_title(
        f"{heading(result)}\ndots: tracks; boxes: quartiles and median; diamonds "
        "and numbers: means weighted by duration",
        fontsize=9,
    )
    handles = axes[0].get_legend_handles_labels()
    below = {"loc": "outside lower center", "ncols": 2}
    figure.legend(*handles, **below, fontsize=8, frameon=False)
    save(figure, path)


def spread(axis, values, mean, place, colour):
    """Draw values as dots, with a box plot and their mean, at the height `place`."""
    if not values:
        return
    # Fractions of multiples of the golden ratio: evenly spread and deterministic.
    jitter = np.arange(1, len(values) + 1) * 0.6180339887 % 1 - 0.5
    dots = {"color": colour, "alpha": 0.35, "markersize": 4, "markeredgewidth": 0}
    # As pixels, because browsers cannot open an SVG of a hundred thousand dots.
    axis.plot(values, place + 0.26 * jitter, "o", rasterized=True, **dots)
    # The mean of a score with at most two values says everything.
    if len(set(values)) > 2:
        line = {"color": colour, "linewidth": 1}
        axis.boxplot(
            [values],
            positions=[place],
            orientation="horizontal",
            widths=0.3,
            whis=0,
            whiskerprops={"linewidth": 0},
            showfliers=False,
            showcaps=False,
            manage_ticks=False,
            boxprops=line,
            medianprops={**line, "linewidth": 2},
        )
    if mean is not None:
        axis.plot(mean, place, "D", color=colour, markeredgecolor="white", zorder=5)
        beside = {"transform": axis.get_yaxis_transform(), "va": "center"}
        axis.text(1.01, place, f"{mean:.3f}", color=colour, fontsize=8, **beside)


def has_unit(name):
    """Return whether a score is a quantity with a unit, not a share."""
    return name.endswith("_seconds")


def heading(result):
    """Return the model, its version and the number of scored tracks as a title."""
    scored = sum(row["status"] == "ok" for row in result["tracks"])
    return f"{result['estimator']} {result['version']}, {scored} test tracks"


def tracks(source, path):
    """Write an HTML table of the scores per track, for model and baseline.

    Parameters
    ----------
    source : path-like
        The ``test_data.json`` of an evaluation.
    path : path-like
        The HTML file to write.
    """
    result = disk.read_json(source)
    names = list(result["summary"])
    # Long names can break here.
    heads = ["track", "seconds", *(name.replace("_", "_<wbr>") for name in names)]
    mean = {
        "scores": {name: result["summary"][name]["weighted"] for name in names},
        "baseline": {name: result["summary"][name]["baseline"] for name in names},
    }
    rows = ["".join(f"<th>{head}" for head in heads)]
    rows.append(f"<td>mean, weighted by duration<td>{pairs(mean, names)}")
    for row in result["tracks"]:
        begin = "" if row["duration"] is None else f"{row['duration']:.0f}"
        begin = f"<td>{html.escape(row['track_id'])}<td>{begin}"
        if row["status"] == "ok":
            rows.append(begin + pairs(row, names))
        else:
            reason = html.escape(f"{row['status']}: {row['reason']}")
            rows.append(f'{begin}<td class="reason" colspan="{len(names)}">{reason}')
    rows = "\n".join(f"<tr>{row}" for row in rows)
    disk.write_text(path, PAGE.format(title=html.escape(heading(result)), rows=rows))


def pairs(row, names):
    """Return the table cells of scores, the model's above the baseline's."""
    cells = []
    for name in names:
        values = [row[kind].get(name) for kind in ("scores", "baseline")]
        one, other = ("–" if value is None else f"{value:.3f}" for value in values)
        cells.append(f"<td><b>{one}</b><br><i>{other}</i>")
    return "".join(cells)


def confusion(source, path):
    """Plot the confusion matrices of the model and of the baseline.

    Parameters
    ----------
    source : path-like
        The ``test_data.json`` of an evaluation.
    path : path-like
        The figure to write, in the format of its suffix.
    """
    result = disk.read_json(source)
    if "confusion" not in result:
        raise DataError(f"{source}: has no confusion matrix; evaluate again")
    labels = np.asarray(result["confusion"]["labels"])
    # Without labels, the matrices are empty lists.
    square = (len(labels), len(labels))
    kinds = {
        kind: np.reshape(result["confusion"][kind], square)
        for kind in ("model", "baseline")
    }
    rows = sum(matrix.sum(axis=1) for matrix in kinds.values()) > 0
    columns = [matrix.sum(axis=0) > 0 for matrix in kinds.values()]
    figure, axes = grid(
        1,
        2,
        width=[0.42 * used.sum() + 1.4 for used in columns],
        height=0.34 * rows.sum() + 1.6,
    )
    for axis, (kind, matrix), used in zip(axes, kinds.items(), columns, strict=True):
        totals = matrix[rows].sum(axis=1)
        share = matrix[rows][:, used] / np.where(totals, totals, 1)[:, np.newaxis]
        if not share.size:  # there is nothing to compare
            continue
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.005:
                colour = "white" if value > 0.5 else "black"
                text = {"ha": "center", "va": "center", "fontsize": 8}
                axis.text(column, row, f"{100 * value:.0f}", color=colour, **text)
        slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axis.set_xticks(range(used.sum()), labels[used], **slanted)
        parts = zip(labels[rows], totals / (totals.sum() or 1), strict=True)
        names = [f"{name} ({100 * part:.1f} %)" for name, part in parts]
        axis.set_yticks(range(len(names)), names)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(kind, fontsize=9)
    figure.supxlabel("estimate (% of the row)", fontsize=9)
    figure.supylabel("reference (share of the total)", fontsize=9)
    figure.suptitle(heading(result), fontsize=9)
    save(figure, path)


def runtimes(source, path, logs, leave_out=()):
    """Plot time and memory of the stages, as measured by Snakemake.

    Parameters
    ----------
    source : path-like
        The ``index_train.json``: setup and prepare have one job per track.
    path : path-like
        The figure to write, in the format of its suffix.
    logs : path-like
        Directory of ``setup/TRACK.tsv``, ``prepare/TRACK.tsv``, ``train.tsv`` and
        ``evaluate.tsv``.
    leave_out : collection of str
        Tracks of the index to ignore.
    """
    names = index.read_index(source, leave_out)
    stages, jobs = [], []
    for stage in STAGES:
        files = [pathlib.Path(logs, stage, f"{name}.tsv") for name in names]
        files = [pathlib.Path(logs, f"{stage}.tsv"), *files]
        measured = [measures(file) for file in files if file.is_file()]
        if measured:
            stages.append(f"{stage} ({len(measured)})")
            jobs.append(np.asarray(measured))
    if not stages:
        raise DataError(
            f"{logs}: no job was measured; Snakemake measures each job that it runs"
        )
    figure, axes = grid(1, 2, width=[6, 3], height=0.55 * len(stages) + 1)
    places = np.arange(len(stages))
    columns = ((0, "wall clock", "0.35", -0.19), (1, "CPU", "0.7", 0.19))
    for column, label, colour, offset in columns:
        sums = [stage[:, column].sum() for stage in jobs]
        bar = {"color": colour, "label": label}
        bars = axes[0].barh(places + offset, np.divide(sums, 60), 0.36, **bar)
        axes[0].bar_label(bars, map(clock, sums), padding=3, fontsize=8)
    peaks = [stage[:, 2].max() for stage in jobs]
    bars = axes[1].barh(places, np.divide(peaks, 1000), 0.5, color="0.5")
    axes[1].bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes[0].set_xlabel("total minutes of all jobs")
    axes[0].set_yticks(places, stages)
    axes[0].legend(fontsize=8, frameon=False)
    axes[1].set_xlabel("GB, largest job")
    axes[1].set_yticks([])
    for axis in axes:
        axis.invert_yaxis()
        axis.margins(x=0.15)
        axis.spines[["right", "top"]].set_visible(False)
    axes[0].set_title("time per stage (number of jobs)", fontsize=9)
    axes[1].set_title("memory", fontsize=9)
    save(figure, path)


def measures(path):
    """Read seconds, CPU seconds and peak MB from a benchmark file of Snakemake."""
    with open(path, newline="", encoding="utf-8") as stream:
        row = list(csv.DictReader(stream, delimiter="\t"))[-1]
    # A job that ends before its first measurement has NA instead of numbers.
    values = [row["s"], row["cpu_time"], row["max_rss"]]
    return [0.0 if value in ("NA", "-") else float(value) for value in values]


def clock(seconds):
    """Format seconds as a label such as 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def grid(rows, columns, width=3.4, height=2.6):
    """Return a figure and a flat list of its axes; no display is needed.

    `width` of the columns and `height` of the rows are in inches, a number or a list.
    """
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and ids are the same in each run.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "crema"})
    import matplotlib.pyplot as plt

    widths, heights = np.broadcast_to(width, columns), np.broadcast_to(height, rows)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(widths.sum(), heights.sum()),
        width_ratios=widths,
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    return figure, list(axes.flat)


def save(figure, path):
    """Write a figure without its empty axes; the same data give the same bytes."""
    for axis in figure.axes:
        axis.set_visible(axis.has_data())
    with disk.atomic(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    figures = parser.add_subparsers(dest="figure", required=True)
    for draw in (curves, scores, tracks, confusion, runtimes):
        subparser = figures.add_parser(draw.__name__)
        subparser.add_argument("source", type=pathlib.Path)
        subparser.add_argument("path", type=pathlib.Path)
        subparser.set_defaults(draw=draw)
        if draw is runtimes:
            subparser.add_argument("--logs", type=pathlib.Path, required=True)
            cli.leave_out_option(subparser)
    options = vars(parser.parse_args(argv))
    del options["figure"]
    options.pop("draw")(**options)


if __name__ == "__main__":
    exceptions.program(main)
