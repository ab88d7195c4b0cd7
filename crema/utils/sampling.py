"""Batches of training data: random patches to train on, whole tracks to validate.

Each patch is read from its file on its own, so that memory is bounded by the number of
open tracks, not by the size of the corpus.
"""

import collections
import os
import pathlib

import numpy as np

from crema.exceptions import DataError
from crema.utils import hdf5, rng


def copies(feature_dir, tracks):
    """List the feature files of each track: the original and its copies.

    Parameters
    ----------
    feature_dir : path-like
        Directory of ``track_id.h5`` and ``track_id.augment_id.h5``.
    tracks : iterable of str
        Track ids.

    Returns
    -------
    dict of str to list of pathlib.Path
        The original first.

    Raises
    ------
    DataError
        A track has no features, or fewer copies than another.
    """
    files = collections.defaultdict(list)
    # One listing for all: a glob per track would read the directory each time.
    try:
        names = [entry.name for entry in os.scandir(feature_dir)]
    except OSError as error:
        raise DataError(
            f"{feature_dir}: cannot be read ({error.strerror}); run prepare first"
        ) from error
    for name in names:
        if name.endswith(".h5") and not name.startswith("."):
            track, _, copy = name[: -len(".h5")].partition(".")
            order = (int(copy) if copy.isdecimal() else -1, copy)
            files[track].append((order, pathlib.Path(feature_dir, name)))
    listed = {}
    for track in tracks:
        if not any(not copy for (_, copy), _ in files[track]):
            raise DataError(
                f"{feature_dir}: track {track} has no features; run prepare on it"
            )
        listed[track] = [path for _, path in sorted(files[track])]
    counts = {len(paths) for paths in listed.values()}
    if len(counts) > 1:
        short = min(listed, key=lambda track: len(listed[track]))
        raise DataError(
            f"{feature_dir}: track {short} has {len(listed[short]) - 1} augmented "
            f"copies, but others have {max(counts) - 1}; delete {short}.h5 and run "
            "prepare again"
        )
    return listed


class Patches:
    """An endless stream of batches of random patches.

    Epoch ``e`` depends only on the seed and on ``e``, so that a training can resume
    at any epoch.  Each visit to a track chooses one of its copies and one annotation,
    and draws from its own random stream: pescador copies the state of a sampler
    whenever it activates one, and a shared stream would draw the same patches at every
    visit.

    Parameters
    ----------
    files : dict of str to list of path-like
        As :func:`copies` returns them.
    inputs, targets : list of str
        Pump fields.
    n_frames : int
        Length of a patch in frames.
    batch_size : int
        Patches in a batch.
    seed : int
        Seed of all draws.
    n_active : int
        Number of tracks open at the same time.
    rate : float
        Mean number of patches per visit to a track.
    """

    def __init__(
        self, files, inputs, targets, n_frames, batch_size, seed, n_active=32, rate=8
    ):
        self.files = files
        self.inputs, self.targets = inputs, targets
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.seed = seed
        self.n_active = n_active
        self.rate = rate
        #: Drawn files that are shorter than a patch.
        self.short = set()

    def batches(self, first_epoch, n_steps, skip=0):
        """Yield ``(inputs, targets)``, `n_steps` batches per epoch, without end.

        `skip` batches of the first epoch are left out.

        Raises
        ------
        DataError
            No track is as long as a patch, or a file cannot be read.
        """
        epoch = first_epoch
        while True:
            step = 0
            for step, batch in enumerate(self.epoch(epoch), 1):
                if step > skip:
                    yield batch
                if step == n_steps:
                    break
            if step < n_steps:
                # Keras would accept the short epoch and report a normal one.
                raise DataError(
                    f"training ran out of data after {step} of {n_steps} batches: no "
                    f"track is as long as a patch of {self.n_frames} frames; reduce "
                    "patch_duration"
                )
            epoch, skip = epoch + 1, 0

    def epoch(self, epoch):
        """Yield the batches of one epoch, without end."""
        import pescador

        visits = collections.Counter()

        def visit(track):
            visits[track] += 1
            draw = rng.generator(self.seed, epoch, track, visits[track])
            yield from self.patches(self.files[track], draw)

        mux = pescador.StochasticMux(
            [pescador.Streamer(visit, track) for track in self.files],
            n_active=self.n_active,
            rate=self.rate,
            dist="poisson",
            random_state=int(rng.generator(self.seed, epoch).integers(2**31)),
        )
        for batch in pescador.buffer_stream(mux, self.batch_size):
            yield (
                {name: batch[name] for name in self.inputs},
                tuple(batch[name] for name in self.targets),
            )

    def patches(self, paths, draw):
        """Yield patches of one copy of a track; none if the copy is too short."""
        path = paths[draw.integers(len(paths))]
        names = [*self.inputs, *self.targets]
        with hdf5.opened(path) as store:
            fields = {name: store[name] for name in names}
            annotation = draw.integers(max(len(field) for field in fields.values()))
            length = frames_in(fields.values())
            if length < self.n_frames:
                self.short.add(path)
            while length >= self.n_frames:
                start = draw.integers(length - self.n_frames + 1)
                yield {
                    # Features have one row; labels one per annotation, and a patch
                    # takes all its labels from the same one.
                    name: excerpt(field, annotation % len(field), start, self.n_frames)
                    for name, field in fields.items()
                }


class Excerpts:
    """Whole tracks as consecutive excerpts of equal length, in a fixed order.

    The last excerpt of a track is padded; sample weights of 0 mark the padding.

    Parameters
    ----------
    files : list of path-like
        One feature file per track.
    inputs, targets : list of str
        Pump fields.
    n_frames : int
        Length of an excerpt in frames.
    batch_size : int
        Excerpts in a batch.
    """

    def __init__(self, files, inputs, targets, n_frames, batch_size):
        self.inputs, self.targets = inputs, targets
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.excerpts = []
        for path in files:
            with hdf5.opened(path) as store:
                length = frames_in(store[name] for name in [*inputs, *targets])
            self.excerpts += [(path, at) for at in range(0, length, n_frames)]
        if not self.excerpts:
            raise DataError("all validation tracks are empty; hold out others")

    def __len__(self):
        """Return the number of batches."""
        return -(-len(self.excerpts) // self.batch_size)

    def __getitem__(self, number):
        """Return ``(inputs, targets, sample weights)`` of one batch."""
        first = number * self.batch_size
        rows = [
            self.excerpt(*where)
            for where in self.excerpts[first : first + self.batch_size]
        ]
        batch = {name: np.stack([row[name] for row, _ in rows]) for name in rows[0][0]}
        valid = np.asarray([valid for _, valid in rows])
        frames = (np.arange(self.n_frames) < valid[:, np.newaxis]).astype(np.float32)
        # A label of the whole track is weighted by the valid share of the excerpt.
        whole = (valid / self.n_frames).astype(np.float32)
        return (
            {name: batch[name] for name in self.inputs},
            tuple(batch[name] for name in self.targets),
            tuple(frames if has_time(batch[name]) else whole for name in self.targets),
        )

    def excerpt(self, path, start):
        """Return the padded fields of the excerpt at `start`, and its valid length."""
        row = {}
        with hdf5.opened(path) as store:
            for name in [*self.inputs, *self.targets]:
                values = excerpt(store[name], 0, start, self.n_frames)
                if has_time(store[name]):
                    valid = len(values)
                    padding = [(0, self.n_frames - valid)]
                    values = np.pad(values, padding + [(0, 0)] * (values.ndim - 1))
                row[name] = values
        return row, valid


def has_time(field):
    """Return whether a stored field varies in time.

    Its axes are then annotations, frames and values; else annotations and values.
    """
    return field.ndim > 2


def frames_in(fields):
    """Return the number of frames that all time-varying fields share."""
    return min(field.shape[1] for field in fields if has_time(field))


def excerpt(field, annotation, start, length):
    """Return frames of one annotation of a field, or its values if it has none."""
    if has_time(field):
        return field[annotation, start : start + length]
    return field[annotation]


def spread(files, most):
    """Return at most `most` of a list of files, equally spaced."""
    return files[:: -(-len(files) // most)]


def labels(files, field):
    """Yield one field of each file, shape ``(n_annotations, n_frames, ...)``."""
    for path in files:
        with hdf5.opened(path) as store:
            yield store[field][:]


def self_transition(files, field):
    """Estimate the self-transition probability of a field of labels.

    Parameters
    ----------
    files : list of path-like
        Feature files.
    field : str
        Field of class indices over time; negative where unknown.

    Returns
    -------
    float
        Probability that a frame has the label of the one before, in (0, 1).
    """
    same = total = 0
    for states in labels(files, field):
        before, after = states[:, :-1], states[:, 1:]
        known = (before >= 0) & (after >= 0)
        same, total = same + np.sum(known & (before == after)), total + np.sum(known)
    # Add-one smoothing, so that neither case is impossible.
    return float((same + 1) / (total + 2))
