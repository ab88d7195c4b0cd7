"""Files are complete or not there at all."""

import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest
from conftest import ROOT, one_line

from crema.exceptions import CremaError, DataError
from crema.utils import disk, sampling


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_atomic_writes_and_makes_directories(tmp_path):
    path = tmp_path / "a" / "b" / "x.txt"
    with disk.atomic(str(path)) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".txt"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), disk.atomic(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_a_link_stays_one(tmp_path):
    target, link = tmp_path / "a" / "x.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    disk.write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert names(target.parent) == ["x.txt"]


def test_a_device_stays_one(tmp_path):
    reader, terminal = os.openpty()
    link = tmp_path / "terminal.txt"
    link.symlink_to(os.ttyname(terminal))
    disk.write_text(link, "text")
    assert os.read(reader, 9) == b"text" and names(tmp_path) == ["terminal.txt"]
    os.mkfifo(tmp_path / "pipe.txt")
    reader = os.open(tmp_path / "pipe.txt", os.O_RDONLY | os.O_NONBLOCK)
    disk.write_text(tmp_path / "pipe.txt", "text")
    assert os.read(reader, 9) == b"text" and (tmp_path / "pipe.txt").is_fifo()


def test_a_pipe_without_a_name_is_written_to():
    reader, writer = os.pipe()
    disk.write_text(f"/dev/fd/{writer}", "text")
    assert os.read(reader, 9) == b"text"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="only Linux has it")
def test_a_file_in_memory_is_written_like_any_other():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        path = pathlib.Path(directory, "a", "b.txt")
        disk.write_text(path, "before")
        with pytest.raises(ZeroDivisionError), disk.atomic(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError
        assert path.read_text() == "before" and names(path.parent) == ["b.txt"]


def test_whether_a_file_could_be_written(tmp_path):
    reader, writer = os.pipe()
    for path in (f"/dev/fd/{writer}", os.devnull, tmp_path / "a" / "b" / "x.txt"):
        disk.check_writable(path)
    (tmp_path / "x.txt").touch()
    disk.check_writable(tmp_path / "x.txt")
    assert names(tmp_path) == ["x.txt"]
    for path in (tmp_path, tmp_path / "x.txt" / "y.txt"):
        with pytest.raises(CremaError, match="cannot write .*name another"):
            disk.check_writable(path)


@pytest.mark.parametrize("letter", ["a", "é", "夜"])
def test_a_name_may_be_as_long_as_any(tmp_path, letter):
    path = tmp_path / f"{letter * (250 // len(letter.encode()))}.txt"
    with disk.atomic(path) as temporary:
        temporary.write_text("text")
        assert temporary.name.startswith(f".{letter}")
        assert temporary.name.endswith(f".{os.getpid()}.txt")
    assert names(tmp_path) == [path.name]


@pytest.fixture
def listings(monkeypatch):
    """A record of the searches for the files of a track."""
    found = []
    remove = disk.remove_track
    monkeypatch.setattr(disk, "remove_track", lambda *a: (found.append(a), remove(*a)))
    return found


def write_track(directory, *numbers):
    with disk.whole_track(directory, "a", ".json"):
        for number in numbers:
            (directory / f"a.{number}.flac").touch()
            yield number
        (directory / "a.json").touch()


def test_a_new_track_lists_no_directory(tmp_path, listings):
    list(write_track(tmp_path / "out", 0, 1))
    assert names(tmp_path / "out") == ["a.0.flac", "a.1.flac", "a.json"]
    assert not listings


def test_a_track_made_again_leaves_nothing_of_before(tmp_path, listings):
    list(write_track(tmp_path, 0, 1, 2))
    (tmp_path / "a.b").touch()
    (tmp_path / "ab.0.flac").touch()
    list(write_track(tmp_path, 0))
    assert names(tmp_path) == ["a.0.flac", "a.json", "ab.0.flac"]
    assert len(listings) == 1


def test_a_directory_is_kept_to_one(tmp_path):
    for _ in range(2):
        with disk.alone(tmp_path / "d"):
            busy = pytest.raises(CremaError, match="d: another process writes there")
            with busy, disk.alone(tmp_path / "d"):
                pass
            with disk.alone(tmp_path / "other"):
                pass
    assert names(tmp_path / "d") == []


def test_what_a_killed_writer_left_of_a_track_goes(tmp_path):
    killed = write_track(tmp_path, 5, 6)
    next(killed)
    (tmp_path / ".a.6.flac.123.flac").touch()
    left = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    killed.close()
    assert names(tmp_path) == []  # a writer that can, cleans up
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    list(write_track(tmp_path, 0))
    assert names(tmp_path) == ["a.0.flac", "a.json"]


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.txt"
    with pytest.raises(CremaError) as caught:
        disk.write_text(path, "text")
    assert "cannot write" in one_line(caught, path)


def test_a_killed_write_leaves_nothing_that_is_taken_for_a_file(tmp_path, run_script):
    """Kill a process in the middle of two writes, of a new and of an old file."""
    (tmp_path / "old.h5").write_bytes(b"old")
    for name in ("old.h5", "a.h5", "a.0.h5"):
        done = run_script(
            "-c",
            "import os, sys; from crema.utils import disk\n"
            "with disk.atomic(sys.argv[1]) as temporary:\n"
            "    temporary.write_bytes(b'half')\n"
            "    os.kill(os.getpid(), 9)\n",
            tmp_path / name,
        )
        assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 4
    assert (tmp_path / "old.h5").read_bytes() == b"old"
    assert glob.glob("*", root_dir=tmp_path) == ["old.h5"]
    assert not list(tmp_path.glob("a.*"))
    with pytest.raises(DataError, match="track a has no features"):
        sampling.copies(tmp_path, ["a"])
    disk.write_text(tmp_path / "a.h5", "whole")
    assert (tmp_path / "a.h5").read_text() == "whole"


# Writes every kind of file, with a limit on the bytes per file.
FULL_DISK = """
import json, pathlib, resource, sys
import numpy as np
from crema.exceptions import CremaError
from crema.utils import audiofile, disk, hdf5, jamsfile, processes

draw = np.random.default_rng(0)
y = draw.uniform(-0.1, 0.1, 200_000)
levels = draw.integers(0, 255, (1, 500, 216, 2)).astype("uint8")
directory, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
if "d.jams" in sys.argv:
    import jams
    jam = jams.JAMS()
    jam.file_metadata.duration = 3000
    annotation = jams.Annotation("chord", time=0, duration=3000)
    for time in range(3000):
        annotation.append(time, 1, "C:maj", draw.random())
    jam.annotations.append(annotation)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for name in sys.argv[3:]:
    path = directory / name
    try:
        if path.suffix in (".flac", ".ogg", ".wav"):
            audiofile.write(path, y, 44100)
        elif path.suffix in (".jams", ".jamz"):
            jamsfile.write(path, jam)
        elif path.suffix == ".h5":
            hdf5.write(path, {"x": levels}, {"track_id": "a"})
        else:
            disk.write_json(path, list(range(10_000)))
    except CremaError as error:
        print(json.dumps(str(error)))
    else:
        print(json.dumps("no error"))
"""


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (15_000, ["a.flac", "b.ogg", "c.wav", "d.jams", "e.jamz", "f.json"]),
        (1000, ["x.h5"]),
        (15_000, ["x.h5"]),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_half_file(
    tmp_path, run_script, limit, files
):
    for name in files:
        (tmp_path / name).write_bytes(b"old")
    done = run_script("-c", FULL_DISK, tmp_path, limit, *files)
    assert done.returncode == 0, done.stderr[-2000:]
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) == len(files)
    for name, message in zip(files, messages, strict=True):
        assert message.startswith(f"cannot write {tmp_path / name}: ")
        assert "\n" not in message
        assert (tmp_path / name).read_bytes() == b"old"
    assert names(tmp_path) == sorted(files)
    assert "Traceback" not in done.stderr


def test_json_is_indented_and_ends_with_a_newline(tmp_path):
    path = tmp_path / "a.json"
    data = {"título": [1, 2.5, None], "b": {"c": True}}
    disk.write_json(path, data)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "título" in text and '\n  "b"' in text
    assert disk.read_json(path) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_numbers(tmp_path, value):
    path = tmp_path / "a.json"
    disk.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        disk.write_json(path, {"a": value})
    assert disk.read_json(path) == {"a": 1} and names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_json_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "a.json"
    with pytest.raises(CremaError, match="no such file"):
        disk.read_json(path)
    path.write_bytes(content)
    with pytest.raises(CremaError, match="is not valid JSON") as caught:
        disk.read_json(path)
    one_line(caught, path)


def test_what_only_looks_at_files_imports_nothing_heavy():
    """Programs that only look at files start quickly."""
    code = (
        "import sys; from crema.utils import audiofile, disk, hdf5, jamsfile\n"
        "print([m for m in ('jams', 'h5py', 'librosa', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "[]"
