"""Stage 2: fit a network to patches of features, validate it on whole tracks.

Everything about the run lies beside the model: ``history.csv``, ``settings.json``,
``decoder.json``, ``version.txt``.  A training that is killed goes on from its last
epoch when it is started again with the same settings, code and data.
"""

import csv
import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import sys

import numpy as np

from crema import backend
from crema.exceptions import ConfigError, DataError
from crema.utils import cli, index, io, rng, sampling, version
from crema.version import __version__

#: Length of a validation excerpt: as many frames of context as most tracks need.
EXCERPT_SECONDS = 60
LIBRARIES = ("numpy", "librosa", "pumpp", "keras", "tensorflow", "pescador", "h5py")


def parser(description):
    """Return the parser of a ``02-train.py``; the script adds its network's options.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = cli.parser(description)
    files = made.add_argument_group("files")
    files.add_argument(
        "--index",
        type=pathlib.Path,
        required=True,
        metavar="FILE",
        help="index_train.json; validation tracks are held out of it by group",
    )
    files.add_argument(
        "--feature-dir",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="where 01-prepare.py put the features",
    )
    files.add_argument(
        "--pump", type=pathlib.Path, required=True, metavar="FILE", help="the pump.pkl"
    )
    files.add_argument(
        "--resources",
        type=pathlib.Path,
        required=True,
        metavar="DIR",
        help="where model.h5, version.txt, history.csv, ... go",
    )
    option = made.add_argument_group("training").add_argument
    option("--epochs", type=int, default=100, help="at most")
    option("--steps-per-epoch", type=int, default=512, help="batches in an epoch")
    option("--batch-size", type=int, default=32, help="patches in a batch")
    option("--patch-duration", type=float, default=8.0, help="in seconds")
    option("--learning-rate", type=float, default=1e-3, help="of Adam, at the start")
    option(
        "--validation-fraction",
        type=float,
        default=0.1,
        help="share of the groups to hold out",
    )
    option(
        "--reduce-patience",
        type=int,
        default=5,
        help="epochs without improvement before the learning rate is halved",
    )
    option(
        "--stop-patience",
        type=int,
        default=12,
        help="epochs without improvement before training ends",
    )
    option("--active-tracks", type=int, default=32, help="tracks that are open at once")
    option(
        "--threads",
        type=int,
        default=0,
        help="of TensorFlow, 0 for all cores; with 1, runs repeat bit for bit",
    )
    return made


def run(args, estimator, network, decoder, monitor):
    """Train one model and write it to ``args.resources``.

    Parameters
    ----------
    args : argparse.Namespace
        From :func:`parser`.
    estimator : str
        Name of the module under :mod:`crema.models` that uses the model.
    network : callable
        ``network(pump, args)`` returns a :class:`keras.Model` whose inputs and outputs
        are named after pump fields, and ``(losses, metrics)``, lists in the order of
        the outputs.
    decoder : callable
        ``decoder(files)`` returns, as a dict, what decoding needs to know of the
        training annotations; `files` are the feature files of the originals.
    monitor : str
        What early stopping and the learning rate follow; it is minimised.

    Raises
    ------
    ConfigError, CorpusError, DataError
        Options, index, pump and features do not make a training possible.
    """
    from crema import pump

    commit, dirty = version.revision(pathlib.Path(__file__).parent)
    check(args)
    tracks = index.read_index(args.index)
    kept, held_out = index.hold_out(tracks, args.validation_fraction, args.seed)
    operators = pump.load(args.pump)
    files = sampling.copies(args.feature_dir, tracks)
    check_pump(files, args.pump)

    keras = backend.keras(args.threads)
    rng.seed_everything(args.seed)
    model, losses, metrics = network(operators, args)
    model.compile(
        keras.optimizers.Adam(args.learning_rate, clipnorm=1.0),
        loss=losses,
        metrics=metrics,
    )
    inputs = [tensor.name for tensor in model.inputs]
    targets = [name for name in model.output_names if name in operators.fields]
    frame_rate = frames_per_second(operators)
    patches = sampling.Patches(
        {track: files[track] for track in kept},
        inputs,
        targets,
        n_frames=max(1, round(args.patch_duration * frame_rate)),
        batch_size=args.batch_size,
        seed=args.seed,
        n_active=args.active_tracks,
    )
    excerpts = sampling.Excerpts(
        [files[track][0] for track in held_out],
        inputs,
        targets,
        n_frames=round(EXCERPT_SECONDS * frame_rate),
        batch_size=args.batch_size,
    )
    print(
        f"{estimator}: {len(kept)} tracks x {len(files[kept[0]])} copies to train on, "
        f"{len(held_out)} to validate; {model.count_params():,} parameters",
        flush=True,
    )
    settings = describe(args, estimator, model, files, held_out)
    state = args.resources / f".training-{digest(settings)}"
    history = fit(keras, model, patches, excerpts, args, monitor, state)

    decoded = decoder([paths[0] for paths in files.values()])
    io.write_json(args.resources / "decoder.json", decoded)
    write_history(args.resources / "history.csv", history)
    best = min(history, key=lambda row: row[monitor])
    settings["revision"] = {"commit": commit, "dirty": dirty}
    io.write_json(args.resources / "settings.json", settings)
    with io.atomic(args.resources / "model.h5") as temporary:
        model.save(temporary, include_optimizer=False)
    name = version.advance(
        args.resources,
        commit,
        dirty,
        {
            "finished": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
            "epochs": len(history),
            "best_epoch": best["epoch"],
            monitor: best[monitor],
        },
    )
    for finished in args.resources.glob(".training-*"):
        shutil.rmtree(finished)
    print(
        f"{estimator} {name}: {monitor} {best[monitor]:.4f} at epoch {best['epoch']} "
        f"of {len(history)}"
    )


def check(args):
    """Raise ConfigError where an option cannot work."""
    for name in ("epochs", "steps_per_epoch", "batch_size", "active_tracks"):
        if getattr(args, name) < 1:
            raise ConfigError(f"{name} must be at least 1, not {getattr(args, name)}")
    for name in ("patch_duration", "learning_rate"):
        if not getattr(args, name) > 0:
            raise ConfigError(f"{name} must be positive, not {getattr(args, name)}")


def check_pump(files, path):
    """Raise DataError unless the features come from the pump at `path`."""
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    for paths in files.values():
        with io.open_features(paths[0]) as store:
            found = store.attrs.get("pump")
        if found != expected:
            raise DataError(
                f"{paths[0]}: was made by another pump than {path}; run prepare again"
            )


def frames_per_second(operators):
    """Return the frame rate that all operators of a pump share."""
    rates = {operator.sr / operator.hop_length for operator in operators.ops}
    if len(rates) != 1:
        raise ConfigError(f"the pump's operators differ in frame rate: {sorted(rates)}")
    return rates.pop()


def describe(args, estimator, model, files, held_out):
    """Return all that decides the outcome of a training, as a dict."""
    options = {
        name: str(value) if isinstance(value, pathlib.Path) else value
        for name, value in sorted(vars(args).items())
    }
    stats = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for paths in files.values()
        for path in paths
    ]
    return {
        "estimator": estimator,
        "crema": __version__,
        "options": options,
        "validation": held_out,
        "tracks": len(files),
        "copies": len(next(iter(files.values()))) - 1,
        "parameters": model.count_params(),
        "hashes": {
            "index": hashlib.sha256(args.index.read_bytes()).hexdigest(),
            "pump": hashlib.sha256(args.pump.read_bytes()).hexdigest(),
            "features": hashlib.sha256(repr(stats).encode()).hexdigest(),
            "network": hashlib.sha256(model.to_json().encode()).hexdigest(),
            "code": hashlib.sha256(
                b"".join(
                    pathlib.Path(source).read_bytes()
                    for source in (sys.argv[0], __file__, sampling.__file__)
                    if pathlib.Path(source).is_file()
                )
            ).hexdigest(),
        },
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def digest(settings):
    """Return a short name for a dict of settings.

    The number of threads is left out: who starts a killed training again on another
    machine goes on with it.
    """
    options = {k: v for k, v in settings["options"].items() if k != "threads"}
    settings = {**settings, "options": options}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[
        :12
    ]


def fit(keras, model, patches, excerpts, args, monitor, state):
    """Fit `model`, going on from `state` if a killed training left one.

    Returns
    -------
    list of dict
        One row per epoch; the model holds the weights of the best epoch.
    """

    class Validation(keras.utils.PyDataset):
        def __len__(self):
            return len(excerpts)

        def __getitem__(self, number):
            return excerpts[number]

    stop = keras.callbacks.EarlyStopping(
        monitor, patience=args.stop_patience, restore_best_weights=True, mode="min"
    )
    reduce = keras.callbacks.ReduceLROnPlateau(
        monitor, factor=0.5, patience=args.reduce_patience, mode="min"
    )
    history_file = args.resources / "history.csv"
    resume = resume_callback(keras)(state / "state.npz", [stop, reduce], history_file)
    first_epoch = resume.peek()
    if first_epoch:
        print(f"going on after epoch {first_epoch}", flush=True)
    if resume.finished:
        resume.restore(model)
        model.set_weights(stop.best_weights)
        return resume.history
    model.fit(
        patches.batches(first_epoch, args.steps_per_epoch),
        steps_per_epoch=args.steps_per_epoch,
        epochs=args.epochs,
        initial_epoch=first_epoch,
        validation_data=Validation(),
        # Resume comes last: it must see the counters after the others set them.
        callbacks=[reduce, stop, resume],
        verbose=2,
    )
    return resume.history


def resume_callback(keras):
    """Return the callback class; Keras is imported when a training starts, not before.

    Keras' own BackupAndRestore keeps weights, optimiser and epoch, but not the
    counters of the other callbacks, so that a resumed training would end elsewhere.
    """

    class Resume(keras.callbacks.Callback):
        """Save the whole state of a training after each epoch, and restore it."""

        counters = {
            "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
            "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
        }

        def __init__(self, path, callbacks, history_file):
            super().__init__()
            self.path = path
            self.tracked = {type(callback).__name__: callback for callback in callbacks}
            self.history_file = history_file
            self.history = []
            self.finished = False

        def peek(self):
            """Return the number of finished epochs, 0 without a saved state."""
            if not self.path.is_file():
                return 0
            with np.load(self.path, allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
            self.history = record["history"]
            self.finished = record["finished"]
            return len(self.history)

        def on_train_begin(self, logs=None):
            if self.path.is_file():
                self.restore(self.model)

        def on_epoch_end(self, epoch, logs=None):
            row = {"epoch": epoch + 1}
            row.update((name, float(value)) for name, value in sorted(logs.items()))
            self.history.append(row)
            self.finished = (
                self.model.stop_training or epoch + 1 >= self.params["epochs"]
            )
            self.save()
            write_history(self.history_file, self.history)

        def save(self):
            record = {"history": self.history, "finished": self.finished}
            record["counters"] = {
                name: {key: getattr(self.tracked[name], key) for key in keys}
                for name, keys in self.counters.items()
            }
            arrays = {"record": np.asarray(json.dumps(record))}
            for group, values in self.variables(self.model).items():
                for number, value in enumerate(values):
                    arrays[f"{group}{number}"] = keras.ops.convert_to_numpy(value)
            for number, value in enumerate(self.tracked["EarlyStopping"].best_weights):
                arrays[f"best{number}"] = value
            with io.atomic(self.path) as temporary:
                np.savez(temporary, **arrays)

        def restore(self, model):
            with np.load(self.path, allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
                for group, values in self.variables(model).items():
                    for number, value in enumerate(values):
                        value.assign(saved[f"{group}{number}"])
                self.tracked["EarlyStopping"].best_weights = [
                    saved[f"best{number}"] for number in range(len(model.get_weights()))
                ]
            for name, values in record["counters"].items():
                for key, value in values.items():
                    setattr(self.tracked[name], key, value)

        @staticmethod
        def variables(model):
            model.optimizer.build(model.trainable_variables)
            return {
                "model": model.variables,
                "optimizer": model.optimizer.variables,
            }

    return Resume


def write_history(path, history):
    """Write one CSV row per epoch."""
    with io.atomic(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
