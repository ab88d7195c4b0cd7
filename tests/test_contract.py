"""The contract of training/README.md, for every estimator."""

import ast
import functools
import json
import re
import subprocess
import sys

import numpy
import pandas
import pytest
import yaml
from conftest import ROOT, TEST, TRAIN, estimators, run_main, snakemake
from snakemake.utils import validate

from crema import models, pump
from crema.models.base import Estimator
from crema.utils import audiofile, disk, hdf5, index, jamsfile

TRAINING = ROOT / "training"
SHARED = ROOT / "config" / "schemas" / "config.schema.yaml"
ESTIMATORS = estimators()
STAGES = {
    "setup": "00-setup.py",
    "prepare": "01-prepare.py",
    "train": "02-train.py",
    "evaluate": "03-evaluate.py",
}
FILES = [
    "requirements.txt",
    "index_train.json",
    "index_test.json",
    "README.md",
    "config.schema.yaml",
    *STAGES.values(),
]


def test_there_are_estimators():
    assert ESTIMATORS


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    return request.param


@pytest.fixture(params=STAGES)
def stage(request):
    return request.param


@functools.cache
def help_of(estimator, stage):
    done = subprocess.run(
        [sys.executable, TRAINING / estimator / STAGES[stage], "--help"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "100"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_there(estimator, name):
    assert (TRAINING / estimator / name).stat().st_size


def test_every_script_explains_itself(estimator, stage):
    text = help_of(estimator, stage)
    assert f"python training/{estimator}/{STAGES[stage]}" in text
    assert "--seed" in text


def sections(estimator):
    """Return the schema of the settings of each stage."""
    schema = yaml.safe_load((TRAINING / estimator / "config.schema.yaml").read_text())
    shared = yaml.safe_load(SHARED.read_text())["$defs"]
    for section in schema["properties"].values():
        if "$ref" in section:
            section |= shared[section["$ref"].rpartition("/")[2]]
    return schema["properties"]


def test_config_keys_are_script_options_with_the_same_defaults(estimator, stage):
    text = help_of(estimator, stage)
    section = sections(estimator)[stage]
    assert section["additionalProperties"] is False
    for key, value in section.get("properties", {}).items():
        name = key.replace("_", "-")
        option = rf"^  --{name} .*?\(default: (.*?)\)"
        found = re.search(option, text, re.S | re.M)
        assert found, f"{key} is no option of {STAGES[stage]}"
        shown = " ".join(found[1].split())
        assert shown == str(value["default"]), key


def test_every_config_key_stands_commented_in_the_config(estimator):
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for stage, section in sections(estimator).items():
        assert set(config[estimator][stage]) == set(section.get("properties", {}))


def test_config_defaults_are_filled_in(estimator):
    settings = {}
    validate(settings, str(TRAINING / estimator / "config.schema.yaml"))
    for stage, section in sections(estimator).items():
        assert set(settings[stage]) == set(section.get("properties", {}))


def test_a_script_is_short_and_has_a_main(estimator, stage):
    source = (TRAINING / estimator / STAGES[stage]).read_text()
    tree = ast.parse(source)
    (main,) = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    ]
    assert [argument.arg for argument in main.args.args] == ["argv"]
    assert len(source.splitlines()) <= 170


def test_indexes_parse_and_do_not_meet(estimator):
    directory = TRAINING / estimator
    paths = [directory / f"index_{split}.json" for split in ("train", "test")]
    splits = [index.read_index(path) for path in paths]
    index.check_splits(*splits)
    for path, split in zip(paths, splits, strict=True):
        assert list(pandas.read_json(path)["track_id"].astype(str)) == list(split)
        assert json.loads(path.read_text())


def test_requirements_are_for_training_only(estimator):
    """Inference imports no package of requirements.txt."""
    lines = (TRAINING / estimator / "requirements.txt").read_text().splitlines()
    names = [
        re.split(r"[<>=~! ]", line)[0].lower().replace("-", "_")
        for line in lines
        if line and not line.startswith("#")
    ]
    assert "muda" in names and "pescador" in names
    code = (
        f"import sys; blocked = {names!r}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0].lower() in blocked:\n"
        "            raise ImportError(f'{name} is needed to predict')\n"
        "sys.meta_path.insert(0, Block())\n"
        f"import crema.analyze, crema.models.base, crema.models.{estimator}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_module_loads_the_model(estimator):
    assert models.estimator(estimator).__doc__


def test_no_shared_code_names_an_estimator(estimator):
    shared = [ROOT / "Snakefile", *ROOT.glob("rules/*"), *ROOT.glob("crema/utils/*.py")]
    for path in shared:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("#")[0]
            names = re.findall(rf"training/{estimator}|[\"']{estimator}[\"']", code)
            assert not names, f"{path}:{number}"


# --- a small build of each, by the workflow -------------------------------------------


@pytest.fixture
def resources(built, estimator):
    return built / "training" / estimator / "resources"


def tracks_of(built, split):
    records = disk.read_json(built / "corpora" / "tiny" / f"index_{split}.json")
    return [record["track_id"] for record in records]


def test_a_second_run_has_nothing_to_do(built, estimator):
    target = f"training/{estimator}/resources/test_data.json"
    done = snakemake(built, "-n", target=target)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_version_counts_trainings_at_a_revision(built, resources):
    head = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"],
        cwd=built,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert (resources / "version.txt").read_text() == f"{head}.0\n"


def test_features_are_found_from_the_index_alone(built, estimator):
    work = built / "work" / estimator
    tracks = tracks_of(built, "train")
    assert len(tracks) == TRAIN
    names = {f"{track}{copy}" for track in tracks for copy in ("", ".0")}
    assert {path.name for path in (work / "features").iterdir()} == {
        f"{name}.h5" for name in names
    }
    for track in tracks:
        for ext in ("flac", "jams"):
            assert (work / "augmented" / f"{track}.0.{ext}").stat().st_size


def test_copies_are_as_long_as_their_annotation_says(built, estimator):
    for path in (built / "work" / estimator / "augmented").glob("*.jams"):
        jam = jamsfile.read(path)
        y, sample_rate = audiofile.read(path.with_suffix(".flac"))
        assert jam.file_metadata.duration == pytest.approx(len(y) / sample_rate)
        assert jam.sandbox.muda["history"]


def test_inputs_and_the_first_output_are_pump_fields(resources):
    model = models.load(resources)
    assert isinstance(model, Estimator)
    fields = pump.load(resources / "pump.pkl").fields
    assert {*model.inputs, model.output_names[0]} <= set(fields)
    assert model.output_names[0] in model.task.fields


def test_scores_are_finite_and_complete(built, resources):
    result = json.loads((resources / "test_data.json").read_text())
    tracks = tracks_of(built, "test")
    assert [row["track_id"] for row in result["tracks"]] == tracks
    assert len(tracks) == TEST and result["summary"]
    assert 0 <= result["calibration"]["error"] <= 1
    for kind in ("model", "baseline"):
        rows = result["confusion"][kind]
        n_labels = len(result["confusion"]["labels"])
        assert [len(row) for row in rows] == [n_labels] * n_labels
        weights = [weight for row in rows for weight in row]
        assert min(weights) >= 0 and sum(weights) > 0
    assert result["origin"]["model"] == models.load(resources).origin
    assert result["version"] == (resources / "version.txt").read_text().strip()
    for row in result["tracks"]:
        assert row["status"] == "ok", row["reason"]
        for scores in (row["scores"], row["baseline"]):
            assert set(scores) == set(row["scores"])
            for name, value in scores.items():
                low = -1 if name.endswith("_seconds") else 0
                assert value is None or low <= value <= 1, name
        assert (resources / "estimates" / f"{row['track_id']}.jams").is_file()
    table = pandas.read_csv(resources / "test_data.csv")
    assert list(table["track_id"]) == tracks


def test_figures_are_drawn(resources):
    for name in ("curves.svg", "scores.svg", "confusion.svg", "runtimes.svg"):
        assert (resources / name).read_text().startswith("<?xml")
    assert (resources / "tracks.html").read_text().startswith("<!DOCTYPE html>")


def test_the_estimate_is_what_the_program_writes(built, resources):
    """End to end: evaluation and the program crema agree on a test track."""
    from crema.analyze import analyze

    (track,) = tracks_of(built, "test")
    audio = built / "corpora" / "tiny" / f"{track}.flac"
    jam = analyze(filename=audio, model=resources)
    kept = jamsfile.read(resources / "estimates" / f"{track}.jams")
    assert len(jam.annotations) == len(kept.annotations) - 1
    for ours, theirs in zip(jam.annotations, kept.annotations, strict=False):
        assert ours.namespace == theirs.namespace
        assert [(o.time, o.value) for o in ours] == [(o.time, o.value) for o in theirs]


def test_the_same_seed_gives_the_same_features(built, estimator, tmp_path):
    """Run by hand, on explicit paths, from the same copies."""
    work = built / "work" / estimator
    track = tracks_of(built, "train")[0]
    run_main(
        TRAINING / estimator / "01-prepare.py",
        *("--corpus", built / "corpora" / "tiny", "--track", track),
        *("--augmented-dir", work / "augmented", "--feature-dir", tmp_path),
        *("--pump", built / "training" / estimator / "resources" / "pump.pkl"),
    )
    for name in (f"{track}.h5", f"{track}.0.h5"):
        with (
            hdf5.opened(tmp_path / name) as found,
            hdf5.opened(work / "features" / name) as expected,
        ):
            assert set(found) == set(expected)
            for field in found:
                assert (found[field][:] == expected[field][:]).all()


def test_any_audio_gets_an_answer(resources):
    """Silence, and a clip shorter than a frame."""
    from crema.analyze import analyze

    model = models.load(resources)
    for name, posteriors in model.outputs(y=numpy.zeros(22050), sr=22050).items():
        assert len(model.classes[name]) == posteriors.shape[-1]
    for samples in (2, 22050 * 3):
        jam = analyze(y=numpy.zeros(samples), sr=22050, model=model)
        assert jam.validate(strict=True) and len(jam.annotations)


def test_one_jams_holds_the_annotations_of_all(built, tmp_path):
    from crema import analyze, program

    (track,) = tracks_of(built, "test")
    audio = built / "corpora" / "tiny" / f"{track}.flac"
    options = ["-o", str(tmp_path / "all.jams"), "--model", str(built / "training")]
    assert program.main([str(audio), *options]) == 0
    jam = jamsfile.read(tmp_path / "all.jams")
    loaded = analyze.load_models(built / "training")
    names = estimators(built)
    assert [model.name for model in loaded] == names
    namespaces = {model.task.namespace for model in loaded}
    assert {annotation.namespace for annotation in jam.annotations} == namespaces
    for annotation in jam.annotations:
        assert annotation.duration == pytest.approx(jam.file_metadata.duration)
    for task, model in zip(names, loaded, strict=True):
        (one,) = analyze.load_models(built / "training", [task])
        assert one.name == task
        jam = analyze.analyze(filename=audio, model=loaded, tasks=[task])
        found = {annotation.namespace for annotation in jam.annotations}
        assert found == {model.task.namespace}
    with pytest.raises(models.ModelError, match="no model for the task 'melody'"):
        analyze.load_models(built / "training", ["melody"])
