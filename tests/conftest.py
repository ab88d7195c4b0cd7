"""Shared fixtures: a tiny corpus, its features and a model, and running scripts.

The corpus is synthetic: each chord is the sum of its tones, so that the annotations are
true.
"""

import functools
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import jams
import mir_eval
import numpy as np
import pytest
import yaml

from crema.compiled import librosa  # noqa: F401 -- before any test imports it
from crema.utils import audiofile, index, jamsfile

#: As crema does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

ROOT = pathlib.Path(__file__).parents[1]
CHORD = ROOT / "training" / "chord"
SAMPLE_RATE = 22050

#: Chords and group of each track of the corpus.  A chord lasts 2.5 s, so that there are
#: beats after the fifth second, where mir_eval begins to score.
SONGS = {
    "axis_1": (["C:maj", "G:maj", "A:min", "F:maj"], "axis"),
    "axis_2": (["Eb:maj", "Bb:maj"], "axis"),
    "blues_1": (["A:7", "D:7", "N"], "blues"),
    "jazz_1": (["D:min7", "G:7", "C:maj7"], "jazz"),
    "jazz_2": (["F#:hdim7", "B:7", "E:min/b3"], "jazz"),
    "folk_1": (["G:maj", "C:maj/5", "D:sus4"], "folk"),
}
SONG_CHORD_SECONDS = 2.5
CHORD_SECONDS = 1.5


#: Files whose tests take minutes.
LONG = ("test_contract", "test_train", "test_workflow", "test_template")


def pytest_collection_modifyitems(items):
    """Run long tests first, because at the end they would keep a single core busy."""
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_runtest_setup(item):
    """Skip what needs a build of an estimator that cannot be built here."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if "built" in item.fixturenames and "estimator" in params:
        reason = unlabelled(params["estimator"])
        if reason:
            pytest.skip(reason)


def synthesise(labels, sample_rate=SAMPLE_RATE, seconds=CHORD_SECONDS):
    """Return the tones of each chord from C3 up, each chord `seconds` long."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    parts = []
    for label in labels:
        root, tones, _ = mir_eval.chord.encode(label)
        pitches = 48 + (root + np.flatnonzero(tones)) if root >= 0 else []
        frequencies = [mir_eval.util.midi_to_hz(pitch) for pitch in pitches]
        waves = [0.15 * np.sin(2 * np.pi * f * t) for f in frequencies]
        parts.append(np.sum(waves, axis=0) if waves else np.zeros_like(t))
    return np.concatenate(parts).astype(np.float32)


def annotate(labels, seconds=CHORD_SECONDS):
    """Return JAMS with the chords, a beat each half second, and the key."""
    duration = seconds * len(labels)
    jam = jams.JAMS()
    jam.file_metadata.duration = duration
    chord = jams.Annotation("chord", time=0, duration=duration)
    for number, label in enumerate(labels):
        chord.append(number * seconds, seconds, label, 1.0)
    beat = jams.Annotation("beat", time=0, duration=duration)
    for number in range(int(2 * duration)):
        beat.append(number / 2, 0, number % 4 + 1, None)
    key = jams.Annotation("key_mode", time=0, duration=duration)
    key.append(0, duration, "C:major", 1.0)
    jam.annotations.extend([chord, beat, key])
    return jam


def write_pair(directory, track_id, labels=("C:maj", "G:7"), ext="flac", **kwargs):
    """Write a synthetic track, audio and annotation, into `directory`."""
    audiofile.write(
        directory / f"{track_id}.{ext}", synthesise(labels, **kwargs), SAMPLE_RATE
    )
    jamsfile.write(directory / f"{track_id}.jams", annotate(labels, **kwargs))


def load_script(path):
    """Import a numbered script, whose name is not a valid module name."""
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_main(path, *args):
    """Run the ``main`` of a numbered script in this process."""
    return load_script(path).main([str(argument) for argument in args])


def run_script(path, *args, **kwargs):
    """Run a script, or the arguments after ``-m`` or ``-c``, in a process of its own.

    Returns
    -------
    subprocess.CompletedProcess
        With its standard output and error as text.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **kwargs.pop("env", {})}
    return subprocess.run(
        [sys.executable, *map(str, (path, *args))],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        **kwargs,
    )


def modules_of(code):
    """Run code in a process of its own.

    Returns
    -------
    set of str
        The heavy modules that it loaded, of those that inference does not need.
    subprocess.CompletedProcess
        The process, which succeeded.
    """
    heavy = ("keras", "onnx", "tensorflow")
    tell = f"\nimport sys; print(*[m for m in {heavy} if m in sys.modules])"
    done = run_script("-c", code + tell)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split()), done


@pytest.fixture(name="run_script", scope="session")
def run_script_fixture():
    return run_script


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The directory of the corpus, which holds only audio and annotations."""
    directory = tmp_path_factory.mktemp("corpus")
    for track_id, (labels, _) in SONGS.items():
        write_pair(directory, track_id, labels, seconds=SONG_CHORD_SECONDS)
    return directory


@pytest.fixture(scope="session")
def prepared(corpus, tmp_path_factory):
    """Directory of ``index.json``, ``augmented/``, ``features/`` and ``pump.pkl``.

    Each track has two copies, a semitone down and two up.
    """
    directory = tmp_path_factory.mktemp("prepared")
    index.write_index(
        directory / "index.json",
        [{"track_id": name, "group": group} for name, (_, group) in SONGS.items()],
    )
    common = ["--corpus", corpus, "--index", directory / "index.json"]
    augmented = directory / "augmented"
    run_main(
        CHORD / "00-setup.py", *common, "--output-dir", augmented, "--semitones", -1, 2
    )
    run_main(
        CHORD / "01-prepare.py",
        *common,
        *("--augmented-dir", augmented),
        *("--feature-dir", directory / "features"),
        *("--pump", directory / "pump.pkl"),
    )
    return directory


@pytest.fixture(scope="session")
def trained(prepared, tmp_path_factory):
    """The resources of a chord model that was trained on two batches."""
    resources = tmp_path_factory.mktemp("trained") / "resources"
    run_main(
        CHORD / "02-train.py",
        *("--index", prepared / "index.json"),
        *("--feature-dir", prepared / "features"),
        *("--pump", prepared / "pump.pkl"),
        *("--resources", resources),
        *("--epochs", 1, "--steps-per-epoch", 2, "--batch-size", 4),
        *("--patch-duration", 2, "--validation-fraction", 0.3),
        *("--local-filters", 2, "--channels", 4, "--recurrent-units", 4),
    )
    shutil.copy(prepared / "pump.pkl", resources)
    return resources


#: Number of training and test tracks of the workflow in :func:`fresh`.
TRAIN, TEST = 3, 1


def settings(directory):
    """Return settings, as YAML, that make the workflow of a checkout quick."""
    overlay = {
        "corpus": {"directory": "corpora/tiny"},
        "index": {
            split: f"corpora/tiny/index_{split}.json" for split in ("train", "test")
        },
    }
    for estimator in estimators(directory):
        path = directory / "training" / estimator / "config.schema.yaml"
        options = yaml.safe_load(path.read_text())["properties"]["setup"]["properties"]
        overlay[estimator] = {
            # Only one copy, for options that list one value per copy.
            "setup": {
                key: option["default"][-1:]
                for key, option in options.items()
                if option.get("type") == "array"
            },
            "train": {
                "validation_fraction": 0.3,
                "epochs": 1,
                "steps_per_epoch": 1,
                "batch_size": 2,
                "patch_duration": 1.0,
            },
        }
    return "# Settings of the tests.\n" + yaml.safe_dump(overlay, sort_keys=False)


def estimators(directory=ROOT):
    """Return the names of all estimators."""
    found = (directory / "training").glob("*/00-setup.py")
    return sorted(path.parent.name for path in found)


@functools.cache
def unlabelled(estimator):
    """Return why the tiny corpus cannot train an estimator; None if it can."""
    from crema import pump
    from crema.compiled import pumpp

    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "pump.pkl")
        script = ROOT / "training" / estimator / "01-prepare.py"
        run_main(script, "--pump", path, "--pump-only")
        operators = pump.load(path).ops
    annotations = annotate(["N"]).annotations
    for operator in operators:
        if isinstance(operator, pumpp.task.BaseTaskTransformer) and not any(
            jams.nsconvert.can_convert(annotation, operator.namespace)
            for annotation in annotations
        ):
            return f"the tiny corpus has no {operator.namespace} annotations"
    return None


def remove_estimator(directory, name):
    """Remove an estimator from a checkout, so that its workflow does without."""
    shutil.rmtree(directory / "training" / name)
    path = directory / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config.pop(name, None)
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def snakemake(directory, *options, target, **kwargs):
    """Run Snakemake in a checkout with the settings of :func:`fresh`."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options]
    command += ["--configfile", "config/config.yaml", "config/tiny.yaml", "--"]
    command += [target] if isinstance(target, str) else target
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=900, **kwargs
    )


def git(directory, *words):
    """Run git in a checkout, with a dummy user."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *words], cwd=directory, check=True)


@pytest.fixture(scope="session")
def fresh(corpus, tmp_path_factory):
    """Return a function that makes a checkout with a tiny corpus in it.

    Estimators whose labels the corpus lacks are left out.
    """

    def make():
        directory = tmp_path_factory.mktemp("checkout")
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, directory / name)
        for name in filter(unlabelled, estimators(directory)):
            remove_estimator(directory, name)
        (directory / "config" / "tiny.yaml").write_text(settings(directory))
        tiny = directory / "corpora" / "tiny"
        shutil.copytree(corpus, tiny)
        tracks = sorted(path.stem for path in tiny.glob("*.flac"))
        splits = {"train": tracks[:TRAIN], "test": tracks[TRAIN : TRAIN + TEST]}
        for split, names in splits.items():
            records = [{"track_id": name, "group": name} for name in names]
            (tiny / f"index_{split}.json").write_text(json.dumps(records))
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            git(directory, *command)
        return directory

    return make


@pytest.fixture(scope="session")
def built(fresh):
    """A checkout in which the workflow has made all estimators and figures once."""
    directory = fresh()
    done = snakemake(directory, target="all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return directory


def assert_same_features(a, b):
    """Compare the features of two checkouts bit for bit."""
    names = sorted(path.name for path in (a / "work/chord/features").glob("*.h5"))
    assert len(names) >= TRAIN
    assert names == sorted(p.name for p in (b / "work/chord/features").glob("*.h5"))
    for name in names:
        with (
            h5py.File(a / "work/chord/features" / name) as left,
            h5py.File(b / "work/chord/features" / name) as right,
        ):
            fields = []
            left.visit(fields.append)
            assert fields
            for field in fields:
                if isinstance(left[field], h5py.Dataset):
                    np.testing.assert_array_equal(left[field][:], right[field][:])


def build_network(estimator, monkeypatch):
    """Return the pump of an estimator and its network, with random weights.

    Batch normalisation and biases are random too; by default they have no effect.
    """
    from crema import backend
    from crema.utils import prepare, train

    backend.keras()
    made = {}

    def run_prepare(args, build):
        made["pump"] = build(args)

    def run_train(args, name, network, *rest, **kwargs):
        made["model"] = network(made["pump"], args)[0]

    monkeypatch.setattr(prepare, "run", run_prepare)
    monkeypatch.setattr(train, "run", run_train)
    files = ["--index", "x", "--feature-dir", "x", "--pump", "x"]
    scripts = ROOT / "training" / estimator
    corpus = ["--corpus", "x", "--augmented-dir", "x"]
    run_main(scripts / "01-prepare.py", *files, *corpus)
    run_main(scripts / "02-train.py", *files, "--resources", "x")
    return made["pump"], randomise(made["model"])


def randomise(model, seed=0):
    """Set all weights of a Keras model at random; return the model."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        weights = np.asarray(variable)
        if weights.dtype.kind != "f":  # the state of a random number generator
            continue
        if "variance" in variable.path:
            weights = rng.uniform(0.5, 2, weights.shape)
        elif not variable.path.endswith("kernel"):
            weights = weights + rng.normal(0, 0.1, weights.shape)
        variable.assign(weights)
    return model


def one_line(error, path):
    """Return the message of an error, which must be one line and name the file."""
    text = str(error.value)
    assert "\n" not in text and str(path) in text
    return text
