"""Feature files: the output of a pump for one track, as HDF5."""

import contextlib
import io
import pathlib

import numpy as np

from crema.exceptions import DataError, first_line
from crema.utils import disk


def write(path, data, attributes):
    """Write the output of a pump for one track as HDF5, compressed in chunks.

    Metadata and all fields, but those of less than two axes, have checksums: reading a
    damaged file fails.

    Parameters
    ----------
    path : str or path-like
        The ``.h5`` file.
    data : dict of np.ndarray
        Pump fields; the first axis is annotations, the second is time.
    attributes : dict
        HDF5 attributes of the file (strings and numbers).
    """
    import h5py

    # HDF5 crashes at exit after a full disk, so it only writes to memory.
    image = io.BytesIO()
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, image)
    # Before HDF5 1.10, metadata (shapes, types, places of chunks) had no checksums.
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_LATEST)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # the same features are the same bytes
    file = h5py.h5f.create(b"features", h5py.h5f.ACC_TRUNC, creation, access)
    with h5py.File(file) as store:
        store.attrs.update(attributes)
        for field in sorted(data):
            values = np.asarray(data[field])
            # Only chunks have checksums, and an empty array has no chunks.
            if values.ndim < 2 or not values.size:
                store.create_dataset(field, data=values)
                continue
            # Reading a patch decompresses a few chunks, not the whole file.
            store.create_dataset(
                field,
                data=values,
                chunks=(1, min(64, values.shape[1]), *values.shape[2:]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
                fletcher32=True,
            )
    disk.write_bytes(path, image.getbuffer())


@contextlib.contextmanager
def opened(path):
    """Open a feature file for reading.

    Yields
    ------
    h5py.File

    Raises
    ------
    DataError
        The file is missing, damaged, or a read from it fails.
    """
    import h5py

    try:
        # Features are never rewritten in place, so no lock is needed; shared
        # file systems often have none.
        with h5py.File(path, "r", locking=False) as store:
            yield store
    except (OSError, KeyError, RuntimeError) as error:
        reason = first_line(error).strip("'\"")
        path = pathlib.Path(path)
        original = path.with_name(f"{path.name.partition('.')[0]}.h5")
        raise DataError(
            f"{path}: cannot be read ({reason}); delete {original} and run prepare "
            "again, which recomputes the whole track"
        ) from error
