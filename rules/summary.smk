"""After a run that failed: which tracks cannot be used, why, and how to go on without.

in   logs/ESTIMATOR/STAGE/TRACK.log of this run, whose last line is an error
"""

BEGUN = time.time()


def failed_tracks():
    """The last errors of this run, by track."""
    found = {}
    for log in pathlib.Path("logs").glob("*/*/*.log"):
        if log.parts[1] in ESTIMATORS and log.stat().st_mtime >= BEGUN:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            if lines and lines[-1].startswith("error: "):
                found[log.stem] = lines[-1].removeprefix("error: ")
    return found


onerror:
    failed = failed_tracks()
    # Of a full disk the tracks are not to blame.
    unwritten = [why for why in failed.values() if "cannot write " in why]
    unusable = {t: why for t, why in failed.items() if "cannot write " not in why}
    if unwritten:
        print(
            f"{len(unwritten)} file(s) could not be written, such as:",
            f"  {unwritten[0]}",
            "Make room, or get permission, and give the same command again.",
            sep="\n",
            file=sys.stderr,
        )
    if unusable:
        tracks = json.dumps(sorted({*unusable, *LEAVE_OUT}), ensure_ascii=False)
        print(
            f"{len(unusable)} track(s) cannot be used:",
            *(f"  {track}: {unusable[track]}" for track in sorted(unusable)),
            "Mend them, or leave them out by this line under index: in the configuration,",
            "and give the same command again, which makes only what is missing:",
            f"  leave_out: {tracks}",
            sep="\n",
            file=sys.stderr,
        )
