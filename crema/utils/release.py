r"""Release an evaluated model: the files that inference needs, and a model card.

    python -m crema.utils.release --resources training/NAME/resources \
        --index corpora/release/index_train.json \
        --test-index corpora/release/index_test.json \
        --corpus corpora/release --notes training/NAME/LIMITS.md \
        --output crema/models/NAME

A release holds no pickle.  Inference uses ``model.onnx``, ``pump.json``,
``decoder.json``, ``settings.json`` and ``version.txt``; ``card.md`` is the model card;
``splits.json`` lists the tracks; ``SHA256SUMS`` is checked when the model is loaded.
"""

import argparse
import shutil

import numpy as np

from crema import exceptions, pump
from crema.exceptions import ModelError
from crema.utils import cli, disk, hashes, index


def release(args):
    """Write the release of one model, and remove everything else in its directory.

    Raises
    ------
    ModelError
        The model was trained again after its evaluation, or was trained with
        uncommitted code.
    """
    from crema import export, models, network

    resources, output = args.resources, args.output
    version = (resources / "version.txt").read_text(encoding="utf-8").strip()
    scores = disk.read_json(resources / "test_data.json")
    if scores["version"] != version:
        raise ModelError(
            f"{resources}: test_data.json evaluates version {scores['version']}, but "
            f"the model is {version}; evaluate it again"
        )
    if version.endswith("+dirty") and not args.dirty:
        raise ModelError(
            f"{resources}: version {version} was trained with uncommitted code; commit "
            "it and train again"
        )
    settings = disk.read_json(resources / "settings.json")
    splits = {
        "train": index.read_index(args.index, args.leave_out),
        "test": index.read_index(args.test_index, args.leave_out),
    }
    index.check_splits(splits["train"], splits["test"], (args.index, args.test_index))
    held_out = settings["validation"]
    unseen = set(held_out)
    kept = [track for track in splits["train"] if track not in unseen]
    splits = {"train": kept, "validation": held_out, "test": list(splits["test"])}
    settings["hashes"]["corpus"] = corpus_hash(cli.corpus(args), splits)

    new, old = (output.with_name(f".{output.name}.{name}") for name in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    exported = export.to_onnx(network.load(resources / "model.h5").model)
    with disk.atomic(new / "model.onnx") as temporary:
        temporary.write_bytes(exported.SerializeToString())
    disk.write_json(new / "pump.json", pump.to_json(pump.load(resources / "pump.pkl")))
    disk.write_json(new / "settings.json", settings)
    disk.write_json(new / "splits.json", splits)
    for name in ("decoder.json", "version.txt"):
        disk.write_text(new / name, (resources / name).read_text(encoding="utf-8"))
    disk.write_text(new / "card.md", card(settings, scores, splits, args.notes))
    disk.write_text(new / hashes.SUMS, hashes.listing(new))
    models.load(new)
    if output.exists():
        output.rename(old)
    new.rename(output)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{output}: version {version}, {size(output) / 1e6:.1f} MB")


def corpus_hash(corpus, splits):
    """Return one hash of the audio and the annotations of all tracks."""
    tracks = sorted(track for tracks in splits.values() for track in tracks)
    return hashes.of_all(p for t in tracks for p in (corpus.audio(t), corpus.jams(t)))


def size(directory):
    """Return the size of the files in `directory`, in bytes."""
    return sum(path.stat().st_size for path in directory.iterdir())


def card(settings, scores, splits, notes):
    """Write the model card.

    Parameters
    ----------
    settings : dict
        ``settings.json``, plus the hash of the corpus.
    scores : dict
        ``test_data.json``.
    splits : dict of str to list of str
        Track ids.
    notes : str
        Known limits and licence, from ``training/ESTIMATOR/LIMITS.md``.

    Returns
    -------
    str
        Markdown.
    """
    sha256 = "\n".join(f"- {k}: `{v}`" for k, v in sorted(settings["hashes"].items()))
    libraries = ", ".join(f"{k} {v}" for k, v in settings["libraries"].items())
    options = ", ".join(
        f"{name} {value}"
        for name, value in settings["options"].items()
        if not isinstance(value, str)
    )
    calibration = scores["calibration"]
    failed = [row for row in scores["tracks"] if row["status"] != "ok"]
    rows = "\n".join(
        f"| {name} | {line['weighted']:.3f} | {_number(line['baseline'])} "
        f"| {line['mean']:.3f} | {_spread(scores, name)} | {line['tracks']} |"
        for name, line in scores["summary"].items()
    )
    return f"""# {settings["estimator"]} {scores["version"]}

{settings["parameters"]:,} parameters. Trained on {len(splits["train"])} tracks \
(augmented copies of each: {settings["copies"]}), with early stopping on \
{len(splits["validation"])} others; tested on {len(splits["test"])} tracks of other \
groups (artists). `splits.json` lists them.

## Scores

On the test tracks, end to end from audio, by `mir_eval`. Model and baseline: means \
weighted by duration. Percentiles: over tracks.

| | model | baseline | unweighted | 5 %, 50 %, 95 % of tracks | tracks |
|---|---|---|---|---|---|
{rows}

{len(failed)} tracks could not be scored. Expected calibration error of the \
confidence: {calibration["error"]:.3f}; perfect confidences would have \
{calibration["floor"]:.3f} on as few labels (`docs/output.md`).

## Provenance

Revision `{settings["revision"]["commit"]}`, seed {settings["options"]["seed"]}; \
{libraries}. Options: {options}.

SHA-256:

{sha256}

{notes.strip()}
"""


def _number(value):
    return "-" if value is None else f"{value:.3f}"


def _spread(scores, name):
    values = [row["scores"].get(name) for row in scores["tracks"]]
    values = [value for value in values if value is not None]
    return ", ".join(f"{q:.3f}" for q in np.percentile(values, (5, 50, 95)))


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.utils.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.corpus_options(parser)
    cli.path_option(parser, "--resources", "DIR", "a trained and evaluated model")
    cli.path_option(parser, "--index", "FILE", "index_train.json")
    cli.path_option(parser, "--test-index", "FILE", "index_test.json")
    cli.leave_out_option(parser)
    cli.path_option(parser, "--output", "DIR", "directory to write the release to")
    cli.path_option(parser, "--notes", "FILE", "limits and licence, for the model card")
    parser.add_argument(
        "--dirty",
        action="store_true",
        help="allow a model trained with uncommitted code",
    )
    args = parser.parse_args(argv)
    args.notes = args.notes.read_text(encoding="utf-8")
    release(args)


if __name__ == "__main__":
    exceptions.program(main)
