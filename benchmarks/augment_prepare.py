"""Compare setup and prepare with the plain loop over muda and pumpp.

    python benchmarks/augment_prepare.py CORPUS_DIR [--tracks 8]

Makes 11 transposed copies of each track and the features and labels of all 12 versions,
in two processes of one thread each, in two ways:

- ours: ``crema.utils.setup.augment`` and ``crema.utils.prepare.prepare`` with the
  deformer and the pump of the chord estimator;
- plain: ``muda.deformers.PitchShift``, which runs the program ``rubberband``, at
  44.1 kHz; pumpp's own HCQT at that rate and twice our hop length, hence the same
  frame rate; ``numpy.savez``.

Both read and write FLAC.  They take turns on each pair of tracks, in both processes at
once, so that other load on the machine affects both alike.  Target: ours takes at most
0.6 of the time of the plain loop.

A workflow also starts two scripts per track, unlike the plain loop.  This start-up is
timed on a track of five seconds, and the ratio of processor time including it is
printed too.

The size of the feature files is compared with that of the same arrays as uncompressed
32-bit values; target: at most 1/3.
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import resource
import shutil
import sys
import tempfile
import time
import warnings

import child

CHORD = pathlib.Path(__file__).resolve().parent.parent / "training" / "chord"
SEMITONES = [-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5]
FRAMES = {"sr": 44100, "hop_length": 4096}


def ours(track, corpus, work):
    """Run setup and prepare on one track."""
    from crema.deformers import PitchShift
    from crema.utils import prepare, setup

    copies = work / "augmented"
    setup.augment(track, corpus, copies, "flac", PitchShift(SEMITONES))
    prepare.prepare(track, corpus, copies, "flac", work / "features", work / "pump.pkl")


def plain(track, corpus, work):
    """Do the same with muda and pumpp, as their documentation shows."""
    import jams
    import numpy as np

    from crema.compiled import muda, pumpp

    work = work / "plain"
    work.mkdir(exist_ok=True)
    deformer = muda.deformers.PitchShift(n_semitones=SEMITONES)
    pump = pumpp.Pump(
        pumpp.feature.HCQTMag(
            "hcqt",
            n_octaves=6,
            over_sample=3,
            harmonics=[1, 2],
            log=True,
            conv="tf",
            **FRAMES,
        ),
        pumpp.task.ChordTagTransformer(
            "chord_tag", vocab="3567s", sparse=True, **FRAMES
        ),
        pumpp.task.ChordTransformer("chord_struct", sparse=True, **FRAMES),
    )
    sources = [(corpus.audio(track), corpus.jams(track))]
    packed = muda.load_jam_audio(
        str(sources[0][1]), str(sources[0][0]), sr=FRAMES["sr"]
    )
    for number, copy in enumerate(deformer.transform(packed)):
        audio, annotation = (work / f"{track}.{number}.{x}" for x in ("flac", "jams"))
        muda.save(str(audio), str(annotation), copy, strict=False)
        # Neither JAMS nor pumpp accepts the Unicode sharps that muda writes.
        annotation.write_text(annotation.read_text().replace("\\u266f", "#"))
        sources.append((audio, annotation))
    for audio, annotation in sources:
        jam = jams.load(str(annotation), strict=False)
        data = pump.transform(audio_f=str(audio), jam=jam, sr=FRAMES["sr"])
        np.savez(work / f"{audio.stem}.npz", **data)


def timed(track, way, corpus, work):
    """Return the processor seconds of one way on a track, including subprocesses."""
    before = time.process_time() + children()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        way(track, corpus, work)
    return time.process_time() + children() - before


def children():
    """Return the processor seconds of all subprocesses that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def warm_up(corpus, work):
    """Run both ways on a short track, so that imports and compilation are not timed."""
    for way in (ours, plain):
        timed("short", way, corpus, work)


def shorten(directory, corpus, track):
    """Write the first five seconds of a track as a corpus; return the corpus."""
    from crema.utils import audiofile, index, jamsfile

    made = index.Corpus(directory)
    y, rate = audiofile.read(corpus.audio(track))
    jam = jamsfile.read(corpus.jams(track)).slice(0, 5)
    audiofile.write(made.audio("short"), y[: 5 * rate], rate)
    jamsfile.write(made.jams("short"), jam)
    return made


def start_up(short, work):
    """Return the processor seconds of both scripts on the short track, no copies."""
    common = ["--corpus", short.directory, "--track", "short"]
    setup = ["00-setup.py", *common, "--output-dir", work / "augmented", "--semitones"]
    prepare = ["01-prepare.py", *common, "--augmented-dir", work / "augmented"]
    prepare += ["--feature-dir", work / "features", "--pump", work / "pump.pkl"]
    return sum(
        child.run([sys.executable, CHORD / script, *options]).processor
        for script, *options in (setup, prepare)
    )


def stored(directory):
    """Return the bytes of all feature files, and of their arrays as 32-bit values."""
    import h5py

    files, arrays = 0, 0
    for path in directory.glob("*.h5"):
        files += path.stat().st_size
        with h5py.File(path) as store:
            arrays += sum(4 * store[field].size for field in store)
    return files, arrays


def main():
    """Time both ways."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "corpus", type=pathlib.Path, help="directory of *.flac and *.jams"
    )
    parser.add_argument("--tracks", type=int, default=8, help="number of tracks to use")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--keep", type=pathlib.Path, help="directory to keep the files in"
    )
    args = parser.parse_args()
    if not shutil.which("rubberband"):
        sys.exit("rubberband is not installed: apt-get install rubberband-cli")
    # This must precede the import of NumPy, here and in the worker processes.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

    with tempfile.TemporaryDirectory() as temporary:
        measure(args, args.keep or pathlib.Path(temporary))


def measure(args, work):
    """Time both ways in directory `work`."""
    from crema.utils import index

    pump = ["--pump", work / "pump.pkl", "--pump-only", "--corpus", args.corpus]
    pump += ["--augmented-dir", work, "--feature-dir", work]
    child.run([sys.executable, CHORD / "01-prepare.py", *pump])
    corpus = index.Corpus(args.corpus)
    # Tracks of similar size share a round, so that no process waits long for the other.
    tracks = sorted(path.stem for path in args.corpus.glob("*.flac"))[: args.tracks]
    tracks.sort(key=lambda track: corpus.audio(track).stat().st_size)
    short = shorten(work / "short", corpus, tracks[0])
    start = min(start_up(short, work) for _ in range(2))
    (work / "features" / "short.h5").unlink()

    wall, processor = {ours: 0.0, plain: 0.0}, {ours: 0.0, plain: 0.0}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(args.processes, context) as pool:
        workers = [work / f"warm{number}" for number in range(args.processes)]
        for directory in workers:
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(work / "pump.pkl", directory)
        list(pool.map(functools.partial(warm_up, short), workers))
        for first in range(0, len(tracks), args.processes):
            together = tracks[first : first + args.processes]
            # The order of the two alternates, too.
            for way in ((ours, plain), (plain, ours))[first // args.processes % 2]:
                begin = time.perf_counter()
                task = functools.partial(timed, way=way, corpus=corpus, work=work)
                processor[way] += sum(pool.map(task, together))
                seconds = time.perf_counter() - begin
                wall[way] += seconds
                print(f"{way.__name__:5s} {seconds:7.1f} s  {' '.join(together)}")
                sys.stdout.flush()

    print(f"{len(tracks)} tracks, 11 copies each, {args.processes} processes")
    for name, of in (("wall", wall), ("processor", processor)):
        ratio = of[ours] / of[plain]
        print(f"{name} time: {of[ours]:.0f} s, plain {of[plain]:.0f} s, {ratio:.3f}")
    ratio = wall[ours] / wall[plain]
    started = (processor[ours] + len(tracks) * start) / processor[plain]
    print(f"ratio of wall time: {ratio:.3f} (target 0.6: {ratio <= 0.6})")
    print(
        f"ratio of processor time with {start:.1f} s to start two scripts per track: "
        f"{started:.3f}"
    )
    files, arrays = stored(work / "features")
    print(
        f"features: {files / 1e6:.1f} MB, as 32-bit floats {arrays / 1e6:.1f} MB, "
        f"ratio {files / arrays:.3f} (target 1/3: {files / arrays <= 1 / 3})"
    )


if __name__ == "__main__":
    main()
