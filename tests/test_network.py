"""Trained networks: ONNX Runtime and Keras agree, in one piece and in excerpts."""

import shutil
import sys

import h5py
import numpy as np
import pytest
from conftest import build_network, estimators, modules_of

from crema import models, network, pump
from crema.exceptions import ModelError
from crema.models import base
from crema.utils import disk, processes

RATE = 22050


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """The resources of a model of each estimator, with random weights.

    The network is stored as ``model.onnx`` and as ``model.h5``.
    """
    from crema.export import to_onnx

    made = {}
    for name in estimators():
        made[name] = directory = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            operators, model = build_network(name, patch)
        model.save(directory / "model.h5", include_optimizer=False)
        exported = to_onnx(model).SerializeToString()
        (directory / "model.onnx").write_bytes(exported)
        pump.save(operators, directory / "pump.pkl")
        disk.write_json(directory / "decoder.json", {})
        disk.write_text(directory / "version.txt", "abc1234.0\n")
    return made


@pytest.fixture(scope="module", params=estimators())
def directory(request, directories):
    return directories[request.param]


@pytest.fixture(scope="module")
def both(directory):
    return [network.load(directory / f"model.{ext}") for ext in ("onnx", "h5")]


def features(directory, n_frames):
    """Return random levels for each input."""
    operators, made = pump.load(directory / "pump.pkl"), {}
    rng = np.random.default_rng(0)
    for name in network.load(directory / "model.onnx").inputs:
        field = operators.fields[name]
        shape = (n_frames, *field.shape[1:])
        made[name] = rng.integers(0, 256, shape).astype(field.dtype)
    return made


def assert_close(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("n_frames", [1, 7, 100, 1001])
def test_both_agree(both, directory, n_frames):
    arrays = features(directory, n_frames)
    found, expected = (one.run(arrays, 100) for one in both)
    assert_close(found, expected)
    assert both[0].inputs == both[1].inputs == list(arrays)
    assert list(found) == both[0].outputs == both[1].outputs


@pytest.mark.parametrize("n_frames", [5041, 7000])
def test_excerpts_are_stitched_to_the_whole(both, directory, n_frames, monkeypatch):
    for name, seconds in (("LONGEST", 5000), ("EXCERPT", 5000), ("CONTEXT", 2000)):
        monkeypatch.setattr(network, name, seconds)
    arrays = features(directory, n_frames)
    expected = both[0].compute(arrays)
    computed = []

    class Counting(network.Network):
        outputs = both[0].outputs

        def compute(self, arrays):
            computed.append(max(map(len, arrays.values())))
            return both[0].compute(arrays)

    found = Counting().run(arrays, 1)
    assert_close(found, expected)
    if any(len(values) != n_frames for values in expected.values()):
        assert computed[-1] == n_frames
    else:
        assert len(computed) == -(-n_frames // 720) and max(computed) <= 5040
    computed.clear()
    monkeypatch.setattr(network, "LONGEST", n_frames)
    Counting().run(arrays, 1)
    assert computed == [n_frames]


def test_excerpts_begin_where_the_pooling_of_the_whole_does(both):
    for layer in both[1].model.layers:
        assert network.PHASE % getattr(layer, "factor", 1) == 0


def test_the_estimator_takes_either(directory, tmp_path):
    y = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    for path in directory.iterdir():
        if path.name != "model.onnx":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    found, expected = base.Estimator(directory), base.Estimator(tmp_path)
    assert isinstance(found.network, network.OnnxNetwork)
    assert isinstance(expected.network, network.KerasNetwork)
    assert found.inputs == expected.inputs
    assert_close(found.outputs(y=y, sr=RATE), expected.outputs(y=y, sr=RATE))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_outputs_that_are_no_numbers_are_an_error(directories, tmp_path):
    """Of a damaged model, which would else give plausible labels."""
    directory = shutil.copytree(directories["key"], tmp_path / "key")
    (directory / "model.onnx").unlink()
    with h5py.File(directory / "model.h5", "r+") as store:
        kernels = []
        store["model_weights"].visititems(
            lambda name, item: kernels.append(item) if name.endswith("kernel") else None
        )
        kernels[0][:] = np.nan
    disk.write_json(directory / "decoder.json", {"self_transition": 0.9})
    disk.write_json(directory / "settings.json", {"estimator": "key"})
    estimator = models.load(directory)
    with pytest.raises(ModelError, match="its output key.* is not a number"):
        estimator.predict(y=np.ones(3 * RATE, np.float32), sr=RATE)


def test_prediction_needs_no_tensorflow(directories):
    code = f"""
import importlib, numpy
from crema.models import base
for name, directory in {[(k, str(v)) for k, v in directories.items()]}:
    importlib.import_module(f"crema.models.{{name}}")
    model = base.Estimator(directory)
    outputs = model.outputs(y=numpy.zeros({4 * RATE}, numpy.float32), sr={RATE})
    assert list(outputs) == model.output_names, outputs
"""
    loaded, done = modules_of(code)
    assert not loaded and done.stderr.strip() == ""


@pytest.mark.parametrize("name", ["model.onnx", "model.h5"])
@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_damaged_files_are_named(directory, tmp_path, name, content):
    whole = (directory / name).read_bytes()
    (tmp_path / name).write_bytes(
        whole[: len(whole) // 2] if content is None else content
    )
    with pytest.raises(ModelError, match=f"{name}: is not a usable model") as caught:
        network.load(network.path(tmp_path))
    assert "\n" not in str(caught.value)


def test_without_an_exported_network_that_of_keras_is_meant(tmp_path):
    assert network.path(tmp_path) == tmp_path / "model.h5"
    (tmp_path / "model.onnx").touch()
    assert network.path(str(tmp_path)) == tmp_path / "model.onnx"


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("2,1", 2), ("", None)])
def test_a_process_keeps_to_its_share_of_threads(said, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert processes.n_threads() == (threads or processes.n_cpus())


def test_a_model_of_keras_without_keras_says_what_to_install(directory, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ModelError, match=r"model\.h5: needs keras.*make or conda"):
        network.load(directory / "model.h5")
