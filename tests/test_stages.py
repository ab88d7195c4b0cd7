"""The code of each stage: shared modules, and the estimator's own."""

import argparse
import ast

import pytest
from conftest import ROOT, estimators, run_script

from crema import backend
from crema.utils import hashes, stages, train

keras = backend.keras()
STAGES = ("00-setup.py", "01-prepare.py", "02-train.py", "03-evaluate.py")


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


#: Modules that stages import and that do not decide their results: they carry data,
#: report errors, or start libraries.
CARRIERS = {
    *("__init__", "backend", "compiled", "exceptions", "formats", "origin", "version"),
    *("layers/__init__", "models/__init__", "tasks/__init__", "utils/__init__"),
    *("utils/audiofile", "utils/cli", "utils/containers", "utils/disk"),
    *("utils/hashes", "utils/hdf5", "utils/index", "utils/jamsfile"),
    *("utils/processes", "utils/stages", "utils/version"),
}
#: The same for one stage: no deformer here draws random numbers, and the pump decodes
#: nothing in prepare and computes nothing in train.
BESIDE = {
    "setup": {"utils/rng"},
    "prepare": {"deformers", "segments", "utils/rng", "utils/setup"},
    "train": {
        *("constantq", "export", "features", "notes", "pump", "samples", "segments"),
        *("stored", "tasks/{estimator}"),
    },
    "evaluate": set(),
}
SCRIPTS = {name.partition("-")[2].removesuffix(".py"): name for name in STAGES}


def imported(path, found):
    """Add the modules of crema that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        for name in names:
            place = ROOT.joinpath(*name.split("."))
            for module in (place.with_suffix(".py"), place / "__init__.py"):
                ours = name.startswith("crema") and module.is_file()
                if ours and module not in found:
                    found.add(module)
                    imported(module, found)
    return found


@pytest.mark.parametrize("estimator", estimators())
@pytest.mark.parametrize("stage", SCRIPTS)
def test_what_a_stage_imports_is_its_code_or_carries_data(stage, estimator):
    modules = imported(ROOT / "training" / estimator / SCRIPTS[stage], set())
    names = {name.format(estimator=estimator) for name in CARRIERS | BESIDE[stage]}
    others = {f"crema/{name}.py" for name in names}
    paths = {path.relative_to(ROOT).as_posix() for path in modules}
    assert not paths - others - set(stages.files(stage, estimator))
    assert all((ROOT / path).is_file() for path in others)


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
