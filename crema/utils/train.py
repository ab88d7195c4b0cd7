"""Stage 2: fit a network to patches of features, validate it on whole tracks.

Everything about the run lies beside the model: ``history.csv``, ``settings.json``,
``decoder.json``, ``version.txt``.  A training that is killed goes on from its last
epoch when it is started again with the same settings, code and data.
"""

import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import shutil
import sys

from crema import backend, stored
from crema.exceptions import ConfigError, DataError, first_line
from crema.utils import cli, disk, hashes, hdf5, index, rng, sampling, version
from crema.version import __version__

#: Length of a validation excerpt: as many frames of context as most tracks need.
EXCERPT_SECONDS = 60
#: The code that decides the outcome of a training, with the script and its layers; an
#: input of its rule, too.
MODULES = (
    "crema/utils/train.py",
    "crema/utils/initial.py",
    "crema/utils/fit.py",
    "crema/utils/sampling.py",
    "crema/utils/rng.py",
    "crema/layers/__init__.py",
)
#: Tracks whose annotations tell, say, how long a chord lasts; more tell the same, and
#: take time to read.
DECODER_TRACKS = 1000
LIBRARIES = ("numpy", "librosa", "pumpp", "keras", "pescador", "h5py")


def parser(description):
    """Return the parser of a ``02-train.py``; the script adds its network's options.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = cli.parser(description)
    files = made.add_argument_group("files")
    held_out = "index_train.json; validation tracks are held out of it by group"
    cli.path_option(files, "--index", "FILE", held_out)
    cli.leave_out_option(files)
    cli.path_option(files, "--feature-dir", "DIR", "where 01-prepare.py put features")
    cli.path_option(files, "--pump", "FILE", "the pump.pkl")
    made_here = "where model.h5, version.txt, history.csv, ... go"
    cli.path_option(files, "--resources", "DIR", made_here)
    files.add_argument(
        "--initial",
        type=pathlib.Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="model.h5 or model.onnx of earlier trainings, to begin with their mean",
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
        training annotations; `files` are the feature files of originals, at most of
        ``DECODER_TRACKS``.
    monitor : str
        What early stopping and the learning rate follow; it is minimised.

    Raises
    ------
    ConfigError, CorpusError, DataError
        Options, index, pump and features do not make a training possible.
    CremaError
        Another training writes to the same place.
    """
    check(args)
    # One may have outlived the Snakemake that began it.
    with disk.alone(args.resources):
        train(args, estimator, network, decoder, monitor)


def train(args, estimator, network, decoder, monitor):
    """Train one model; see :func:`run`."""
    from crema import pump

    commit, dirty = version.revision(pathlib.Path(__file__).parent)
    tracks = index.read_index(args.index, args.leave_out)
    kept, held_out = sampling.hold_out(
        tracks, args.validation_fraction, args.seed, args.index
    )
    operators = pump.load(args.pump)
    files = sampling.copies(args.feature_dir, tracks)
    check_pump(files, args.pump)

    keras = backend.keras(args.threads)
    from crema.utils import fit  # uses Keras, which only now is set up

    rng.seed_everything(args.seed)
    try:
        model, losses, metrics = network(operators, args)
    except ValueError as error:
        raise ConfigError(
            f"the network cannot be built with these options ({first_line(error)})"
        ) from error
    model.compile(
        keras.optimizers.Adam(args.learning_rate, clipnorm=1.0),
        loss=losses,
        # Unweighted metrics would count the padding of validation excerpts.
        weighted_metrics=metrics,
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
    if args.initial:
        from crema.utils import initial  # uses onnx

        initial.begin_with(args.initial, model, lambda: next(patches.batches(0, 1))[0])
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
    history = fit.fit(model, patches, excerpts, args, monitor, state)
    if patches.short:
        print(
            f"{len(patches.short)} feature files taught nothing, as they are shorter "
            f"than a patch of {args.patch_duration:g} s, such as {min(patches.short)}"
        )

    originals = [paths[0] for paths in files.values()]
    decoded = decoder(sampling.spread(originals, DECODER_TRACKS))
    settings["revision"] = {"commit": commit, "dirty": dirty}
    save(args.resources, model, settings, decoded, history, monitor)


def save(resources, model, settings, decoded, history, monitor):
    """Write all that a training leaves, and tell the user of it.

    Parameters
    ----------
    resources : pathlib.Path
        Where to.
    model : keras.Model
        The network.
    settings : dict
        What decided the outcome: of :func:`describe`, and the revision of the code.
    decoded : dict
        What decoding needs to know of the training annotations.
    history : list of dict
        One row per epoch.
    monitor : str
        The column of `history` that was minimised.
    """
    from crema.utils import fit  # uses Keras, which was set up before

    disk.write_json(resources / "decoder.json", decoded)
    fit.write_history(resources / "history.csv", history)
    disk.write_json(resources / "settings.json", settings)
    # What was exported of the last training would be used instead of this one.
    (resources / "model.onnx").unlink(missing_ok=True)
    with disk.atomic(resources / "model.h5") as temporary:
        model.save(temporary, include_optimizer=False)
    best = min(history, key=lambda row: row[monitor])
    name = version.advance(
        resources,
        settings["revision"]["commit"],
        settings["revision"]["dirty"],
        {
            "finished": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
            "epochs": len(history),
            "best_epoch": best["epoch"],
            monitor: best[monitor],
        },
    )
    # Also of what was begun here with other settings, which this model replaces.
    for begun in resources.glob(".training-*"):
        shutil.rmtree(begun)
    print(
        f"{settings['estimator']} {name}: {monitor} {best[monitor]:.4f} at epoch "
        f"{best['epoch']} of {len(history)}"
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
    expected = hashes.of(path)
    for paths in files.values():
        with hdf5.opened(paths[0]) as store:
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
    # As they are written to settings.json, to which a path is text.
    options = json.loads(json.dumps(vars(args), default=str, sort_keys=True))
    root = pathlib.Path(__file__).parents[2]
    stats = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for paths in files.values()
        for path in paths
    ]
    read = {"index": args.index, "pump": args.pump}
    initial = {"initial": hashes.of_all(args.initial)} if args.initial else {}
    return {
        "estimator": estimator,
        "crema": __version__,
        "format": stored.FORMAT,
        "options": options,
        "validation": held_out,
        "tracks": len(files),
        "copies": len(next(iter(files.values()))) - 1,
        "parameters": model.count_params(),
        "hashes": {
            **{name: hashes.of(path) for name, path in read.items()},
            **initial,
            "features": hashlib.sha256(repr(stats).encode()).hexdigest(),
            "network": hashlib.sha256(model.to_json().encode()).hexdigest(),
            "code": hashlib.sha256(
                b"".join(
                    pathlib.Path(source).read_bytes()
                    for source in (
                        sys.argv[0],
                        *map(root.joinpath, MODULES),
                        root.joinpath("crema/layers", f"{estimator}.py"),
                    )
                    if pathlib.Path(source).is_file()
                )
            ).hexdigest(),
        },
        "libraries": {
            name: importlib.metadata.version(name)
            for name in (*LIBRARIES, backend.name())
        },
    }


def digest(settings):
    """Return a short name for a dict of settings.

    The number of threads is left out: who starts a killed training again on another
    machine goes on with it.  So is that of epochs: a training can be made longer, or
    ended with what it has.
    """
    free = ("threads", "epochs")
    options = {k: v for k, v in settings["options"].items() if k not in free}
    settings = {**settings, "options": options}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[
        :12
    ]
