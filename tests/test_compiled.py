import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from crema import compiled

#: A stand-in for a module that is slow to compile; it records how often it did.
SLOW = """
import pathlib, time
with open(pathlib.Path(__file__).with_name("log"), "a") as log:
    log.write("begun ")
    log.flush()
    time.sleep({seconds})
    log.write("ended ")
"""
ONCE = """
import pathlib, sys
from crema import compiled
sys.path.insert(0, sys.argv[1])
compiled.once(["slow"], pathlib.Path(sys.argv[1]), sys.argv[2])
print("slow" in sys.modules)
"""


def start(directory, key="key"):
    return subprocess.Popen(
        [sys.executable, "-B", "-c", ONCE, directory, key],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW.format(seconds=1))
    return tmp_path


def test_one_process_compiles_and_the_others_wait(directory):
    processes = [start(directory) for _ in range(4)]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert (directory / "log").read_text() == "begun ended "
    assert sorted(out.strip() for out, _ in said) == ["False"] * 3 + ["True"]
    assert sum("compiling parts of librosa" in err for _, err in said) == 1


def test_compiled_again_for_another_version_or_processor(directory):
    for key in ("one", "other", "one", "other"):
        start(directory, key).communicate()
    assert (directory / "log").read_text() == "begun ended " * 2


def test_a_process_killed_meanwhile_leaves_it_to_the_next(directory):
    (directory / "slow.py").write_text(SLOW.format(seconds=60))
    first = start(directory)
    while not (directory / "log").exists() or not (directory / "log").read_text():
        assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (directory / "slow.py").write_text(SLOW.format(seconds=0))
    out, _ = start(directory).communicate()
    assert out.strip() == "True"
    assert (directory / "log").read_text() == "begun begun ended "


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No directory that numba can write to: each is a file."""
    monkeypatch.setattr("librosa.__file__", str(tmp_path / "file" / "__init__.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (tmp_path / "file").touch()


def test_the_cache_is_where_numba_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiled.cache() == tmp_path
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert compiled.cache().parent.name == "librosa"


def test_the_cache_of_the_user_where_librosa_cannot_be_written(
    nowhere, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert compiled.cache() == tmp_path / "home" / "numba"


def test_a_temporary_cache_where_nothing_can_be_written(nowhere, monkeypatch, capsys):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # so that it is restored afterwards
    found = compiled.cache()
    assert found.is_dir() and not any(found.iterdir())
    assert os.environ["NUMBA_CACHE_DIR"] == str(found)
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().err


def test_all_that_compiles_when_it_is_imported_is_known():
    root = pathlib.Path(importlib.util.find_spec("librosa").origin).parent
    found = {
        ".".join(["librosa", *path.relative_to(root).with_suffix("").parts])
        for path in root.rglob("*.py")
        if re.search(r"^@(numba\.(gu)?|gu)vectorize", path.read_text(), re.MULTILINE)
    }
    assert found == set(compiled.EAGER)


def test_librosa_is_imported_from_here():
    own = re.compile(r"^\s*(import|from) (librosa|muda|pumpp)\b", re.MULTILINE)
    found = [
        str(path.relative_to(ROOT))
        for directory in ("crema", "training", "templates", "benchmarks")
        for path in (ROOT / directory).rglob("*.py")
        if own.search(path.read_text())
    ]
    assert found == ["crema/compiled.py"]
    with pytest.raises(ImportError):
        from crema.compiled import numba  # noqa: F401
