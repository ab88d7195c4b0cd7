"""The released models: complete, small, quick to load, and unchanged."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, modules_of

from crema import analyze, models
from crema.exceptions import ModelError
from crema.utils import disk, hashes
from tests import golden

RELEASED = sorted(path.parent for path in models.RELEASED.glob(f"*/{hashes.SUMS}"))


def test_there_are_models():
    assert [path.name for path in RELEASED] == ["beat", "chord", "key"]
    size = sum(file.stat().st_size for path in RELEASED for file in path.iterdir())
    assert size < 15e6


@pytest.mark.parametrize("directory", RELEASED, ids=lambda path: path.name)
def test_files_are_those_of_the_release(directory):
    hashes.check(directory)
    names = {path.name for path in directory.iterdir()}
    assert not any(name.endswith((".pkl", ".h5")) for name in names)
    card = (directory / "card.md").read_text()
    version = (directory / "version.txt").read_text().strip()
    assert card.startswith(f"# {directory.name} {version}\n")
    assert not version.endswith("+dirty")
    splits = disk.read_json(directory / "splits.json")
    assert not set(splits["train"] + splits["validation"]) & set(splits["test"])


def test_what_lies_beside_a_model_does_not_matter(tmp_path):
    directory = shutil.copytree(models.RELEASED / "key", tmp_path / "key")
    for name in (".DS_Store", "notes.txt"):
        (directory / name).touch()
    hashes.check(directory)
    (directory / "card.md").rename(directory / "card")
    with pytest.raises(ModelError, match="differ from the released ones"):
        hashes.check(directory)


@pytest.mark.parametrize("name", ["model.onnx", "pump.json", "settings.json"])
def test_what_is_missing_of_a_release_is_named(tmp_path, monkeypatch, name):
    shutil.copytree(models.RELEASED / "key", tmp_path / "key")
    (tmp_path / "key" / name).unlink()
    monkeypatch.setattr(models, "RELEASED", tmp_path)
    with pytest.raises(ModelError, match=f"{name} is missing.*install crema again"):
        analyze.identify([])


@pytest.mark.parametrize("name", ["decoder.json", "pump.pkl", "model.h5"])
def test_what_a_model_is_loaded_from_is_listed(tmp_path, name):
    directory = shutil.copytree(models.RELEASED / "key", tmp_path / "key")
    (directory / name).touch()
    lines = (directory / hashes.SUMS).read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.endswith(f" {name}\n")]
    (directory / hashes.SUMS).write_text("".join(kept))
    with pytest.raises(ModelError, match="differ from the released ones"):
        hashes.check(directory)


def test_the_program_needs_no_tensorflow(tmp_path):
    from crema.corpus import demo

    demo.write(golden.CLIPS[0], tmp_path, seconds=6)
    audio, output = tmp_path / f"{golden.CLIPS[0]}.flac", tmp_path / "out.jams"
    arguments = [str(audio), "-o", str(output)]
    loaded, _ = modules_of(f"from crema.program import main; main({arguments!r})")
    assert not loaded
    found = json.loads(output.read_text())["annotations"]
    assert {a["namespace"] for a in found} == {"beat", "chord", "key_mode"}


def test_nothing_is_written_but_the_annotation(tmp_path):
    """ONNX Runtime would send telemetry that identifies the user and the models."""
    from crema.corpus import demo

    demo.write(golden.CLIPS[0], tmp_path, seconds=6)
    home = tmp_path / "home"
    home.mkdir()
    # A user's environment: with CI=true, it would send nothing.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = ["-m", "crema", tmp_path / f"{golden.CLIPS[0]}.flac"]
    subprocess.run(
        [sys.executable, *command, "-o", home / "out.jams"],
        env=environment,
        cwd=ROOT,
        check=True,
    )
    assert os.listdir(home) == ["out.jams"]


@pytest.mark.parametrize("clip", golden.CLIPS)
def test_what_is_heard_has_not_changed(clip):
    found, expected = golden.annotations(clip), disk.read_json(golden.path(clip))
    assert [a["namespace"] for a in found] == [a["namespace"] for a in expected]
    for one, other in zip(found, expected, strict=True):
        assert [row[2] for row in one["data"]] == [row[2] for row in other["data"]]
        for row, stored in zip(one["data"], other["data"], strict=True):
            assert row[:2] == pytest.approx(stored[:2], abs=2e-3)
