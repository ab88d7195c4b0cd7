"""Measure how long training waits for data, and how much memory it takes.

    python benchmarks/training.py FEATURE_DIR INDEX PUMP
    python benchmarks/training.py --memory FEATURE_DIR INDEX PUMP

Both train the network of the chord estimator with the settings of config/config.yaml
on the features of the tracks in INDEX.

Without ``--memory``: epochs fed by ``crema.utils.sampling.Patches`` take turns with
epochs fed by one batch from memory, through the same ``model.fit``.  The share of time
waiting for data is 1 - memory / sampled, of the median epochs; target: at most 10 %.
What the sampler yields by itself, in patches per second, is printed beside what
training takes.

With ``--memory``: the largest resident memory of ``02-train.py`` in two short epochs
and their validation, on these features, and on the same files linked to ten times as
many track ids.  Target: less than 3 GB, and at most 5 % more for ten times the tracks.
"""

import argparse
import importlib.util
import itertools
import os
import pathlib
import statistics
import sys
import tempfile
import time
import types

import child
import yaml

from crema import backend, pump
from crema.utils import index, rng, sampling

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "training" / "chord" / "02-train.py"


def load_script():
    """Import 02-train.py, whose name no import statement can spell."""
    spec = importlib.util.spec_from_file_location("chord_train", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def waiting(args, settings):
    """Print the share of time that training waits for data."""
    keras = backend.keras(args.threads)
    rng.seed_everything(settings.seed)
    operators = pump.load(args.pump)
    model, losses, metrics = load_script().network(operators, settings)
    optimizer = keras.optimizers.Adam(settings.learning_rate, clipnorm=1.0)
    model.compile(optimizer, loss=losses, metrics=metrics)
    operator = operators.ops[0]
    patches = sampling.Patches(
        sampling.copies(args.features, index.read_index(args.index)),
        [tensor.name for tensor in model.inputs],
        list(model.output_names),
        round(settings.patch_duration * operator.sr / operator.hop_length),
        settings.batch_size,
        settings.seed,
        n_active=settings.active_tracks,
    )

    def sampled(epoch):
        return patches.batches(epoch, args.steps)

    batch = next(sampled(0))

    def repeated(epoch):
        # Keras takes generators, not every iterator.
        while True:
            yield batch

    kinds = {"sampled": sampled, "memory": repeated}

    class Clock(keras.callbacks.Callback):
        # Around the epoch, not around fit: the pipeline that each fit sets up takes
        # up to 20 idle seconds to end, and a training has one.
        def on_epoch_begin(self, epoch, logs=None):
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.begin

    clock = Clock()
    epochs = {kind: [] for kind in kinds}
    for epoch in range(args.epochs + 1):
        # Who begins alternates; epoch 0 compiles, and does not count.
        for kind in list(kinds)[:: 1 if epoch % 2 else -1]:
            batches = kinds[kind](epoch)
            model.fit(batches, steps_per_epoch=args.steps, verbose=0, callbacks=[clock])
            epochs[kind] += [clock.seconds] if epoch else []
            print(f"epoch {epoch} {kind:7s} {clock.seconds:7.2f} s", flush=True)
    # The median, because other programs disturb single epochs.
    seconds = {kind: statistics.median(times) for kind, times in epochs.items()}

    begin = time.perf_counter()
    processor = time.process_time()
    for _ in itertools.islice(sampled(0), args.steps):
        pass
    alone = time.perf_counter() - begin
    processor = time.process_time() - processor
    count = args.steps * settings.batch_size
    needed = count / seconds["sampled"]
    share = 1 - seconds["memory"] / seconds["sampled"]
    print(
        f"median epoch of {args.steps} steps: sampled {seconds['sampled']:.2f} s, "
        f"from memory {seconds['memory']:.2f} s"
    )
    print(f"share of time waiting for data: {share:.1%} (target 10%: {share <= 0.1})")
    print(
        f"sampler alone: {count / alone:.0f} patches/s ({count / processor:.0f} per "
        f"second of processor); training takes {needed:.0f}"
    )


def memory(args, settings):
    """Print the memory of trainings on the corpus, and on ten times as many tracks."""
    tracks = index.read_index(args.index)
    files = sampling.copies(args.features, tracks)
    peaks = {}
    # Hard links: only a directory on the same file system can have them.
    with tempfile.TemporaryDirectory(dir=args.features.resolve().parent) as temporary:
        for times in (1, 10):
            directory = pathlib.Path(temporary, str(times))
            (directory / "features").mkdir(parents=True)
            records = []
            for number, track in itertools.product(range(times), tracks):
                name = f"{track}x{number}"
                records.append({"track_id": name, "group": f"{tracks[track]}x{number}"})
                for path in files[track]:
                    link = path.name.replace(track, name, 1)
                    os.link(path, directory / "features" / link)
            index.write_index(directory / "index.json", records)
            peaks[times] = child.run(train_command(args, settings, directory)).memory
            count = len(records) * len(next(iter(files.values())))
            print(f"{count} feature files: {peaks[times] / 1e6:.0f} MB", flush=True)
    growth = peaks[10] / peaks[1]
    print(f"peak memory: {peaks[10] / 1e9:.2f} GB (target 3: {peaks[10] < 3e9})")
    print(
        f"ratio for ten times the tracks: {growth:.3f} (target 1.05: {growth < 1.05})"
    )


def train_command(args, settings, directory):
    """Return the command of a short training."""
    short = {"epochs": 2, "steps_per_epoch": 8, "threads": args.threads}
    command = [sys.executable, SCRIPT, "--index", directory / "index.json"]
    command += ["--feature-dir", directory / "features", "--pump", args.pump]
    command += ["--resources", directory / "resources"]
    for key, value in {**vars(settings), **short}.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    return command


def main():
    """Measure one or the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("features", type=pathlib.Path, metavar="FEATURE_DIR")
    parser.add_argument("index", type=pathlib.Path, metavar="INDEX")
    parser.add_argument("pump", type=pathlib.Path, metavar="PUMP")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--epochs", type=int, default=5, help="of each kind")
    parser.add_argument("--steps", type=int, default=64, help="batches in an epoch")
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    args = parser.parse_args()
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    settings = types.SimpleNamespace(**config["chord"]["train"])
    (memory if args.memory else waiting)(args, settings)


if __name__ == "__main__":
    main()
