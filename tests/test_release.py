"""Releases: contents, equal results, and errors."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from conftest import ROOT, estimators, modules_of, synthesise

from crema import models
from crema.exceptions import ModelError
from crema.utils import disk, hashes, release

FILES = {
    "SHA256SUMS",
    "card.md",
    "decoder.json",
    "model.onnx",
    "pump.json",
    "settings.json",
    "splits.json",
    "version.txt",
}


@pytest.fixture(scope="module", params=estimators())
def estimator(request):
    return request.param


@pytest.fixture(scope="module")
def options(built, tmp_path_factory, estimator):
    """Options of the release of an estimator of the tiny build."""
    tiny = built / "corpora" / "tiny"
    resources = tmp_path_factory.mktemp("release") / "resources"
    shutil.copytree(built / "training" / estimator / "resources", resources)
    named = {
        "corpus": tiny,
        "resources": resources,
        "index": tiny / "index_train.json",
        "test-index": tiny / "index_test.json",
        "notes": ROOT / "training" / estimator / "LIMITS.md",
        "output": resources.parent / estimator,
    }
    return [word for name, path in named.items() for word in (f"--{name}", str(path))]


@pytest.fixture(scope="module")
def released(options):
    release.main(options)
    return options[-1]


@pytest.fixture
def directory(released, tmp_path):
    return shutil.copytree(released, tmp_path / "model")


def test_a_release_is_complete_and_no_more(directory, estimator, options):
    assert {path.name for path in directory.iterdir()} == FILES
    assert not list(pathlib.Path(options[-1]).parent.glob(".*"))
    splits = json.loads((directory / "splits.json").read_text())
    assert sum(map(len, splits.values())) == 4 and len(splits["test"]) == 1
    card = (directory / "card.md").read_text()
    scores = disk.read_json(f"{options[3]}/test_data.json")
    assert card.startswith(f"# {estimator} {scores['version']}\n")
    for name, line in scores["summary"].items():
        assert f"| {name} | {line['weighted']:.3f} |" in card
    assert "## Licence" in card and "corpus: `" in card


def test_a_release_hears_what_the_model_hears(directory, options):
    y = synthesise(["C:maj", "A:min", "G:7"])
    before, after = models.load(options[3]), models.load(directory)
    assert after.version == before.version
    expected, found = (model.outputs(y=y, sr=22050) for model in (before, after))
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert np.abs(found[name] - values).max() < 1e-4
    one, other = (model.predict(y=y, sr=22050).data for model in (before, after))
    assert [o.value for o in one] == [o.value for o in other]
    # The posteriors around a beat place it between frames.
    assert [o.time for o in one] == pytest.approx([o.time for o in other], abs=1e-5)


def test_a_release_needs_no_tensorflow(directory):
    code = (
        "from crema import models; import numpy as np;"
        f"models.load({str(directory)!r}).predict(y=np.zeros(22050), sr=22050)"
    )
    loaded, _ = modules_of(code)
    assert not loaded


@pytest.mark.parametrize("name", sorted(FILES - {"SHA256SUMS"}))
def test_a_changed_file_is_noticed(directory, name):
    with open(directory / name, "ab") as stream:
        stream.write(b"\n")
    with pytest.raises(ModelError, match=str(directory)):
        models.load(directory)


def test_a_file_too_many_is_noticed(directory):
    (directory / "pump.pkl").write_bytes(b"")
    with pytest.raises(ModelError, match="released"):
        models.load(directory)


def test_a_release_that_is_being_made_is_no_model(directory, tmp_path):
    shutil.copytree(directory, tmp_path / ".model.new")
    assert list(models.find(tmp_path).values()) == [directory]
    hidden = tmp_path / ".model.new"  # but it can be named explicitly
    assert list(models.find(hidden).values()) == [hidden]


def test_what_is_not_released(options, tmp_path):
    resources = tmp_path / "resources"
    shutil.copytree(options[3], resources)
    changed = [*options[:3], str(resources), *options[4:-1], str(tmp_path / "out")]
    version = (resources / "version.txt").read_text().strip()
    (resources / "version.txt").write_text("abc1234.7\n")
    with pytest.raises(ModelError, match="evaluate it again"):
        release.main(changed)
    scores = json.loads((resources / "test_data.json").read_text())
    scores["version"] = f"{version}+dirty"
    (resources / "test_data.json").write_text(json.dumps(scores))
    (resources / "version.txt").write_text(f"{version}+dirty\n")
    with pytest.raises(ModelError, match="uncommitted code"):
        release.main(changed)
    release.main([*changed, "--dirty"])
    assert hashes.listing(tmp_path / "out")
