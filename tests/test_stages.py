"""The code of each stage: shared modules, and the estimator's own."""

import argparse

import pytest
from conftest import ROOT, estimators, run_script

from crema import backend
from crema.utils import hashes, stages, train

keras = backend.keras()


@pytest.mark.parametrize("stage", stages.CODE)
def test_all_shared_modules_exist(stage):
    shared = {path for path in stages.CODE[stage] if "{estimator}" not in path}
    for estimator in estimators():
        assert shared <= set(stages.files(stage, estimator))


def test_the_modules_of_an_estimator_are_its_own():
    own = {"crema/models/beat.py", "crema/models/beat_pulse.py", "crema/tasks/beat.py"}
    assert own <= set(stages.files("evaluate", "beat"))
    assert own.isdisjoint(stages.files("evaluate", "chord"))
    assert "crema/layers/beat.py" in stages.files("train", "beat")
    assert "crema/layers/key.py" not in stages.files("train", "key")


def test_paths_are_relative_to_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages.files.cache_clear()
    for path in stages.files("evaluate", "chord"):
        assert (ROOT / path).is_file()


def test_it_imports_only_the_standard_library():
    code = "import sys; import crema.utils.stages\n"
    done = run_script("-c", code + "print('numpy' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_the_code_of_a_training_is_hashed_wherever_it_runs(tmp_path, monkeypatch):
    script = ROOT / "training" / "chord" / "02-train.py"
    monkeypatch.setattr("sys.argv", [str(script)])
    monkeypatch.chdir(tmp_path)
    args = argparse.Namespace(index=script, pump=script, initial=[])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    settings = train.describe(args, "chord", model, {"a": [script]}, [])
    names = stages.files("train", "chord")
    assert "crema/layers/chord.py" in names
    code = hashes.of_all([script, *(ROOT / name for name in names)])
    assert settings["hashes"]["code"] == code
