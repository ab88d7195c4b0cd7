"""Kills and full disks in every stage: nothing is lost, and nothing incomplete kept.

``make test-faults`` runs this, for twenty minutes, and then mutations.py.  Each stage
is killed (SIGKILL) at 20 random moments, one run after the other in the same directory;
the next run must complete, with the same result as an uninterrupted one.
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import soundfile
from conftest import CHORD, ROOT, SONGS

from crema.utils import disk, index

KILLS = 20
#: Files with a time, a hash of one, or the number of trainings, which includes those
#: that were killed after their end.
COUNTING = ("trainings.jsonl", "settings.json", "SHA256SUMS", "version.txt")


def words(*args):
    return [str(arg) for arg in args]


def setup(common, out):
    return [CHORD / "00-setup.py", *common["corpus"], "--index", common["index"]] + [
        *("--output-dir", out, "--semitones", -1, 1)
    ]


def prepare(common, out):
    return [CHORD / "01-prepare.py", *common["corpus"], "--index", common["index"]] + [
        *("--augmented-dir", common["prepared"] / "augmented"),
        *("--feature-dir", out / "features", "--pump", out / "pump.pkl"),
    ]


def train(common, out):
    return [CHORD / "02-train.py", "--index", common["index"], "--seed", 7] + [
        *("--feature-dir", common["prepared"] / "features", "--threads", 1),
        *("--pump", common["prepared"] / "pump.pkl", "--resources", out),
        *("--epochs", 12, "--steps-per-epoch", 6, "--batch-size", 4),
        *("--patch-duration", 2, "--validation-fraction", 0.3, "--channels", 4),
        *("--recurrent-units", 4, "--stop-patience", 50),
    ]


def evaluate(common, out):
    if not out.exists():
        shutil.copytree(common["trained"], out)
    return [CHORD / "03-evaluate.py", *common["corpus"], "--resources", out] + [
        *("--index", common["index"])
    ]


def release(common, out):
    return ["-m", "crema.utils.release", "--dirty", *common["corpus"]] + [
        *("--index", common["train"], "--test-index", common["test"]),
        *("--resources", common["evaluated"], "--output", out / "chord"),
        *("--notes", CHORD / "LIMITS.md"),
    ]


STAGES = (setup, prepare, train, evaluate, release)


@pytest.fixture(scope="module")
def common(corpus, prepared, trained, tmp_path_factory):
    """The directory of all inputs of the stages."""
    directory = tmp_path_factory.mktemp("common")
    tracks = [{"track_id": name, "group": group} for name, (_, group) in SONGS.items()]
    for name, records in (("train", tracks[:-1]), ("test", tracks[-1:])):
        index.write_index(directory / f"{name}.json", records)
    known = {
        "corpus": ["--corpus", corpus],
        "index": prepared / "index.json",
        "prepared": prepared,
        "trained": trained,
        "train": directory / "train.json",
        "test": directory / "test.json",
        "evaluated": directory / "evaluated",
    }
    shutil.copytree(trained, known["evaluated"])
    command = evaluate(known, known["evaluated"])
    command[command.index("--index") + 1] = known["test"]
    done = start(command)
    assert done.wait() == 0, done.stderr.read()
    return known


def start(command, **popen):
    """Start a stage in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *words(*command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **popen,
    )


@pytest.fixture(scope="module", params=STAGES, ids=lambda stage: stage.__name__)
def stage(request, common, tmp_path_factory):
    """A stage, its result without interruption, and how long that takes."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    begun = time.time()
    process = start(request.param(common, out))
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return request.param, contents(out), time.time() - begun


def contents(directory):
    """Return the contents of the files of a directory, by name, without times."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = str(path.relative_to(directory))
        assert not any(part.startswith(".") for part in pathlib.Path(name).parts), name
        if path.suffix == ".h5":
            with h5py.File(path) as store:
                values = {}
                store.visititems(
                    lambda key, item, values=values: (
                        values.update({key: item[:]})
                        if isinstance(item, h5py.Dataset)
                        else None
                    )
                )
            found[name] = values
        elif path.suffix == ".csv" and path.stem == "history":
            # Means over a resumed epoch are rounded once more.
            table = np.loadtxt(path, delimiter=",", skiprows=1)
            found[name] = {"rounded": np.vectorize("{:.4g}".format)(table)}
        elif path.suffix == ".flac":
            found[name] = {"y": soundfile.read(path)[0]}
        elif path.name in COUNTING:
            found[name] = {}
        elif path.name == "test_data.json":
            whole = disk.read_json(path)
            found[name] = {k: json.dumps(whole[k]) for k in ("summary", "tracks")}
        else:
            found[name] = {"bytes": path.read_bytes()}
    return found


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].keys() == values.keys(), name
        for key, value in values.items():
            np.testing.assert_array_equal(found[name][key], value, err_msg=name)


def complete(stage, common, out):
    """Run a stage to its end."""
    process = start(stage(common, out))
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def test_killed_at_random_moments(stage, common, tmp_path):
    stage, expected, seconds = stage
    out, rng = tmp_path / "out", np.random.default_rng(20)
    killed = 0
    for _ in range(KILLS):
        process = start(stage(common, out))
        time.sleep(rng.uniform(0.2, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed
    complete(stage, common, out)
    assert_same(contents(out), expected)


@pytest.mark.parametrize("limit", [100, 3000])
def test_a_full_disk(stage, common, tmp_path, limit):
    stage, expected, _ = stage
    out = tmp_path / "out"
    command = stage(common, out)

    def no_larger():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(command, preexec_fn=no_larger)
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    last = errors.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in errors
    assert str(out) in errors
    complete(stage, common, out)
    assert_same(contents(out), expected)


def test_two_first_runs_leave_a_cache_that_works(tmp_path):
    """Code compiled at first use is compiled once, however many processes start."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first = "import time; time.sleep({}); from crema.compiled import {}"
    firsts = [first.format(*one) for one in ((0, "pumpp"), (2, "muda"), (4, "pumpp"))]
    firsts.append("from crema.compiled import librosa; librosa.beat.beat_track")
    later = """
import librosa, numpy as np
y = np.random.default_rng(0).standard_normal(5 * 22050)
librosa.beat.beat_track(y=y, sr=22050)
librosa.yin(y, fmin=60, fmax=400, sr=22050)
librosa.zero_crossings(y)
librosa.util.localmin(y)
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
        for code in firsts
    ]
    assert [process.wait() for process in running] == [0] * 4
    assert not subprocess.run([sys.executable, "-c", later], env=environment).returncode
