"""Provenance of a result is shown, and only for annotations by crema."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, annotate

from crema import analyze, models, origin, program
from crema.exceptions import CremaError
from crema.utils import disk, jamsfile


@pytest.fixture(scope="module")
def tone():
    return 0.3 * np.sin(np.arange(3 * 22050) / 10)


def test_a_jams_leads_to_the_model_that_is_shipped(tone, tmp_path, capsys):
    jam = analyze.analyze(y=tone, sr=22050)
    jamsfile.write(tmp_path / "a.jams", jam)
    assert program.main(["info", str(tmp_path / "a.jams")]) == 0
    text = capsys.readouterr().out
    for name, directory in models.find(models.RELEASED).items():
        settings = disk.read_json(directory / "settings.json")
        assert f"estimator: {name}" in text
        assert models.load(directory).origin["sha256"] in text
        assert settings["hashes"]["index"] in text
        assert f"card: {directory / 'card.md'}" in text
    for fact in ("seed: ", "commit: ", "numpy: ", "corpus: "):
        assert fact in text
    # Both key annotations are by one model, which is shown once.
    assert text.count("estimator: key") == 1 and "same model as: 3 key" in text
    # Only the length of the list of validation tracks is shown.
    assert max(map(len, text.splitlines())) < 200


def test_a_model_of_ones_own(trained, tone, tmp_path):
    jam = analyze.analyze(y=tone, sr=22050, model=trained)
    jamsfile.write(tmp_path / "a.jams", jam)
    found = origin.info(tmp_path / "a.jams")["1 chord"]
    known = origin.info(trained)
    assert found["sha256"] == known["sha256"] and "comes with" not in known
    assert known["settings"]["options"]["batch_size"] == 4


def test_the_hash_tells_models_apart(trained, tmp_path):
    for path in trained.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert models.load(tmp_path).origin == models.load(trained).origin
    (tmp_path / "version.txt").write_text("0000000.7\n")
    changed = models.load(tmp_path).origin
    assert changed["sha256"] != models.load(trained).origin["sha256"]


def test_what_others_have_written(tmp_path):
    jam = annotate(["C:maj"])
    jamsfile.write(tmp_path / "a.jams", jam)
    disk.write_json(tmp_path / "a.json", {"summary": {}})
    for name, message in (
        ("a.jams", "no annotation names its model"),
        ("a.json", "has no record of its origin"),
        ("gone.json", "no such file"),
        ("gone.jams", "no such annotation file"),
        ("gone", "no such file"),
    ):
        with pytest.raises(CremaError, match=f"{name}: {message}"):
            origin.info(tmp_path / name)


@pytest.mark.parametrize(
    "model", ["mine", ["mine"], {"estimator": "chord"}, {"estimator": [], "sha256": ""}]
)
def test_what_others_say_of_their_models(tmp_path, model):
    jam = annotate(["C:maj"])
    jam.annotations[0].sandbox.model = model
    jamsfile.write(tmp_path / "a.jams", jam)
    with pytest.raises(CremaError, match="no annotation names its model"):
        origin.info(tmp_path / "a.jams")
    known = {"estimator": "mine", "version": "1", "sha256": "0"}
    jam.annotations[1].sandbox.model = known
    jamsfile.write(tmp_path / "a.JAMS", jam)
    found = origin.info(tmp_path / "a.JAMS")
    assert found["2 beat"] == known and "not crema" in found["1 chord"]["made by"]


def test_outline():
    known = {"a": {"b": 1, "c": {"d": "x"}}, "short": [1, 2], "long": list(range(9))}
    assert origin.outline(known) == [
        *("a:", "  b: 1", "  c:", "    d: x"),
        *("short: 1, 2", "long: 9, from 0 to 8"),
    ]


def test_whoever_reads_may_stop_before_the_end():
    code = "import sys\nfrom crema import exceptions\n"
    code += "exceptions.program(lambda: print('line\\n' * 100_000))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1
