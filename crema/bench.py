"""Time each stage of annotating a piece.

    python -m crema.bench song.flac

prints the wall-clock and processor time of each stage in seconds, and the wall-clock
time per minute of audio.  Loading happens once per process.  The other stages run one
after the other for each piece; the fastest of `--repeat` runs is printed.  The last
lines give the time of the program itself, in which some stages overlap, and the peak
memory.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time

from crema import exceptions
from crema.utils import cli


class Clock:
    """Wall-clock and processor time in seconds, by stage, in order of appearance."""

    def __init__(self):
        self.stages = {}

    @contextlib.contextmanager
    def stage(self, name):
        """Add the time of the enclosed block to a stage."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        before = self.stages.get(name, (0, 0))
        spent = (time.perf_counter() - wall, time.process_time() - cpu)
        self.stages[name] = tuple(map(sum, zip(before, spent, strict=True)))

    def total(self):
        """Return the total times of all stages."""
        return tuple(map(sum, zip(*self.stages.values(), strict=True)))


def load(models, tasks):
    """Time the stages that run once per process.

    Returns
    -------
    Clock, list of crema.models.base.Estimator
    """
    clock = Clock()
    with clock.stage("import"):
        import jams  # noqa: F401 -- the import is timed

        from crema import analyze
        from crema.audio import Audio  # noqa: F401
    with clock.stage("load models"):
        estimators = analyze.load_models(models, tasks)
    return clock, estimators


def whole(path, estimators):
    """Return the time in seconds that the program ``crema`` takes for a piece."""
    from crema.analyze import analyze
    from crema.utils import jamsfile

    start = time.perf_counter()
    jam = analyze(path, model=estimators)
    with tempfile.TemporaryDirectory() as directory:
        jamsfile.write(pathlib.Path(directory, "out.jams"), jam)
    return time.perf_counter() - start


def run(path, estimators):
    """Time the stages that run for each piece.

    Parameters
    ----------
    path : str or path-like
        An audio file.
    estimators : list of crema.models.base.Estimator
        The estimators to run.

    Returns
    -------
    Clock, float
        The stages, and the duration of the audio in seconds.
    """
    import jams

    from crema.audio import Audio
    from crema.utils import jamsfile

    clock = Clock()
    with clock.stage("read"):
        audio = Audio(path)
    for rate in {op.sr for e in estimators for op in e.extractors}:
        with clock.stage("resample"):
            audio.at(rate)
    for estimator in estimators:
        for operator in estimator.extractors:
            with clock.stage(f"features: {operator.name}"):
                audio.features(operator)
    jam = jams.JAMS()
    jam.file_metadata.duration = audio.duration
    annotations = {}
    for estimator in estimators:
        with clock.stage(f"network: {estimator.name}"):
            estimator.posteriors(audio)
        with clock.stage(f"decoding: {estimator.name}"):
            annotations[estimator.name] = estimator.annotate(audio)
    with clock.stage("revising"):
        for estimator in estimators:
            jam.annotations.extend(estimator.revise(annotations))
    with tempfile.TemporaryDirectory() as directory, clock.stage("write JAMS"):
        jamsfile.write(pathlib.Path(directory, "out.jams"), jam)
    return clock, audio.duration


def table(clocks, minutes):
    """Format clocks, one line per stage."""
    lines = [f"{'':24}{'wall s':>9}{'cpu s':>9}{'wall s per minute':>19}"]
    for title, clock in clocks.items():
        for name, (wall, cpu) in [*clock.stages.items(), (title, clock.total())]:
            per_minute = (
                f"{wall / minutes:19.4f}" if clock is not clocks["loading"] else ""
            )
            lines.append(f"{name:24}{wall:9.3f}{cpu:9.3f}{per_minute}")
        lines.append("")
    return "\n".join(lines).rstrip()


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("audio", help="WAV, FLAC, Ogg, MP3, ...")
    parser.add_argument("--model", action="append", default=[], metavar="DIR")
    parser.add_argument("--tasks", type=cli.names, metavar="NAME,...")
    parser.add_argument("--repeat", type=int, default=3, metavar="N")
    args = parser.parse_args(argv)

    loading, estimators = load(args.model, args.tasks)
    first = whole(args.audio, estimators)
    repeats = range(max(1, args.repeat))
    runs = [run(args.audio, estimators) for _ in repeats]
    best, duration = min(runs, key=lambda pair: pair[0].total()[0])
    warm = min(whole(args.audio, estimators) for _ in repeats)
    print(f"{args.audio}: {duration:.1f} s of audio, {len(runs)} runs")
    print(table({"loading": loading, "each piece": best}, duration / 60))
    cold = loading.total()[0] + first
    print(f"\nin a new process {cold:.2f} s, in a warm process {warm:.2f} s")
    print(f"peak memory {peak() / 2**20:.0f} MB")


def peak():
    """Return the peak memory of this process in bytes, 0 if unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    exceptions.program(main)
