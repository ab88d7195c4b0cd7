"""Damaged files: readers return correct data or raise an error of one line.

``make test-faults`` runs this.  Each kind of file is damaged 200 times, by a seeded
draw: bytes are changed, cut out or repeated, or the end is cut off.  Its reader must
succeed, or raise an error that names the file, within 30 s; no other exception.
"""

import signal

import numpy as np
import pytest
from conftest import ROOT, run_script, snakemake

from crema import pump
from crema.exceptions import CremaError
from crema.utils import disk, hdf5, index, jamsfile, sampling

MUTATIONS = 200
TARGET = "training/chord/resources/test_data.json"
SECONDS = 30


def mutated(content, draw):
    """Return the content with some damage."""
    content = bytearray(content)
    for _ in range(draw.integers(1, 4)):
        at = int(draw.integers(len(content) or 1))
        length = int(draw.integers(1, 40))
        kind = draw.integers(5)
        if kind == 0:
            content[at : at + length] = draw.bytes(length)
        elif kind == 1:
            del content[at : at + length]
        elif kind == 2:
            content[at:at] = content[at : at + length]
        elif kind == 3:
            content[at : at + 1] = draw.bytes(1)
        else:
            del content[at:]
    return bytes(content)


#: Fields of a feature file that the training reads.
FIELDS = ["hcqt.mag", "chord_tag.chord", "chord_struct.root", "chord_struct.pitch"]


def read_features(path):
    """Read an excerpt of every field of a feature file, as the training does."""
    with hdf5.opened(path) as store:
        fields = [store[name] for name in FIELDS]
        length = sampling.frames_in(fields)
        return [sampling.excerpt(field, 0, 0, length) for field in fields]


@pytest.fixture
def alarm():
    """Raise an error if a reader hangs."""

    def late(*_):
        raise AssertionError(f"took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ["jams", "pump.pkl", "pump.json", "index.json"])
def test_mutations(prepared, corpus, tmp_path, alarm, kind):
    if kind == "pump.json":
        path, read = tmp_path / "pump.json", pump.load
        disk.write_json(path, pump.to_json(pump.load(prepared / "pump.pkl")))
    else:
        path, read = {
            "jams": (corpus / "jazz_1.jams", jamsfile.read),
            "pump.pkl": (prepared / "pump.pkl", pump.load),
            "index.json": (prepared / "index.json", index.read_index),
        }[kind]
    content = path.read_bytes()
    damaged = tmp_path / f"damaged.{path.suffix.lstrip('.')}"
    refused = 0
    for seed in range(MUTATIONS):
        damaged.write_bytes(mutated(content, np.random.default_rng(seed)))
        signal.alarm(SECONDS)
        try:
            read(damaged)
        except CremaError as error:
            refused += 1
            assert str(damaged) in str(error) and "\n" not in str(error), seed
    assert refused > MUTATIONS / 4


#: HDF5 can crash on damaged files, so this runs in a process of its own.
READ = """
import pathlib, sys
import numpy as np
sys.path.insert(0, {tests!r})
import mutations
from crema.exceptions import CremaError
{prepare}
path = pathlib.Path(sys.argv[1])
content = path.read_bytes()
for seed in range(int(sys.argv[3]), int(sys.argv[4])):
    damaged = pathlib.Path(sys.argv[2])
    damaged.write_bytes(mutations.mutated(content, np.random.default_rng(seed)))
    print("seed", seed, flush=True)
    try:
        found = read(damaged)
        for a, b in zip(read(path), found) if isinstance(found, list) else ():
            assert np.array_equal(a, b), "silently wrong"
    except CremaError as error:
        assert str(damaged) in str(error), error
        assert "\\n" not in str(error), error
"""
NETWORK = "from crema import network\nread = network.load"


@pytest.mark.parametrize(
    "kind, prepare",
    [("features", "read = mutations.read_features"), ("model", NETWORK)],
)
def test_mutations_of_hdf5(prepared, trained, tmp_path, kind, prepare):
    path = {
        "features": prepared / "features" / "jazz_1.h5",
        "model": trained / "model.h5",
    }[kind]
    code = READ.format(tests=str(ROOT / "tests"), prepare=prepare)
    damaged = tmp_path / "damaged.h5"
    for first in range(0, MUTATIONS, 50):
        done = run_script("-c", code, path, damaged, first, first + 50)
        assert done.returncode == 0, done.stdout[-200:] + done.stderr[-3000:]


def test_mutations_of_the_configuration(fresh, tmp_path):
    directory = fresh()
    overlay = directory / "config" / "tiny.yaml"
    content, wrong, refused = overlay.read_bytes(), {}, 0
    for seed in range(MUTATIONS):
        # Snakemake itself fails on a configuration that is not UTF-8.
        damaged = mutated(content, np.random.default_rng(seed)).decode(errors="replace")
        overlay.write_text(damaged)
        done = snakemake(directory, "-n", "-q", target=TARGET)
        refused += done.returncode != 0
        said = done.stdout + done.stderr
        named = "config" in said.lower() or "corpora/tiny" in said
        if "Traceback" in said or (done.returncode and not named):
            wrong[seed] = said[-300:]
    assert not wrong
    assert refused > MUTATIONS / 4
