"""Features are read as they were written, or an error names the file."""

import time

import h5py
import numpy as np
import pytest
from conftest import one_line

from crema.exceptions import DataError
from crema.utils import hdf5


@pytest.fixture
def features(tmp_path):
    draw = np.random.default_rng(0)
    data = {
        "hcqt.mag": draw.integers(0, 255, (1, 1000, 72, 2)).astype("uint8"),
        "hcqt.float": draw.random((1, 1000, 72, 2), dtype="float32"),
        "tag.chord": draw.integers(0, 170, (2, 1000, 1)),
        "struct.pitch": draw.random((2, 1000, 12)) > 0.5,
        "tag._valid": np.array([[0, 1000], [0, 900]]),
        "none": np.zeros((1, 0, 4)),
    }
    path = tmp_path / "a.h5"
    hdf5.write(path, data, {"track_id": "a", "size": 3})
    return path, data


def test_features_are_read_as_they_were_written(features):
    path, data = features
    with hdf5.opened(path) as store:
        assert set(store) == set(data)
        assert dict(store.attrs) == {"track_id": "a", "size": 3}
        for field, values in data.items():
            assert store[field].dtype == values.dtype
            np.testing.assert_array_equal(store[field][:], values)


def test_a_patch_is_read_by_itself(features):
    path, data = features
    with hdf5.opened(path) as store:
        for field in ("hcqt.mag", "tag.chord", "struct.pitch"):
            shape = data[field].shape
            assert store[field].chunks == (1, 64, *shape[2:])
            assert store[field].compression == "gzip"
        patch = store["hcqt.mag"][0, 500:550]
    np.testing.assert_array_equal(patch, data["hcqt.mag"][0, 500:550])


def test_short_tracks_are_one_chunk(tmp_path):
    hdf5.write(tmp_path / "a.h5", {"x": np.zeros((1, 5, 3))}, {})
    with hdf5.opened(tmp_path / "a.h5") as store:
        assert store["x"].chunks == (1, 5, 3)


def test_the_same_features_are_the_same_bytes(features, tmp_path):
    path, data = features
    again = tmp_path / "b.h5"
    time.sleep(1.1)  # times of creation have a resolution of a second
    shuffled = dict(reversed(data.items()))
    hdf5.write(again, shuffled, {"track_id": "a", "size": 3})
    assert again.read_bytes() == path.read_bytes()


def read_everything(path):
    with hdf5.opened(path) as store:
        return {field: store[field][:] for field in store}


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "half", "end", "chunk"])
def test_damaged_features_are_named(features, damage):
    path, _ = features
    whole = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "chunk":
        with h5py.File(path) as store:
            place = store["hcqt.mag"].id.get_chunk_info(3)
        start = place.byte_offset
        whole[start : start + place.size] = b"\xa5" * place.size
        path.write_bytes(whole)
    else:
        size = {"half": len(whole) // 2, "end": len(whole) - 100}.get(damage, 0)
        path.write_bytes(b"no HDF5\n" * 50 if damage == "text" else whole[:size])
    with pytest.raises(DataError) as caught:
        read_everything(path)
    assert f"delete {path} and run prepare again" in one_line(caught, path)


def test_no_changed_byte_goes_unnoticed(features):
    path, data = features
    data = {field: values[:, :100] for field, values in data.items()}
    hdf5.write(path, data, {"track_id": "a"})
    whole = path.read_bytes()
    draw = np.random.default_rng(0)
    noticed = 0
    # The first and last bytes are metadata, which are few beside the features.
    ends = [*range(1000), *range(len(whole) - 1000, len(whole))]
    for at in [*ends, *draw.integers(len(whole), size=1000)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << draw.integers(8)
        path.write_bytes(damaged)
        try:
            found = read_everything(path)
        except DataError:
            noticed += 1
            continue
        for field, values in data.items():
            np.testing.assert_array_equal(found[field], values)
    assert noticed > 1000


def test_the_file_that_stands_for_a_damaged_copy_is_named(tmp_path):
    path = tmp_path / "a.0.h5"
    path.write_text("no HDF5")
    message = f"{path}: cannot be read .*; delete {tmp_path / 'a.h5'} and run prepare"
    with pytest.raises(DataError, match=message), hdf5.opened(path):
        pass


def test_a_field_that_is_not_there_is_named(features):
    path, _ = features
    with pytest.raises(DataError, match="another"), hdf5.opened(path) as store:
        store["another"][:]


def test_errors_of_others_pass_through(features):
    path, _ = features
    with pytest.raises(DataError, match="^mine$"), hdf5.opened(path):
        raise DataError("mine")
    with pytest.raises(ZeroDivisionError), hdf5.opened(path):
        raise ZeroDivisionError
