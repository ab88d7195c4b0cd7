"""After a failed run: report which tracks cannot be used, why, and how to continue.

in   logs/ESTIMATOR/STAGE/TRACK.log of this run, whose last line is an error
out  training/ESTIMATOR/resources/.failed/, marks of the jobs that failed
"""

BEGUN = time.time()


def failed_tracks():
    """Return the last errors of this run, by track."""
    found = {}
    for log in pathlib.Path("logs").glob("*/*/*.log"):
        if log.parts[1] in ESTIMATORS and log.stat().st_mtime >= BEGUN:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            if lines and lines[-1].startswith("error: "):
                found[log.stem] = lines[-1].removeprefix("error: ")
    return found


def mark_failures():
    """Mark failed jobs, so that they and what depends on them run again next time.

    Snakemake treats a failed job as if it had run with its current inputs.  Later
    results from before, such as scores, would count as up to date.
    """
    marks = {estimator: set() for estimator in ESTIMATORS}
    for log in pathlib.Path("logs").glob("*/**/*.log"):
        estimator, stage, track = log.parts[1], log.parts[2], log.stem
        if estimator not in ESTIMATORS or log.stat().st_mtime < BEGUN:
            continue
        files = {"estimator": estimator, "track": track}
        if stage == "setup" and not os.path.exists(RECORD.format(**files)):
            # They belong to the previous copies.
            pathlib.Path(FEATURES.format(**files)).unlink(missing_ok=True)
            marks[estimator].add(track)
        elif stage == "prepare" and not os.path.exists(FEATURES.format(**files)):
            marks[estimator].add(track)
        elif stage == "train.log":
            if not os.path.exists(f"training/{estimator}/resources/model.h5"):
                marks[estimator].add(TRAINING)
    for estimator, names in marks.items():
        for name in names:
            path = pathlib.Path(FAILED.format(estimator=estimator), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{time.time()}\n", encoding="utf-8")


onerror:
    mark_failures()
    failed = failed_tracks()
    # A track is not to blame for a full disk.
    unwritten = [why for why in failed.values() if "cannot write " in why]
    unusable = {t: why for t, why in failed.items() if "cannot write " not in why}
    if unwritten:
        print(
            f"{len(unwritten)} file(s) could not be written, such as:",
            f"  {unwritten[0]}",
            "Free disk space or fix the permissions, and run the same command again.",
            sep="\n",
            file=sys.stderr,
        )
    if unusable:
        tracks = json.dumps(sorted({*unusable, *LEAVE_OUT}), ensure_ascii=False)
        print(
            f"{len(unusable)} track(s) cannot be used:",
            *(f"  {track}: {unusable[track]}" for track in sorted(unusable)),
            "Fix them, or leave them out with this line under index: in the configuration,",
            "and run the same command again, which makes only what is missing:",
            f"  leave_out: {tracks}",
            sep="\n",
            file=sys.stderr,
        )
