"""The template of CONTRIBUTING.md gives an estimator that builds."""

import json
import shutil
import subprocess
import sys

import pytest
from conftest import (
    ROOT,
    load_script,
    remove_estimator,
    run_script,
    settings,
    snakemake,
)
from test_contract import FILES

from crema.exceptions import ConfigError

new = load_script(ROOT / "templates" / "new.py")
NAME = "root"
NOT_COPIED = shutil.ignore_patterns(".snakemake", "work", "logs", "resources")
#: Tests of the contract that need no build.
STATIC = "files or explains or config or short or indexes or requirements or module"


@pytest.fixture(scope="module")
def checkout(fresh):
    directory = fresh()
    script = directory / "templates" / "new.py"
    done = run_script(script, NAME, env={"PYTHONPATH": str(directory)}, cwd=directory)
    assert done.returncode == 0, done.stderr
    assert f"training/{NAME}/02-train.py" in done.stdout
    (directory / "config" / "tiny.yaml").write_text(settings(directory))
    return directory


def test_it_builds_and_is_used(checkout):
    resources = checkout / "training" / NAME / "resources"
    done = snakemake(checkout, target=f"training/{NAME}/resources/test_data.json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    result = json.loads((resources / "test_data.json").read_text())
    assert [row["status"] for row in result["tracks"]] == ["ok"]
    assert 0 <= result["summary"]["root"]["mean"] <= 1


def contract(directory, tests):
    """Run some tests of the contract in a checkout; return what pytest prints."""
    command = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    done = run_script(
        *(*command, "tests/test_contract.py", "-k", f"{NAME} and ({tests})"),
        cwd=directory,
        env={"PYTHONPATH": str(directory)},
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_it_keeps_the_contract(checkout):
    assert "passed" in contract(checkout, STATIC)


def test_labels_of_its_own_need_a_corpus_of_its_own(checkout, tmp_path):
    """What the tiny corpus cannot train is not built, and keeps no other from it."""
    own = shutil.copytree(checkout, tmp_path / "own", ignore=NOT_COPIED)
    tasks = own / "crema" / "tasks" / f"{NAME}.py"
    text = tasks.read_text()
    assert 'namespace="chord"' in text
    tasks.write_text(text.replace('namespace="chord"', 'namespace="segment_open"'))
    said = contract(own, "second_run or files")
    assert "the tiny corpus has no segment_open annotations" in said
    assert f"{len(FILES)} passed, 1 skipped" in said
    remove_estimator(own, NAME)
    (own / "config" / "tiny.yaml").write_text(settings(own))
    done = snakemake(own, "-n", target="all")
    assert done.returncode == 0, done.stderr
    assert "training/chord" in done.stdout and f"training/{NAME}" not in done.stdout


def test_it_is_formatted(checkout):
    made = [f"training/{NAME}", f"crema/tasks/{NAME}.py", f"crema/models/{NAME}.py"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *made],
            cwd=checkout,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name", ["Root", "1st", "a-b", "a.b", "class", "", "../x", "corpus", "gpu", "chord"]
)
def test_names_that_cannot_be_used(name, tmp_path):
    settings = tmp_path / "config" / "config.yaml"
    settings.parent.mkdir()
    settings.write_text("corpus:\n  directory: x\ngpu: 0\nchord: {}\n")
    with pytest.raises(ConfigError, match="cannot name an estimator"):
        new.instantiate(name, tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["config.yaml"]


def test_nothing_is_overwritten(checkout):
    before = (checkout / "config" / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="cannot name an estimator"):
        new.instantiate(NAME, checkout)
    (checkout / "crema" / "models" / "other.py").write_text("# mine\n")
    with pytest.raises(ConfigError, match="other.py: already exists"):
        new.instantiate("other", checkout)
    assert not (checkout / "training" / "other").exists()
    assert (checkout / "config" / "config.yaml").read_text() == before
