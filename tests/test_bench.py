"""The benchmark of a piece: all stages are listed, and the sums are correct."""

import re

import numpy as np

from crema import bench
from crema.utils import audiofile


def test_stages(trained, tmp_path, capsys):
    y = np.sin(np.arange(3 * 44100) / 20).astype(np.float32)
    audiofile.write(tmp_path / "a.wav", y, 44100)
    bench.main([str(tmp_path / "a.wav"), "--model", str(trained), "--repeat", "2"])
    text = capsys.readouterr().out
    rows = dict(re.findall(r"^(.*?)  +(\d+\.\d+)  .*$", text, re.M))
    stages = ["read", "resample", "features: hcqt", "network: chord"]
    stages += ["decoding: chord", "revising", "write JAMS"]
    assert set(rows) == {"import", "load models", "loading", *stages, "each piece"}
    total = sum(float(rows[stage]) for stage in stages)
    assert abs(float(rows["each piece"]) - total) < 0.005
    assert "3.0 s of audio, 2 runs" in text and "in a new process" in text
    assert 50 < int(re.search(r"peak memory (\d+) MB", text)[1]) < 5000


def test_a_clock_adds_up():
    clock = bench.Clock()
    for name in ("a", "b", "a"):
        with clock.stage(name):
            pass
    assert list(clock.stages) == ["a", "b"]
    wall, cpu = clock.total()
    assert wall == sum(wall for wall, _ in clock.stages.values()) > 0
