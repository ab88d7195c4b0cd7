"""Measure how long training waits for data.

    python benchmarks/training.py FEATURE_DIR INDEX PUMP

Trains the network of the chord estimator with the settings of config/config.yaml on the
features of the tracks in INDEX.  Epochs fed by ``crema.utils.sampling.Patches``
alternate with epochs fed by a single batch from memory, through the same ``model.fit``.
The share of time waiting for data is 1 - memory / sampled, from the median times of the
epochs; target: at most 10 %.  The patches per second of the sampler alone are printed
beside those that training consumes.  ``benchmarks/sampling.py`` does the same, and
more, for large corpora.
"""

import argparse
import importlib.util
import itertools
import pathlib
import statistics
import time
import types

import yaml

from crema import backend, pump
from crema.utils import index, rng, sampling

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "training" / "chord" / "02-train.py"


def load_script():
    """Import 02-train.py, whose name is not a valid module name."""
    spec = importlib.util.spec_from_file_location("chord_train", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def waiting(args, settings):
    """Print the share of time that training waits for data; return it."""
    keras = backend.keras(args.threads)
    rng.seed_everything(settings.seed)
    operators = pump.load(args.pump)
    files = sampling.copies(args.features, index.read_index(args.index))
    model, losses, metrics = load_script().network(operators, settings)
    optimizer = keras.optimizers.Adam(settings.learning_rate, clipnorm=1.0)
    model.compile(optimizer, loss=losses, metrics=metrics)
    inputs = [tensor.name for tensor in model.inputs]
    stream = patches(files, inputs, list(model.output_names), operators, settings)

    def sampled(epoch):
        return stream.batches(epoch, args.steps)

    batch = next(sampled(0))

    def repeated(epoch):
        # Keras accepts generators but not all iterators.
        while True:
            yield batch

    kinds = {"sampled": sampled, "memory": repeated}

    class Clock(keras.callbacks.Callback):
        # Time the epoch, not fit: the input pipeline of each fit takes up to 20 idle
        # seconds to shut down, and a real training has only one.
        def on_epoch_begin(self, epoch, logs=None):
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.begin

    clock = Clock()
    epochs = {kind: [] for kind in kinds}
    for epoch in range(args.epochs + 1):
        # The order alternates; epoch 0 compiles and does not count.
        for kind in list(kinds)[:: 1 if epoch % 2 else -1]:
            batches = kinds[kind](epoch)
            model.fit(batches, steps_per_epoch=args.steps, verbose=0, callbacks=[clock])
            epochs[kind] += [clock.seconds] if epoch else []
            print(f"epoch {epoch} {kind:7s} {clock.seconds:7.2f} s", flush=True)
    # The median is robust to other programs that disturb single epochs.
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
        f"CPU second); training needs {needed:.0f}"
    )
    return share


def chord_settings():
    """Return the settings of the chord training from config/config.yaml."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    return types.SimpleNamespace(**config["chord"]["train"])


def patches(files, inputs, targets, operators, settings):
    """Return the stream of patches for a training with these settings."""
    operator = operators.ops[0]
    n_frames = round(settings.patch_duration * operator.sr / operator.hop_length)
    sizes = n_frames, settings.batch_size, settings.seed, settings.active_tracks
    return sampling.Patches(files, inputs, targets, *sizes)


def parser(description):
    """Return the parser that the training benchmarks share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("features", type=pathlib.Path, metavar="FEATURE_DIR")
    made.add_argument("index", type=pathlib.Path, metavar="INDEX")
    made.add_argument("pump", type=pathlib.Path, metavar="PUMP")
    made.add_argument(
        "--epochs", type=int, default=5, help="epochs of each kind of training"
    )
    made.add_argument("--steps", type=int, default=64, help="batches per epoch")
    made.add_argument("--threads", type=int, default=0, help="threads, 0 for all cores")
    return made


def main():
    """Run the benchmark."""
    args = parser(__doc__).parse_args()
    waiting(args, chord_settings())


if __name__ == "__main__":
    main()
