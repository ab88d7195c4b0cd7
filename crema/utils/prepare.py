"""Stage 1: build the pump; compute features and labels of the tracks and copies.

Features are ``feature_dir/track_id.h5`` and ``feature_dir/track_id.augment_id.h5``.
The job of a track owns all of them.  It writes the file of the original last, which
marks those of the copies as complete.
"""

import functools

from crema.exceptions import AnnotationError, AudioError, ConfigError, CremaError
from crema.utils import audiofile, cli, disk, hashes, hdf5, index, jamsfile, rng, setup
from crema.version import __version__


def parser(description):
    """Return the parser of a ``01-prepare.py``; the script adds its pump's options.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = cli.parser(description)
    # --pump-only needs no corpus; otherwise run() requires one.
    cli.corpus_options(made, required=False)
    cli.track_options(made)
    augmented = "where 00-setup.py wrote the copies"
    cli.path_option(made, "--augmented-dir", "DIR", augmented, required=False)
    features = "where to write features, as TRACK_ID.h5 and TRACK_ID.AUGMENT_ID.h5"
    cli.path_option(made, "--feature-dir", "DIR", features, required=False)
    pump = "the pump.pkl to write, or with --track to read"
    cli.path_option(made, "--pump", "FILE", pump)
    made.add_argument(
        "--pump-only", action="store_true", help="write the pump and exit"
    )
    made.add_argument(
        "--format",
        default="flac",
        choices=setup.FORMATS,
        help="audio format of the copies",
    )
    return made


def hcqt_options(made):
    """Add the options of :class:`crema.features.HCQT` to a parser."""
    option = made.add_argument_group("harmonic constant-Q transform").add_argument
    option(
        "--sample-rate",
        type=int,
        default=22050,
        help="sampling rate of the analysis, in Hz",
    )
    option("--hop-length", type=int, default=2048, help="samples between frames")
    option("--octaves", type=int, default=6, help="octaves per harmonic, up from C1")
    option(
        "--bins-per-semitone", type=int, default=3, help="resolution of the transform"
    )


def hcqt(args):
    """Return the feature extractor for the options of :func:`hcqt_options`."""
    from crema import features

    return features.HCQT(
        sr=args.sample_rate,
        hop_length=args.hop_length,
        n_octaves=args.octaves,
        over_sample=args.bins_per_semitone,
        over_time=2,
    )


def run(args, build):
    """Save the pump, unless ``--track`` is given, and process the tracks.

    Parameters
    ----------
    args : argparse.Namespace
        From :func:`parser`.
    build : callable
        ``build(args)`` returns the :class:`pumpp.Pump` of the estimator.

    Raises
    ------
    ConfigError
        An option that only ``--pump-only`` can omit is missing.
    CremaError
        Some tracks failed, see :func:`crema.utils.cli.each_track`.
    """
    from crema import pump

    rng.seed_everything(args.seed)
    if args.pump_only or not args.track:
        pump.save(build(args), args.pump)
    if args.pump_only:
        return
    for name in ("corpus", "augmented_dir", "feature_dir"):
        if getattr(args, name) is None:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is required, except with --pump-only")
    cli.each_track(
        functools.partial(
            prepare,
            corpus=cli.corpus(args),
            augmented_dir=args.augmented_dir,
            augmented_format=args.format,
            feature_dir=args.feature_dir,
            pump_path=args.pump,
        ),
        args,
    )


def prepare(track_id, corpus, augmented_dir, augmented_format, feature_dir, pump_path):
    """Write the features and labels of one track and of its copies.

    Parameters
    ----------
    track_id : str
        A track of `corpus`.
    corpus : crema.utils.index.Corpus
        Corpus of the original.
    augmented_dir : pathlib.Path
        Directory of the copies and their record.
    augmented_format : str
        Audio extension of the copies.
    feature_dir : pathlib.Path
        Directory of the ``.h5`` files.
    pump_path : pathlib.Path
        The saved pump.

    Raises
    ------
    CremaError
        Audio, annotation, record or pump cannot be read, or do not match.
    """
    import threadpoolctl

    from crema import pump

    operators = pump.load(pump_path)
    attributes = {
        "track_id": track_id,
        "crema": __version__,
        "pump": hashes.of(pump_path),
    }
    record = augmented_dir / f"{track_id}.json"
    if not record.is_file():
        raise CremaError(f"{record}: no such file; run setup first")
    copies = setup.copies_of(augmented_dir, track_id)
    augmented = index.Corpus(augmented_dir, augmented_format, corpus.jams_ext)
    sources = [(f"{track_id}.{copy}", augmented) for copy in copies]
    # The order in which a matrix product is summed depends on the number of threads.
    with (
        threadpoolctl.threadpool_limits(1),
        disk.whole_track(feature_dir, track_id, ".h5"),
    ):
        # Transform the original first: copies inherit its errors, and the message must
        # name the original.  Write it last, to mark the copies as complete.
        original = transform(corpus.audio(track_id), corpus.jams(track_id), operators)
        for name, source in sources:
            for path in (source.audio(name), source.jams(name)):
                if not path.is_file():
                    raise CremaError(
                        f"{path}: no such copy; delete {record} and run setup again"
                    )
            data = transform(source.audio(name), source.jams(name), operators)
            hdf5.write(feature_dir / f"{name}.h5", data, attributes)
        hdf5.write(feature_dir / f"{track_id}.h5", original, attributes)


def transform(audio, annotation, operators):
    """Run a pump over one pair of files.

    Parameters
    ----------
    audio, annotation : path-like
        Paths of the pair.
    operators : pumpp.Pump
        Each of its tasks must find an annotation.

    Returns
    -------
    dict of np.ndarray
        Pump fields, cropped to their common duration.

    Raises
    ------
    AudioError, AnnotationError
        A file cannot be read, the audio is shorter than a frame, a task finds no
        annotation, or a label does not parse.
    """
    from crema.compiled import pumpp

    y, sample_rate = audiofile.read(audio)
    jam = read_annotations(annotation, operators)
    jam.file_metadata.duration = len(y) / sample_rate
    data = {}
    for operator in operators.ops:
        if not isinstance(operator, pumpp.task.BaseTaskTransformer):
            data.update(operator.transform(y, sample_rate))
            continue
        try:
            data.update(operator.transform(jam))
        except Exception as error:  # each task's parser raises its own
            reason = str(error).partition("\n")[0]
            raise AnnotationError(
                f"{annotation}: a label cannot be used ({reason}); correct it or leave "
                "the track out of the index"
            ) from error
    data = operators.crop(data)
    if not operators.data_duration(data):
        raise AudioError(
            f"{audio}: is shorter than one frame; leave it out of the index"
        )
    return data


def read_annotations(path, operators):
    """Read the annotations of a track; each task must find one.

    pumpp would encode a track without annotation as one in which nothing happens.

    Parameters
    ----------
    path : path-like
        The JAMS file.
    operators : pumpp.Pump
        The tasks.

    Returns
    -------
    jams.JAMS
        Without empty annotations.

    Raises
    ------
    AnnotationError
        The file cannot be read, or lacks an annotation for a task.
    """
    import jams

    from crema.compiled import pumpp

    jam = jamsfile.read(path)
    # An empty annotation says nothing; pumpp would encode it as silence.
    jam.annotations = jams.AnnotationArray([a for a in jam.annotations if a.data])
    for operator in operators.ops:
        if not isinstance(operator, pumpp.task.BaseTaskTransformer):
            continue
        if not jamsfile.usable(jam, operator.namespace):
            others = sorted({annotation.namespace for annotation in jam.annotations})
            only = f", only {', '.join(others)}" if others else ""
            raise AnnotationError(
                f"{path}: has no {operator.namespace} annotation{only}; add one or "
                "leave the track out of the index"
            )
    return jam
