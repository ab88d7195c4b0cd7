"""The contract of training/README.md, for every estimator there is."""

import ast
import functools
import json
import pathlib
import re
import subprocess
import sys

import pandas
import pytest
import yaml

from crema import models
from crema.utils import index

ROOT = pathlib.Path(__file__).parents[1]
TRAINING = ROOT / "training"
ESTIMATORS = sorted(path.parent.name for path in TRAINING.glob("*/00-setup.py"))
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


def test_config_keys_are_script_options_with_the_same_defaults(estimator, stage):
    text = help_of(estimator, stage)
    schema = yaml.safe_load((TRAINING / estimator / "config.schema.yaml").read_text())
    section = schema["properties"][stage]
    assert section["additionalProperties"] is False
    for key, value in section.get("properties", {}).items():
        name = key.replace("_", "-")
        option = rf"^  --{name} .*?\(default: (.*?)\)"
        found = re.search(option, text, re.S | re.M)
        assert found, f"{key} is no option of {STAGES[stage]}"
        shown = " ".join(found[1].split())
        assert shown == str(value["default"]), key


def test_every_config_key_stands_commented_in_the_config(estimator):
    schema = yaml.safe_load((TRAINING / estimator / "config.schema.yaml").read_text())
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for stage, section in schema["properties"].items():
        assert set(config[estimator][stage]) == set(section.get("properties", {}))


def test_a_script_is_short_and_has_a_main(estimator, stage):
    source = (TRAINING / estimator / STAGES[stage]).read_text()
    tree = ast.parse(source)
    (main,) = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    ]
    assert [argument.arg for argument in main.args.args] == ["argv"]
    assert len(source.splitlines()) <= 150


def test_indexes_parse_and_do_not_meet(estimator):
    directory = TRAINING / estimator
    paths = [directory / f"index_{split}.json" for split in ("train", "test")]
    splits = [index.read_index(path) for path in paths]
    index.check_splits(*splits)
    for path, split in zip(paths, splits, strict=True):
        assert list(pandas.read_json(path)["track_id"].astype(str)) == list(split)
        assert json.loads(path.read_text())


def test_requirements_are_for_training_only(estimator):
    """What requirements.txt names is imported by no module that prediction imports."""
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
