"""Sampling, fitting and resuming: a training is reproducible."""

import collections
import gc
import importlib.util
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import types

import h5py
import numpy as np
import pandas
import pytest
from conftest import CHORD, run_main

from crema import backend, network
from crema.exceptions import CremaError, DataError
from crema.utils import disk, hashes, hdf5, sampling
from crema.utils import train as stage

ROOT = pathlib.Path(__file__).parents[1]
#: The quickest to train.
KEY = ROOT / "training" / "key"
TRAIN = KEY / "02-train.py"
FIELDS = ["x", "label"]


def write_track(path, length, rows=1, value=0):
    """Write features whose values identify their track, row and frame."""
    frames = np.arange(length, dtype=np.float32)
    data = {
        "x": np.stack([frames, np.full(length, value)], axis=-1)[np.newaxis],
        "label": np.stack([frames + 1000 * row for row in range(rows)])[..., None],
    }
    hdf5.write(path, data, {"pump": "none"})


@pytest.fixture
def features(tmp_path):
    for track in range(4):
        for copy in range(3):
            name = f"t{track}" + (f".{copy - 1}" if copy else "")
            write_track(tmp_path / f"{name}.h5", 200, value=10 * track + copy)
    return sampling.copies(tmp_path, [f"t{track}" for track in range(4)])


def patches(files, **kwargs):
    settings = {"n_frames": 20, "batch_size": 8, "seed": 1, "n_active": 3, "rate": 4}
    return sampling.Patches(files, ["x"], ["label"], **(settings | kwargs))


def take(stream, count):
    return list(itertools.islice(stream, count))


def test_copies_are_found_from_the_index_alone(features):
    names = [path.name for path in features["t1"]]
    assert names == ["t1.h5", "t1.0.h5", "t1.1.h5"]


def test_track_ids_that_begin_alike_are_kept_apart(tmp_path):
    for name in ("a", "a.0", "ab", "ab.0"):
        write_track(tmp_path / f"{name}.h5", 10)
    files = sampling.copies(tmp_path, ["a", "ab"])
    assert [len(paths) for paths in files.values()] == [2, 2]
    assert {path.name for path in files["a"]} == {"a.h5", "a.0.h5"}


def test_missing_features_name_the_track(features, tmp_path):
    with pytest.raises(DataError, match="t9.*run prepare"):
        sampling.copies(tmp_path, ["t0", "t9"])


def test_a_missing_copy_names_the_track(features, tmp_path):
    (tmp_path / "t2.1.h5").unlink()
    with pytest.raises(DataError, match="t2 has 1 .*others have 2"):
        sampling.copies(tmp_path, ["t0", "t2"])


def test_a_field_of_the_whole_track_goes_with_each_of_its_excerpts(tmp_path):
    frames = np.arange(50, dtype=np.float32)[np.newaxis, :, np.newaxis]
    for number in range(2):
        data = {"x": frames, "label": frames, "whole": np.asarray([[number + 5]])}
        hdf5.write(tmp_path / f"t{number}.h5", data, {})
    files = [tmp_path / f"t{number}.h5" for number in range(2)]
    (batch,) = list(sampling.Excerpts(files, ["x"], ["label", "whole"], 40, 8))[:1]
    inputs, (label, whole), (weights, whole_weights) = batch
    assert inputs["x"].shape == label.shape == (4, 40, 1)
    assert whole.tolist() == [[5], [5], [6], [6]]
    assert weights.sum(axis=1).tolist() == [40, 10, 40, 10]
    # Ten frames of a track count less than forty.
    assert whole_weights.tolist() == [1, 0.25, 1, 0.25]
    listed = {f"t{number}": [path] for number, path in enumerate(files)}
    stream = sampling.Patches(
        listed, ["x"], ["label", "whole"], n_frames=10, batch_size=4, seed=1
    )
    for inputs, (label, whole) in take(stream.batches(0, 5), 5):
        assert inputs["x"].shape == label.shape == (4, 10, 1)
        assert whole.shape == (4, 1) and set(whole[:, 0]) <= {5, 6}


def test_patches_really_differ(features):
    starts = collections.Counter()
    for inputs, _ in take(patches(features).batches(0, 50), 100):
        for patch in inputs["x"]:
            starts[float(patch[0, 0]), float(patch[0, 1])] += 1
    # 800 draws from 4 x 3 x 181 positions: a repeating sampler gives a few dozen.
    assert len(starts) > 550
    assert max(starts.values()) < 12


def test_all_copies_and_tracks_are_drawn(features):
    seen = {
        float(patch[0, 1])
        for inputs, _ in take(patches(features).batches(0, 50), 50)
        for patch in inputs["x"]
    }
    assert seen == {10 * track + copy for track in range(4) for copy in range(3)}


def test_a_patch_is_contiguous_and_aligned_with_its_labels(features):
    for inputs, (labels,) in take(patches(features).batches(0, 10), 10):
        x = inputs["x"]
        assert x.shape == (8, 20, 2)
        np.testing.assert_array_equal(np.diff(x[..., 0], axis=1), 1)
        np.testing.assert_array_equal(x[..., :1], labels)


def test_one_annotation_per_patch(tmp_path):
    write_track(tmp_path / "a.h5", 100, rows=2)
    files = sampling.copies(tmp_path, ["a"])
    rows = set()
    for _, (labels,) in take(patches(files, n_active=1).batches(0, 20), 20):
        for patch in labels[..., 0]:
            (row,) = {int(value) // 1000 for value in patch}
            rows.add(row)
    assert rows == {0, 1}


def test_an_epoch_depends_on_seed_and_number_alone(features):
    def first(stream):
        return next(stream)[0]["x"]

    through = patches(features).batches(0, 5)
    later = take(through, 11)[10][0]["x"]
    np.testing.assert_array_equal(later, first(patches(features).batches(2, 5)))
    assert not np.array_equal(later, first(patches(features).batches(1, 5)))
    assert not np.array_equal(later, first(patches(features, seed=2).batches(2, 5)))


def test_running_out_of_data_is_an_error(features):
    with pytest.raises(DataError, match="ran out of data after 0 of 5"):
        next(patches(features, n_frames=201).batches(0, 5))


def test_a_short_track_is_passed_over(features, tmp_path):
    for name in ("s", "s.0", "s.1"):
        write_track(tmp_path / f"{name}.h5", 10, value=99)
    files = sampling.copies(tmp_path, [*features, "s"])
    drawn = patches(files)
    seen = {
        float(v)
        for inputs, _ in take(drawn.batches(0, 30), 30)
        for v in inputs["x"][:, 0, 1]
    }
    assert 99 not in seen and len(seen) > 6
    assert drawn.short and drawn.short <= set(files["s"])


def test_damaged_features_name_the_file(features):
    path = features["t0"][0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="t0.h5.*run prepare again"):
        sampling.Excerpts([path], ["x"], ["label"], 10, 2)


def test_excerpts_are_whole_tracks_and_always_the_same(tmp_path):
    lengths = {"a": 25, "b": 40}
    for name, length in lengths.items():
        write_track(tmp_path / f"{name}.h5", length)
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    excerpts = sampling.Excerpts(files, ["x"], ["label"], n_frames=10, batch_size=3)
    batches = [excerpts[number] for number in range(len(excerpts))]
    frames = [
        frame
        for inputs, _, (weights,) in batches
        for patch, weight in zip(inputs["x"], weights, strict=True)
        for frame in patch[weight > 0, 0]
    ]
    assert frames == [*range(25), *range(40)]
    again = excerpts[0]
    np.testing.assert_array_equal(batches[0][0]["x"], again[0]["x"])


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (10, 10), (11, 6), (95, 10)])
def test_files_are_spread_evenly(count, kept):
    chosen = sampling.spread(list(range(count)), 10)
    assert len(chosen) == kept and chosen[0] == 0
    assert len(set(np.diff(chosen))) <= 1


def open_files():
    gc.collect()
    return h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


def test_only_active_tracks_are_open(features):
    before = open_files()
    stream = patches(features, n_active=2).batches(0, 100)
    take(stream, 50)
    assert 1 <= open_files() - before <= 2
    stream.close()
    assert open_files() == before


# --- the whole stage, in processes of its own -----------------------------------------


@pytest.fixture(scope="module")
def keys(corpus, prepared, tmp_path_factory):
    """The directory of the same index and copies with features and pump of key."""
    directory = tmp_path_factory.mktemp("keys")
    shutil.copy(prepared / "index.json", directory)
    run_main(
        KEY / "01-prepare.py",
        *("--corpus", corpus, "--index", directory / "index.json"),
        *("--augmented-dir", prepared / "augmented"),
        *("--feature-dir", directory / "features"),
        *("--pump", directory / "pump.pkl"),
    )
    return directory


def train(keys, resources, *options, program=(str(TRAIN),), **popen):
    command = [sys.executable, "-W", "ignore", *program, "--seed", "7"]
    command += ["--index", str(keys / "index.json")]
    command += ["--feature-dir", str(keys / "features")]
    command += ["--pump", str(keys / "pump.pkl"), "--resources", str(resources)]
    command += ["--threads", "1", "--steps-per-epoch", "2", "--batch-size", "4"]
    command += ["--patch-duration", "2", "--channels", "4", "--epochs", "5"]
    command += ["--validation-fraction", "0.3"]
    # A learning rate so large that the loss grows and the rate is halved.
    command += ["--reduce-patience", "1", "--learning-rate", "1", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen
    )


def finish(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def killed(keys, resources, *options):
    """Kill a training after its second epoch; return the path of its history."""
    process = train(keys, resources, *options)
    history = resources / "history.csv"
    deadline = time.time() + 200
    while not (history.exists() and len(history.read_text().splitlines()) >= 3):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return history


def weights(resources):
    with h5py.File(resources / "model.h5") as store:
        found = {}
        store["model_weights"].visititems(
            lambda name, item: (
                found.update({name: item[:]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def assert_same_weights(a, b):
    left, right = weights(a), weights(b)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted(keys, tmp_path_factory):
    resources = tmp_path_factory.mktemp("uninterrupted")
    finish(train(keys, resources))
    return resources


def test_same_seed_same_weights(keys, uninterrupted, tmp_path):
    (tmp_path / "model.onnx").write_text("of an earlier training")
    finish(train(keys, tmp_path))
    assert not (tmp_path / "model.onnx").exists()
    assert_same_weights(uninterrupted, tmp_path)
    history = (tmp_path / "history.csv").read_text()
    assert history == (uninterrupted / "history.csv").read_text()


def test_two_trainings_do_not_write_to_one_place(keys, tmp_path):
    with disk.alone(tmp_path):
        process = train(keys, tmp_path)
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 1 and not any(tmp_path.iterdir())
    assert errors == f"error: {tmp_path}: another process writes there; " + (
        "wait for it, or stop it\n"
    )


def test_a_killed_training_ends_as_an_uninterrupted_one(keys, uninterrupted, tmp_path):
    # The schedule must have had an effect, so that its saved counters matter.
    whole = pandas.read_csv(uninterrupted / "history.csv")
    assert whole["learning_rate"].nunique() > 1
    history = killed(keys, tmp_path)
    assert not (tmp_path / "model.h5").exists()
    # As a workflow does before it starts the job again.
    history.unlink()
    output = finish(train(keys, tmp_path))
    assert "resuming after epoch" in output
    assert_same_weights(uninterrupted, tmp_path)
    assert history.read_text() == (uninterrupted / "history.csv").read_text()
    assert not list(tmp_path.glob(".training-*"))


def test_a_stopped_training_loses_no_batch(keys, tmp_path):
    longer = ("--steps-per-epoch", "5", "--epochs", "2")
    finish(train(keys, tmp_path / "whole", *longer))
    stopped = tmp_path / "stopped"
    for done, number in enumerate([signal.SIGTERM, signal.SIGINT]):
        process = train(keys, stopped, *longer)
        seen = ""
        while "Epoch 1/" not in seen and "resuming" not in seen:
            assert (line := process.stdout.readline()), process.communicate()[1]
            seen += line
        process.send_signal(number)
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 128 + signal.SIGTERM, errors
        assert errors.strip().splitlines()[-1].startswith("stopped")
        assert (f"after epoch 0 and {done} batches" in seen) == bool(done)
    assert "resuming after epoch 0 and 2 batches" in finish(
        train(keys, stopped, *longer)
    )
    assert_same_weights(tmp_path / "whole", stopped)
    pandas.testing.assert_frame_equal(
        pandas.read_csv(stopped / "history.csv"),
        pandas.read_csv(tmp_path / "whole" / "history.csv"),
        rtol=1e-5,  # means of means are rounded once more
    )


#: SIGTERM arrives at the first batch of the second validation.
STOPPED_IN_VALIDATION = """
import runpy, signal, sys
from crema import backend
backend.keras(1)
from crema.utils import fit
def told(resume, batch, logs=None):
    if resume.history and batch == 0:
        signal.raise_signal(signal.SIGTERM)
        print("told in validation", flush=True)
fit.Resume.on_test_batch_begin = told
sys.argv = sys.argv[1:]  # as if the script had been called
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_training_that_is_stopped_in_validation_goes_on(
    keys, uninterrupted, tmp_path
):
    program = ("-c", STOPPED_IN_VALIDATION, str(TRAIN))
    process = train(keys, tmp_path, program=program)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert output.strip().endswith("told in validation")
    assert errors.strip().splitlines()[-1].startswith("stopped")
    # An epoch ends with its validation, so this one is unfinished.
    assert len(pandas.read_csv(tmp_path / "history.csv")) == 1
    output = finish(train(keys, tmp_path))
    assert "resuming after epoch 1 and 1 batches" in output
    assert_same_weights(uninterrupted, tmp_path)
    pandas.testing.assert_frame_equal(
        pandas.read_csv(tmp_path / "history.csv"),
        pandas.read_csv(uninterrupted / "history.csv"),
        rtol=1e-5,  # means of means are rounded once more
    )


def test_a_killed_training_can_be_ended_with_what_it_has(keys, tmp_path):
    history = killed(keys, tmp_path, "--epochs", "500", "--stop-patience", "500")
    finish(train(keys, tmp_path, "--epochs", "1", "--stop-patience", "500"))
    done = len(history.read_text().splitlines()) - 1
    assert 2 <= done < 500
    record = json.loads((tmp_path / "trainings.jsonl").read_text())
    assert record["epochs"] == done and record["best_epoch"] <= done


#: Each backend draws initial weights, dropout and filters differently.
FROM_SAME_WEIGHTS = """
import pathlib, sys
import numpy as np
sys.path.insert(0, {tests!r})
from conftest import load_script
from crema import backend
backend.keras(1)
from crema.utils import fit
inner, initial = fit.fit, pathlib.Path({initial!r})
def fit_from(model, *args):
    if not initial.exists():
        np.savez(initial, *model.get_weights())
    with np.load(initial) as saved:
        model.set_weights([saved[name] for name in saved.files])
    return inner(model, *args)
fit.fit = fit_from
load_script(pathlib.Path(sys.argv[1])).main(sys.argv[2:])
"""


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="no JAX here")
def test_an_epoch_is_the_same_on_another_backend(prepared, tmp_path):
    code = FROM_SAME_WEIGHTS.format(
        tests=str(ROOT / "tests"), initial=str(tmp_path / "initial.npz")
    )
    options = ("--epochs", "1", "--steps-per-epoch", "10", "--dropout", "0")
    options += ("--learning-rate", "0.001", "--colour", "0", "--recurrent-units", "4")
    losses = []
    for name in ("tensorflow", "jax"):
        environment = {**os.environ, "KERAS_BACKEND": name}
        program = ("-c", code, str(CHORD / "02-train.py"))
        where = tmp_path / name
        finish(train(prepared, where, *options, program=program, env=environment))
        history = pandas.read_csv(tmp_path / name / "history.csv")
        losses.append(history[["loss", "val_loss"]])
        settings = disk.read_json(tmp_path / name / "settings.json")
        assert name in settings["libraries"]
    np.testing.assert_allclose(*losses, rtol=1e-3)


#: The network of key with another output, between the two that have labels.
WITH_ANOTHER_OUTPUT = """
import pathlib, sys
sys.path.insert(0, {tests!r})
from conftest import load_script
from crema import backend
keras = backend.keras(1)
script = load_script(pathlib.Path(sys.argv[1]))
inner = script.network
def network(operators, args):
    model, (first, last), _ = inner(operators, args)
    other = keras.layers.Dense(3, name="other")(model.outputs[1])
    outputs = [model.outputs[0], other, model.outputs[1]]
    return keras.Model(model.inputs, outputs), [first, None, last], [[], [], []]
script.network = network
script.main(sys.argv[2:])
"""


def test_an_output_without_labels_is_saved_but_not_trained(keys, tmp_path):
    code = WITH_ANOTHER_OUTPUT.format(tests=str(ROOT / "tests"))
    finish(train(keys, tmp_path, "--epochs", "1", program=("-c", code, str(TRAIN))))
    model = network.load(tmp_path / "model.h5").model
    assert model.output_names == ["key.overall", "other", "key.local"]
    assert not model.get_layer("other").bias.numpy().any()


def test_an_output_must_have_the_name_of_a_label(keys, tmp_path):
    code = WITH_ANOTHER_OUTPUT.format(tests=str(ROOT / "tests"))
    code = code.replace(
        "[model.outputs[0], other, model.outputs[1]]", "[other]"
    ).replace("[first, None, last]", "[None]")
    process = train(keys, tmp_path, program=("-c", code, str(TRAIN)))
    _, errors = process.communicate(timeout=300)
    assert (
        process.returncode
        and (
            "ConfigError: -c: no output of the network (other) has the name of a label "
            "of the pump (key.local, key.overall)"
        )
        in errors
    )


def test_another_setting_starts_anew(keys, uninterrupted, tmp_path):
    output = finish(train(keys, tmp_path, "--learning-rate", "0.01"))
    assert "resuming" not in output
    assert any(
        not np.array_equal(value, weights(tmp_path)[name])
        for name, value in weights(uninterrupted).items()
    )


def test_a_training_begins_with_the_weights_of_an_earlier_one(
    keys, uninterrupted, tmp_path
):
    before = uninterrupted / "model.h5"
    options = ("--initial", str(before), "--learning-rate", "1e-9", "--epochs", "1")
    finish(train(keys, tmp_path, *options))
    after = weights(tmp_path)
    for name, value in weights(uninterrupted).items():
        if "moving" not in name:
            np.testing.assert_allclose(after[name], value, atol=1e-6, err_msg=name)
    settings = disk.read_json(tmp_path / "settings.json")
    assert settings["hashes"]["initial"] == hashes.of_all([before])
    assert settings["options"]["initial"] == [str(before)]


def test_a_training_begins_with_a_released_model(keys, uninterrupted, tmp_path):
    from crema import export

    released = tmp_path / "model.onnx"
    model = network.load(uninterrupted / "model.h5").model
    released.write_bytes(export.to_onnx(model).SerializeToString())
    options = ("--initial", str(released), "--learning-rate", "1e-9", "--epochs", "1")
    finish(train(keys, tmp_path / "out", *options))
    before, after = weights(uninterrupted), weights(tmp_path / "out")
    for name, value in before.items():
        if "normalization" not in name:
            np.testing.assert_allclose(after[name], value, atol=1e-6, err_msg=name)
    options += ("--patch-duration", "1000")
    _, errors = train(keys, tmp_path / "long", *options).communicate(timeout=100)
    assert "reduce patch_duration" in errors


def test_a_training_begins_with_the_mean_of_several(keys, uninterrupted, tmp_path):
    before = uninterrupted / "model.h5"
    still = ("--learning-rate", "1e-9", "--epochs", "1", "--initial")
    other = tmp_path / "other"
    finish(train(keys, other, "--epochs", "1", "--seed", "8"))
    both = tmp_path / "both"
    finish(train(keys, both, *still, str(before), str(other / "model.h5")))
    first, second, mean = map(weights, (uninterrupted, other, both))
    for name, value in mean.items():
        if "moving" not in name:
            expected = (first[name] + second[name]) / 2
            np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--channels", "6"], "model.h5: does not match this network"),
        (["--initial", "absent.h5"], "absent.h5: no such file"),
    ],
)
def test_weights_to_begin_with_that_do_not_fit_are_refused(
    keys, uninterrupted, tmp_path, options, reason
):
    before = ["--initial", str(uninterrupted / "model.h5")]
    process = train(keys, tmp_path, *before, *options)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert len(errors.strip().splitlines()) == 1 and reason in errors


def test_what_lies_beside_the_model(uninterrupted):
    settings = disk.read_json(uninterrupted / "settings.json")
    assert settings["estimator"] == "key"
    assert settings["options"]["seed"] == 7
    decoder = disk.read_json(uninterrupted / "decoder.json")
    assert 0 < decoder["self_transition"] < 1
    assert len((uninterrupted / "history.csv").read_text().splitlines()) == 6


def test_a_model_that_is_saved_by_halves_is_no_model(tmp_path, monkeypatch):
    """Its files could otherwise be taken for one model with those of the one before."""
    settings = {"estimator": "key", "revision": {"commit": "abc1234", "dirty": False}}
    history = [{"epoch": 1, "loss": 1.0}]
    model = types.SimpleNamespace(save=lambda path, **_: path.write_text("network"))
    stage.save(tmp_path, model, settings, {}, history, "loss")
    assert (tmp_path / "model.h5").read_text() == "network"

    def full(path, data):
        raise CremaError("cannot write")

    monkeypatch.setattr(disk, "write_json", full)
    with pytest.raises(CremaError):
        stage.save(tmp_path, model, settings, {}, history, "loss")
    assert not (tmp_path / "model.h5").exists()


def test_a_training_that_diverges_is_an_error(keys, tmp_path):
    process = train(keys, tmp_path / "out", "--learning-rate", "1e38")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "error: the training diverged in epoch 1: " in errors
    assert not (tmp_path / "out" / "model.h5").exists()


def test_features_of_another_pump_are_refused(keys, tmp_path):
    other = tmp_path / "pump.pkl"
    other.write_bytes(
        (keys / "pump.pkl").read_bytes().replace(b"hop_length", b"hop_lengtH")
    )
    process = train(keys, tmp_path, "--pump", str(other))
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert len(errors.strip().splitlines()) == 1 and "pump.pkl" in errors


def test_an_empty_validation_split_is_an_error(keys, tmp_path):
    process = train(keys, tmp_path, "--validation-fraction", "0.99")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert errors.startswith("error: ") and "validation_fraction" in errors
    assert str(keys / "index.json") in errors


def test_validation_hears_the_mean_of_the_weights():
    keras = backend.keras()
    from crema.utils import fit

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    seen, validated = [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(model.get_weights()[0].item())

        def on_test_batch_end(self, batch, logs=None):
            validated.append(model.get_weights()[0].item())

    x = y = np.ones((3, 1), np.float32)
    average = fit.Average()
    model.fit(
        *(x, 5 * y),
        batch_size=1,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=(x, y),
        validation_batch_size=3,
        callbacks=[Watch(), average],
    )
    mean, expected = seen[0], []
    for count, weight in enumerate(seen, 1):
        mean += (1 - count / (count + 10)) * (weight - mean)
        expected.append(mean)
    assert validated == pytest.approx([expected[2], expected[5]])
    assert average.mean[0].item() == pytest.approx(expected[5])
    # The next batch continues from the last weights, not from their mean.
    assert model.get_weights()[0].item() == pytest.approx(seen[-1])
    assert abs(expected[5] - seen[-1]) > 0.01
