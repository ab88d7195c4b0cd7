"""Measure how long Snakemake takes to plan a large corpus.

    python benchmarks/dry_run.py [--tracks 5000] [--batch 1/20 | --job] [OPTION ...]

Copies this checkout to a temporary directory, makes a corpus of empty files with the
given number of training tracks and a tenth as many test tracks, and measures there the
wall time and the peak resident memory of ::

    snakemake -n training/chord/resources/test_data.json

with 11 transposed copies of each track.  Target: less than 90 s and less than 1 GB.
With --batch, it measures the planning of the features of one batch, ::

    snakemake -n --batch train=I/N training/chord/resources/model.h5

Target, for 5000 of 100000 tracks: less than 60 s and less than 0.5 GB.  With --job, it
measures the planning that a cluster node does twice before it runs a group of tracks;
target, for any number of tracks: less than 10 s and less than 0.15 GB.  All other
options, such as --max-inventory-time 0, are passed to Snakemake.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import child

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAINED = "training/chord/resources/model.h5"
EVALUATED = "training/chord/resources/test_data.json"
#: Options that an executor adds for a remote job, as far as they matter here.
JOB = ["--target-jobs", "setup:estimator=chord,track=train_000000", "--force"]
JOB += ["--allowed-rules", "setup", "--nolock", "--mode", "remote"]
JOB += ["--max-inventory-time", "0"]
OVERLAY = """\
corpus: {directory: corpora/large, audio_ext: flac, jams_ext: jams}
index: {train: corpora/large/index_train.json, test: corpora/large/index_test.json}
chord: {setup: {semitones: [-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5]}}
"""


def copy_checkout(directory):
    """Copy all files that git tracks or does not ignore, as they are now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)


def make_corpus(directory, n_tracks):
    """Write empty pairs of files, the indexes, and the settings that refer to them."""
    from crema.utils import index

    corpus = index.Corpus(directory / "corpora" / "large")
    corpus.directory.mkdir(parents=True)
    for split, count in (("train", n_tracks), ("test", max(1, n_tracks // 10))):
        tracks = [f"{split}_{number:06d}" for number in range(count)]
        for track in tracks:
            corpus.audio(track).touch()
            corpus.jams(track).touch()
        records = [{"track_id": track, "group": track} for track in tracks]
        index.write_index(corpus.directory / f"index_{split}.json", records)
    (directory / "large.yaml").write_text(OVERLAY)


def main():
    """Measure one dry run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tracks", type=int, default=5000, help="to train on")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--batch", metavar="I/N", help="a batch of the jobs, as in docs/cluster.md"
    )
    only.add_argument(
        "--job", action="store_true", help="one job, as a cluster node runs it"
    )
    args, others = parser.parse_known_args()
    what, seconds, megabytes = ["--", EVALUATED], 90, 1000
    if args.batch:
        what = ["--batch", f"train={args.batch}", "--", TRAINED]
        seconds, megabytes = 60, 500
    if args.job:
        what, seconds, megabytes = JOB, 10, 150
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        copy_checkout(directory)
        make_corpus(directory, args.tracks)
        command = [sys.executable, "-m", "snakemake", "-n", *others]
        command += ["--configfile", "config/config.yaml", "large.yaml", *what]
        usage = child.run(command, cwd=directory)
    jobs = re.findall(r"^total +(\d+)", usage.output, re.MULTILINE)
    print(f"{args.tracks} training tracks, {jobs[-1]} jobs")
    memory = usage.memory / 1e6
    print(f"wall time: {usage.wall:.1f} s (target {seconds}: {usage.wall < seconds})")
    print(f"processor time: {usage.processor:.1f} s")
    print(f"memory: {memory:.0f} MB (target {megabytes}: {memory < megabytes})")


if __name__ == "__main__":
    main()
