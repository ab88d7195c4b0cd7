"""Measure how the cost of training grows with the corpus.

    python benchmarks/sampling.py FEATURE_DIR INDEX PUMP [--tracks 40 400 10000]

For each number of tracks, hard-links the chord features of the tracks in INDEX as often
as necessary and, with the settings of config/config.yaml, measures:

- ``02-train.py`` in its own process, for one epoch of eight batches, with eight
  validation tracks: the seconds until its first batch (start), the seconds after its
  epoch (end), and its peak resident memory.  Target, for the largest corpus against the
  smallest: at most 5 s more of each and 10 % more memory;
- patches per second of ``crema.utils.sampling.Patches`` alone, from files and with all
  fields in memory: the median of alternating rounds.

Then the network is trained on the largest corpus, as in ``benchmarks/training.py``.
Target: fed from files, it reaches 80 % of the patches per second that it reaches from
memory.

Links share the page cache of their file, so the speed of the disk or the network does
not show.
"""

import contextlib
import itertools
import os
import pathlib
import statistics
import sys
import tempfile
import time

import child

import training
from crema import pump
from crema.utils import hdf5, index, sampling

#: Runs a script, and prints when the first training batch is ready.
RUN = """
import runpy, sys, time
from crema.utils import sampling

class Patches(sampling.Patches):
    def batches(self, *args):
        for number, batch in enumerate(super().batches(*args)):
            if not number:
                print("first batch", time.process_time(), flush=True)
            yield batch

sampling.Patches = Patches
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
INPUTS = ["hcqt.mag"]
TARGETS = ["chord_tag.chord", *(f"chord_struct.{x}" for x in ("pitch", "root", "bass"))]


def link(args, count, directory):
    """Link the features under `count` track ids, and write the index."""
    tracks = index.read_index(args.index)
    files = sampling.copies(args.features, tracks)
    (directory / "features").mkdir(parents=True)
    records = []
    rounds = range(-(-count // len(tracks)))
    for number, track in itertools.islice(itertools.product(rounds, tracks), count):
        name = f"{track}x{number}"
        records.append({"track_id": name, "group": name})
        for path in files[track]:
            os.link(path, directory / "features" / path.name.replace(track, name, 1))
    index.write_index(directory / "index.json", records)


def train(args, settings, count, directory):
    """Train for an epoch.

    Returns
    -------
    start, processor : float
        Wall and processor seconds until the first batch.
    end : float
        Seconds after the epoch.
    memory : int
        Peak resident memory in bytes.
    """
    command = [sys.executable, "-c", RUN, training.SCRIPT]
    command += ["--index", directory / "index.json", "--pump", args.pump]
    command += ["--feature-dir", directory / "features"]
    command += ["--resources", directory / "resources"]
    short = {"epochs": 1, "steps_per_epoch": 8, "validation_fraction": 8 / count}
    options = {**vars(settings), **short, "threads": args.threads}
    for key, value in options.items():
        command.append(f"--{key.replace('_', '-')}")
        command += map(str, value if isinstance(value, list) else [value])
    usage = child.run(command)
    lines = usage.output.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("first batch"))
    end = next(n for n, line in enumerate(lines) if line.startswith("8/8"))
    processor = float(lines[begin].split()[-1])
    after = usage.wall - usage.times[end]
    return usage.times[begin], processor, after, usage.memory


class InMemory:
    """Opener of feature files that were read before, once per file, not per link."""

    def __init__(self):
        self.fields = {}

    def read(self, files):
        """Read the fields of all files."""
        for path in itertools.chain(*files.values()):
            inode = path.stat().st_ino
            if inode not in self.fields:
                with hdf5.opened(path) as store:
                    fields = {name: store[name][:] for name in (*INPUTS, *TARGETS)}
                self.fields[inode] = fields

    @contextlib.contextmanager
    def open(self, path):
        """Yield the fields of a file."""
        yield self.fields[os.stat(path).st_ino]


def rate(patches, epoch, steps):
    """Return patches per second, without the first batch, which opens most files."""
    stream = patches.batches(epoch, steps + 1)
    next(stream)
    begin = time.perf_counter()
    for _ in itertools.islice(stream, steps):
        pass
    seconds = time.perf_counter() - begin
    stream.close()
    return steps * patches.batch_size / seconds


def rates(args, settings, directories):
    """Return patches per second from files and from memory, for each corpus."""
    operators = pump.load(args.pump)
    memory, from_files = InMemory(), hdf5.opened
    streams = {}
    for count, directory in directories.items():
        tracks = index.read_index(directory / "index.json")
        files = sampling.copies(directory / "features", tracks)
        memory.read(files)
        streams[count] = training.patches(files, INPUTS, TARGETS, operators, settings)
    found = {count: ([], []) for count in directories}
    for epoch, count in itertools.product(range(args.rounds), directories):
        for kind, opener in enumerate((from_files, memory.open)):
            hdf5.opened = opener
            found[count][kind].append(rate(streams[count], epoch, args.steps))
    hdf5.opened = from_files
    return {
        count: [statistics.median(values) for values in pair]
        for count, pair in found.items()
    }


def main():
    """Run the benchmark."""
    parser = training.parser(__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[40, 400, 10000])
    parser.add_argument(
        "--rounds", type=int, default=5, help="measurements of each stream"
    )
    beside = (
        "directory for the links, on the file system of the features (default: "
        "beside them)"
    )
    parser.add_argument("--directory", type=pathlib.Path, help=beside)
    args = parser.parse_args()
    settings = training.chord_settings()
    beside = args.directory or args.features.resolve().parent
    with tempfile.TemporaryDirectory(dir=beside) as temporary:
        measure(args, settings, pathlib.Path(temporary))


def measure(args, settings, work):
    """Measure in the directory `work`, and print the results."""
    directories = {count: work / str(count) for count in sorted(args.tracks)}
    for count, directory in directories.items():
        link(args, count, directory)
    print("tracks   start s   (processor)   end s   memory MB", flush=True)
    costs = {}
    for count, directory in directories.items():
        costs[count] = *seconds, memory = train(args, settings, count, directory)
        row = "{:9.1f} {:13.1f} {:7.1f}".format(*seconds)
        print(f"{count:6d} {row} {memory / 1e6:11.0f}", flush=True)
    kinds = ("start", "start, processor", "end")
    first, last = costs[min(costs)], costs[max(costs)]
    for what, before, after in zip(kinds, first[:3], last[:3], strict=True):
        more = after - before
        ratio = after / before
        print(f"{what}: {more:+.1f} s (target 5: {more <= 5}), ratio {ratio:.2f}")
    growth = last[3] / first[3]
    print(f"memory: ratio {growth:.3f} (target 1.1: {growth <= 1.1})")

    print("tracks   patches/s   from memory   ratio", flush=True)
    streams = rates(args, settings, directories)
    for count, (files, memory) in streams.items():
        print(f"{count:6d} {files:11.0f} {memory:13.0f} {files / memory:7.3f}")
    flat = streams[max(streams)][0] / streams[min(streams)][0]
    print(f"ratio of patches/s, most tracks to fewest: {flat:.3f}", flush=True)

    args.features = directories[max(directories)] / "features"
    args.index = directories[max(directories)] / "index.json"
    share = training.waiting(args, settings)
    print(f"in training, files / memory: {1 - share:.3f} (target 0.8: {share <= 0.2})")


if __name__ == "__main__":
    main()
