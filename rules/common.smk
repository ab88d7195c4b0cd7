"""Settings, their validation, and input functions; no rules.

An estimator is a directory of training/ that holds the four numbered scripts.
"""

import functools
import itertools
import json
import math
import os
import pathlib
import shlex
import sys
import time

from jsonschema import ValidationError
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

min_version("9.19")

# Jobs run with the Python of Snakemake, unless a conda environment precedes it on the
# path, and import the crema of this checkout.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()]),
    PYTHONPATH=str(workflow.basedir),
)
sys.path.insert(0, str(workflow.basedir))

from crema import models
from crema.exceptions import CremaError
from crema.utils import index, stages

KNOWN = sorted(
    script.parent.name for script in pathlib.Path("training").glob("*/00-setup.py")
)


def check_config(section, settings, schema):
    """Validate a section and fill in its defaults; report a violation in one line."""
    try:
        # Filling in defaults fails if a section is not a mapping, so validate first.
        validate(settings, schema, set_default=False)
    except WorkflowError as error:
        # Its message contains the whole schema; its context is the violation.
        cause = error.__context__
        if not isinstance(cause, ValidationError):
            raise
        where = ".".join(map(str, [*section, *cause.absolute_path]))
        known = cause.schema.get("properties", {})
        if cause.validator == "additionalProperties":
            unknown = next(key for key in cause.instance if key not in known)
            reason = f"unknown key {unknown!r}; known: {', '.join(known) or 'none'}"
        elif cause.instance is None:
            reason = "is empty; give it a value or leave it out"
        elif "description" in cause.schema and cause.absolute_path:
            reason = f"{cause.instance!r} is not {cause.schema['description']}"
        elif cause.schema.get("type") in ("number", "integer") and is_number(
            cause.instance
        ):
            reason = (
                f"{cause.instance!r} is a string in YAML; write {float(cause.instance)}"
            )
        else:
            reason = cause.message
        raise WorkflowError(": ".join(filter(None, ["config", where, reason])))
    validate(settings, schema)


def is_number(text):
    """Return whether `text` is a number that YAML reads as text, such as 1e-4."""
    try:
        return isinstance(text, str) and math.isfinite(float(text))
    except ValueError:
        return False


# First, because the schema takes every unknown key for an estimator's section.
SETTINGS = {"corpus", "index", "work", "gpu", "estimators"}
for unknown in set(config) - SETTINGS - set(KNOWN):
    raise WorkflowError(
        f"config: {unknown!r} is neither a setting nor an estimator under training/ "
        f"({', '.join(KNOWN)})"
    )
check_config([], config, "../config/schemas/config.schema.yaml")
for unknown in set(config["estimators"]) - set(KNOWN):
    raise WorkflowError(
        f"config: estimators: {unknown!r} is not under training/ ({', '.join(KNOWN)})"
    )
ESTIMATORS = sorted(set(config["estimators"])) or KNOWN
for estimator in ESTIMATORS:
    check_config(
        [estimator],
        config.setdefault(estimator, {}),
        f"../training/{estimator}/config.schema.yaml",
    )


def at_home(settings, *keys):
    """Expand ~ in paths, as a shell would."""
    for key in keys:
        value = settings.get(key)
        if isinstance(value, str):
            settings[key] = os.path.expanduser(value)
        elif value:
            settings[key] = list(map(os.path.expanduser, value))


at_home(config, "work")
at_home(config["corpus"], "directory")
at_home(config["index"], "train", "test")
for estimator in ESTIMATORS:
    at_home(config[estimator]["train"], "initial")
    at_home(config[estimator]["evaluate"], "beside")

DEMO = "corpora/demo"
if os.path.abspath(config["corpus"]["directory"]) == os.path.abspath(DEMO):
    config["corpus"]["directory"] = DEMO  # as in the outputs of rule demo_corpus
CORPUS = index.Corpus(**config["corpus"])
RECORD = f"{config['work']}/{{estimator}}/augmented/{{track}}.json"
FAILED, TRAINING = "training/{estimator}/resources/.failed", ".training"
FEATURES = f"{config['work']}/{{estimator}}/features/{{track}}.h5"


wildcard_constraints:
    estimator="|".join(ESTIMATORS),
    track="[^./]+",


LEAVE_OUT = config["index"]["leave_out"]


def index_file(split):
    """Return the index file of a split, with the wildcard estimator."""
    return config["index"][split]


def index_of(estimator, split):
    """Return the index file of a split of one estimator."""
    return index_file(split).format(estimator=estimator)


@functools.cache
def read_index(path):
    """Return the tracks of an index file."""
    return index.read_index(path, LEAVE_OUT)


def tracks(estimator, split):
    """Return the tracks of a split."""
    return read_index(index_of(estimator, split))


def check_indexes():
    """Check the indexes of all estimators, and that the corpus has their tracks."""
    files = [
        tuple(index_of(estimator, split) for split in ("train", "test"))
        for estimator in ESTIMATORS
    ]
    # Check files that estimators share only once.
    for names in dict.fromkeys(files):
        train, test = map(read_index, names)
        index.check_splits(train, test, names)
        # A rule makes the demo corpus, which need not exist yet.
        if str(CORPUS.directory) != DEMO:
            CORPUS.check([*train, *test])
    for estimator, (name, _) in zip(ESTIMATORS, files):
        fraction = config[estimator]["train"]["validation_fraction"]
        index.n_held_out(read_index(name), fraction, name)
    if LEAVE_OUT:
        names = set(itertools.chain(*files))
        listed = {track for name in names for track in index.read_index(name)}
        for unknown in sorted(set(LEAVE_OUT) - listed):
            raise WorkflowError(f"config: index: leave_out: {unknown!r} is in no index")


def model_in(path):
    """Return the estimator of the model in a directory, or None, and its version file.

    The resources of an estimator, which need not hold a model yet, get the path that
    the rule train declares, however `path` spells it.
    """
    for name in ESTIMATORS:
        own = f"training/{name}/resources"
        if os.path.realpath(path) == os.path.realpath(own):
            return name, f"{own}/version.txt"
    settings, version = (
        os.path.join(path, f) for f in ("settings.json", "version.txt")
    )
    there = os.path.isfile(settings) and os.path.isfile(version)
    return models.name_of(settings) if there else None, version


def check_models():
    """Check that the models of initial: and beside: exist."""
    for estimator in ESTIMATORS:
        own = os.path.realpath(f"training/{estimator}/resources")
        for path in config[estimator]["train"].get("initial", []):
            where = f"config: {estimator}: train: initial: {path}"
            if not os.path.isfile(path):
                raise WorkflowError(f"{where}: no such file")
            if os.path.dirname(os.path.realpath(path)) == own:
                raise WorkflowError(
                    f"{where}: training would overwrite it; name a copy elsewhere"
                )
        for path in config[estimator]["evaluate"].get("beside", []):
            where = f"config: {estimator}: evaluate: beside: {path}"
            name, _ = model_in(path)
            if name is None:
                raise WorkflowError(f"{where}: contains no trained model")
            if name == estimator:
                raise WorkflowError(
                    f"{where}: is the estimator itself; name models of others"
                )


# A job on a cluster parses these rules in a process of its own.  The process that
# submitted it has made these checks, so the job reads an index, which can have 100,000
# tracks, only if it needs one.
PLANS = workflow.is_main_process
if PLANS:
    try:
        check_indexes()
        check_models()
    except CremaError as error:
        raise WorkflowError(str(error))


def pair(wildcards):
    """Return audio and annotation of one training track."""
    if PLANS and wildcards.track not in tracks(wildcards.estimator, "train"):
        raise WorkflowError(
            f"track {wildcards.track!r} is not in "
            f"{index_of(wildcards.estimator, 'train')}"
        )
    return [CORPUS.audio(wildcards.track), CORPUS.jams(wildcards.track)]


def test_pairs(wildcards):
    """Return audio and annotations of all test tracks."""
    names = tracks(wildcards.estimator, "test")
    return [path for t in names for path in (CORPUS.audio(t), CORPUS.jams(t))]


def training_features(wildcards):
    """Return the features of all training tracks, which are beside those of the copies."""
    names = tracks(wildcards.estimator, "train")
    return [FEATURES.format(estimator=wildcards.estimator, track=t) for t in names]


def code(stage):
    """Return a function that lists the code of a stage.

    Setup and prepare, with a job for each track, take the patterns themselves, whose
    files all exist: a function would cost memory.
    """
    return lambda wildcards: stages.files(stage, wildcards.estimator)


def initial(wildcards):
    """Return the models from which a training starts, if any."""
    return config[wildcards.estimator]["train"].get("initial", [])


def beside(wildcards):
    """Return the versions and the code of the companion models of an evaluation."""
    paths = []
    for path in config[wildcards.estimator]["evaluate"].get("beside", []):
        name, version = model_in(path)
        paths += [version, *stages.files("evaluate", name)]
    return paths


def failures(wildcards):
    """Return the marks of failed jobs, as inputs of the training.

    Snakemake forgets that a failed job is due if later results exist from before.
    summary.smk writes the marks.
    """
    marks = pathlib.Path(FAILED.format(estimator=wildcards.estimator))
    found = {path.stem: path for path in marks.glob("*")}
    names = [name for name in tracks(wildcards.estimator, "train") if name in found]
    return [str(found[name]) for name in [*names, *{TRAINING}.intersection(found)]]


def features_directory(wildcards):
    """Return the directory of the features of all training tracks."""
    return os.path.dirname(FEATURES).format(estimator=wildcards.estimator)


def options(stage):
    """Return a function that formats the settings of one stage as options."""

    def format_options(wildcards):
        words = []
        # Sorted, so that their order in the configuration does not matter.
        for key, value in sorted(config[wildcards.estimator][stage].items()):
            if value is None:
                continue
            words.append(f"--{key.replace('_', '-')}")
            words += map(as_text, value if isinstance(value, list) else [value])
        return shlex.join(words)

    return format_options


def as_text(value):
    """Format a setting as an option, the same for 1.0 as for 1."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def leave_out(*splits):
    """Return a function that formats the option to leave out tracks of some splits."""

    def format_option(wildcards):
        if not LEAVE_OUT:
            return ""
        listed = {
            track
            for split in splits
            for track in index.read_index(index_of(wildcards.estimator, split))
        }
        names = [track for track in LEAVE_OUT if track in listed]
        return shlex.join(["--leave-out", *names]) if names else ""

    return format_option


def more(amount):
    """Return a resource that grows with each attempt of a job."""
    return lambda wildcards, attempt: amount * attempt


def copy_format(wildcards):
    """Return the audio format of the augmented copies."""
    return config[wildcards.estimator]["setup"]["format"]


CORPUS_OPTIONS = (
    f"--corpus {shlex.quote(str(CORPUS.directory))} --audio-ext {CORPUS.audio_ext}"
    f" --jams-ext {CORPUS.jams_ext}"
)
