"""Stage 2: fit a network to patches of features, and validate it on whole tracks.

The files that describe the run are beside the model: ``history.csv``,
``settings.json``, ``decoder.json``, ``version.txt``.  An interrupted training resumes
when it is started again with the same settings, code and data.
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
from crema.utils import cli, disk, hashes, hdf5, index, rng, sampling, stages, version
from crema.version import __version__

#: Length of a validation excerpt: enough context for most tracks.
EXCERPT_SECONDS = 60
#: Tracks from which the parameters of the decoder are estimated; more only take time to
#: read.
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
    held_out = "index_train.json; some of its groups are held out for validation"
    cli.path_option(files, "--index", "FILE", held_out)
    cli.leave_out_option(files)
    cli.path_option(
        files, "--feature-dir", "DIR", "where 01-prepare.py wrote the features"
    )
    cli.path_option(files, "--pump", "FILE", "the pump.pkl")
    made_here = "where to write model.h5, version.txt, history.csv, ..."
    cli.path_option(files, "--resources", "DIR", made_here)
    files.add_argument(
        "--initial",
        type=pathlib.Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="model.h5 or model.onnx files whose mean weights initialise the training",
    )
    option = made.add_argument_group("training").add_argument
    option("--epochs", type=int, default=100, help="maximum number of epochs")
    option("--steps-per-epoch", type=int, default=512, help="batches per epoch")
    option("--batch-size", type=int, default=32, help="patches per batch")
    option(
        "--patch-duration",
        type=float,
        default=8.0,
        help="length of a patch, in seconds",
    )
    option(
        "--learning-rate",
        type=float,
        default=1e-3,
        help="initial learning rate of Adam",
    )
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
    option(
        "--active-tracks",
        type=int,
        default=32,
        help="tracks to sample from at the same time",
    )
    option(
        "--threads",
        type=int,
        default=0,
        help="threads of TensorFlow, 0 for all cores; with 1, runs are "
        "reproducible bit for bit",
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
        ``network(pump, args)`` returns ``(model, losses, metrics)``: a
        :class:`keras.Model` whose inputs and outputs are named after pump fields, and
        lists in the order of the outputs.
    decoder : callable
        ``decoder(files)`` estimates the parameters of the decoder from the training
        annotations, and returns them as a dict; `files` are the feature files of at
        most ``DECODER_TRACKS`` originals.
    monitor : str
        Metric to minimise, for early stopping and the learning rate.

    Raises
    ------
    ConfigError, CorpusError, DataError
        The options, index, pump or features do not allow a training.
    CremaError
        Another training writes to the same directory.
    """
    check(args)
    # A training can outlive the Snakemake process that started it.
    with disk.alone(args.resources):
        train(args, estimator, network, decoder, monitor)


def train(args, estimator, network, decoder, monitor):
    """Train one model; see :func:`run`."""
    from crema import pump

    commit, dirty = version.revision(pathlib.Path(__file__).parent)
    version.trainings(args.resources)  # if it is damaged, say so before training
    tracks = index.read_index(args.index, args.leave_out)
    kept, held_out = index.hold_out(
        tracks, args.validation_fraction, args.seed, args.index
    )
    operators = pump.load(args.pump)
    files = sampling.copies(args.feature_dir, tracks)
    check_pump(files, args.pump)

    keras = backend.keras(args.threads)
    from crema.utils import fit  # imports Keras, so only after its setup

    rng.seed_everything(args.seed)
    try:
        model, losses, metrics = network(operators, args)
    except ValueError as error:
        raise ConfigError(
            f"the network cannot be built with these options ({first_line(error)})"
        ) from error
    inputs = [tensor.name for tensor in model.inputs]
    # Keras needs a target for every output.
    places = [
        n for n, name in enumerate(model.output_names) if name in operators.fields
    ]
    targets = [model.output_names[n] for n in places]
    if not targets:
        raise ConfigError(
            f"{sys.argv[0]}: no output of the network "
            f"({', '.join(model.output_names)}) has the name of a label of the pump "
            f"({', '.join(sorted(set(operators.fields) - set(inputs)))})"
        )
    labelled = keras.Model(model.inputs, [model.outputs[n] for n in places])
    labelled.compile(
        keras.optimizers.Adam(args.learning_rate, clipnorm=1.0),
        loss=[losses[n] for n in places],
        # Unweighted metrics would count the padding of validation excerpts.
        weighted_metrics=[metrics[n] for n in places],
    )
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
        from crema.utils import initial  # imports onnx

        initial.begin_with(args.initial, model, lambda: next(patches.batches(0, 1))[0])
    excerpts = sampling.Excerpts(
        [files[track][0] for track in held_out],
        inputs,
        targets,
        n_frames=round(EXCERPT_SECONDS * frame_rate),
        batch_size=args.batch_size,
    )
    print(
        f"{estimator}: {len(kept)} tracks x {len(files[kept[0]])} copies for training, "
        f"{len(held_out)} tracks for validation; {model.count_params():,} parameters",
        flush=True,
    )
    settings = describe(args, estimator, model, files, held_out)
    state = args.resources / f".training-{digest(settings)}"
    history = fit.fit(labelled, patches, excerpts, args, monitor, state)
    if patches.short:
        print(
            f"{len(patches.short)} feature files were skipped, as they are shorter "
            f"than a patch of {args.patch_duration:g} s, such as {min(patches.short)}"
        )

    originals = [paths[0] for paths in files.values()]
    decoded = decoder(sampling.spread(originals, DECODER_TRACKS))
    settings["revision"] = {"commit": commit, "dirty": dirty}
    save(args.resources, model, settings, decoded, history, monitor)


def save(resources, model, settings, decoded, history, monitor):
    """Write the results of a training, and print a summary.

    Parameters
    ----------
    resources : pathlib.Path
        Directory to write to.
    model : keras.Model
        The network.
    settings : dict
        Result of :func:`describe`, plus the revision of the code.
    decoded : dict
        Parameters of the decoder.
    history : list of dict
        One row per epoch.
    monitor : str
        The column of `history` that was minimised.
    """
    from crema.utils import fit  # imports Keras, which is set up by now

    best = min(history, key=lambda row: row[monitor])
    summary = {
        "finished": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
        "epochs": len(history),
        "best_epoch": best["epoch"],
        monitor: best[monitor],
    }
    with disk.atomic(resources / "model.h5") as temporary:
        model.save(temporary, include_optimizer=False)
        # Without a network, the files of two models cannot be taken for one model.
        for network in ("model.onnx", "model.h5"):
            (resources / network).unlink(missing_ok=True)
        disk.write_json(resources / "decoder.json", decoded)
        fit.write_history(resources / "history.csv", history)
        disk.write_json(resources / "settings.json", settings)
        revision = settings["revision"]
        name = version.advance(
            resources, revision["commit"], revision["dirty"], summary
        )
    # Also remove the states of other settings, which this model replaces.
    for begun in resources.glob(".training-*"):
        shutil.rmtree(begun)
    print(
        f"{settings['estimator']} {name}: {monitor} {best[monitor]:.4f} at epoch "
        f"{best['epoch']} of {len(history)}"
    )


def check(args):
    """Raise ConfigError if an option is out of range."""
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
                f"{paths[0]}: was made with another pump than {path}; run prepare again"
            )


def frames_per_second(operators):
    """Return the frame rate that all operators of a pump share."""
    rates = {operator.sr / operator.hop_length for operator in operators.ops}
    if len(rates) != 1:
        raise ConfigError(f"the pump's operators differ in frame rate: {sorted(rates)}")
    return rates.pop()


def describe(args, estimator, model, files, held_out):
    """Return everything that decides the outcome of a training, as a dict."""
    # In the form of settings.json, where a path is text.
    options = json.loads(json.dumps(vars(args), default=str, sort_keys=True))
    stats = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for paths in files.values()
        for path in paths
    ]
    code = map(stages.ROOT.joinpath, stages.files("train", estimator))
    code = [path for path in (pathlib.Path(sys.argv[0]), *code) if path.is_file()]
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
            "code": hashes.of_all(code),
        },
        "libraries": {
            name: importlib.metadata.version(name)
            for name in (*LIBRARIES, backend.name())
        },
    }


def digest(settings):
    """Return a short hash of a dict of settings.

    It ignores the number of threads, so that a training can resume on another machine,
    and the number of epochs, so that a training can be extended or cut short.
    """
    free = ("threads", "epochs")
    options = {k: v for k, v in settings["options"].items() if k not in free}
    settings = {**settings, "options": options}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[
        :12
    ]
