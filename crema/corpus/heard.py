r"""Label unannotated recordings with chords or beats, where predictions agree.

::

    python -m crema.corpus.heard beat OUTPUT music/*.ogg --jobs 2

For self-training, crema annotates each recording as it is and after each of the changes
of :mod:`crema.corpus.hearings`.  Regions where these hearings agree
(:mod:`crema.corpus.agreement`) become excerpts, annotated with the best hearing.  Each
excerpt is written unchanged and with some of the changes, so that the network learns
labels that a change hides from it.

``OUTPUT/index_train_beat.json`` (or ``_chord``) lists the tracks of
``OUTPUT/index_train.json``, if it exists, and the excerpts of this and earlier calls.
The index is separate because excerpts have no other annotation.  Excerpts belong to no
group, so that no network is validated on labels from models.

References
----------
I. Radosavovic et al., "Data distillation: towards omni-supervised learning", CVPR 2018.
"""

import argparse
import functools
import pathlib

from crema import analyze
from crema.corpus import agreement, common
from crema.corpus.hearings import AS_IT_IS, CHANGES, hear
from crema.exceptions import AudioError, CorpusError
from crema.exceptions import program as run
from crema.notes import transpose
from crema.utils import audiofile, cli, disk, hashes, index
from crema.utils.rng import generator

#: Increase when a code change alters the tracks made from a recording.
RECIPE = 3
#: For each estimator, the function that finds excerpts, and the models that a hearing
#: needs: chords change on beats.
FINDERS = {"beat": agreement.beats, "chord": agreement.chords}
HEARD = {"beat": ["beat"], "chord": ["beat", "chord"]}


def make_tracks(output, settings, model, sources, name):
    """Write the excerpts of one recording unless they already exist.

    Parameters
    ----------
    output : pathlib.Path
        Directory of the corpus.
    settings : dict
        Settings that determine the excerpts, with ``estimator``, ``sample_rate``,
        ``versions`` and ``seed``.
    model : tuple of pathlib.Path
        Directories of models; empty for the released ones.
    sources : dict of str to pathlib.Path
        The recordings by name.
    name : str
        The recording to use.

    Returns
    -------
    list of str
        Track ids of the excerpts.
    """
    if not sources[name].is_file():
        raise AudioError(f"{sources[name]}: no such audio file")
    settings = {**settings, "audio": hashes.of(sources[name])}
    record = output / f"{name}.json"
    if record.is_file():
        made = disk.read_json(record)
        files = [output / f"{t}.{x}" for t in made["tracks"] for x in ("flac", "jams")]
        if made["settings"] == settings and all(path.is_file() for path in files):
            return made["tracks"]
        # The record marks complete tracks: remove it first, write it last.
        record.unlink()
    estimator = settings["estimator"]
    estimators = loaded(model, estimator)
    y, rate = audiofile.read(sources[name], settings["sample_rate"])
    changes = {"as it is": AS_IT_IS, **CHANGES}
    drawn = generator(settings["seed"], name).permutation(list(CHANGES))
    kept = ["as it is", *drawn][: settings["versions"]]
    audio, hearings = {}, []
    for title, change in changes.items():
        changed = change.apply(y, rate)
        hearings.append(hear(changed, rate, estimators, change))
        if title in kept:
            audio[title] = changed
    tracks = []
    for number, excerpt in enumerate(FINDERS[estimator](hearings)):
        for version, title in enumerate(kept):
            track = f"{name}_{number}_{version}"
            write(output, track, estimator, audio[title], rate, excerpt, changes[title])
            tracks.append(track)
    disk.write_json(record, {"settings": settings, "tracks": tracks})
    return tracks


@functools.cache
def loaded(model, estimator):
    """Load the models that a hearing needs, once per process."""
    return analyze.load_models(model, HEARD[estimator])


def write(output, track, estimator, y, sample_rate, excerpt, change):
    """Write an excerpt of changed audio, and its annotation as JAMS."""
    first, last = (
        round(time / change.rate * sample_rate) for time in (excerpt.start, excerpt.end)
    )
    part = y[first:last]
    begin, duration = first / sample_rate, len(part) / sample_rate
    observed = [
        (*(time / change.rate - begin for time in times), value)
        for *times, value in excerpt.observed
    ]
    if estimator == "chord":
        observed = [
            (start, end, transpose(label, change.semitones))
            for start, end, label in observed
        ]
    source = f"{len(CHANGES) + 1} hearings"
    jam = common.jam(
        track, duration, {estimator: observed}, curator="crema", data_source=source
    )
    jam.sandbox.made_by = common.BY_EAR
    common.write_pair(output / f"{track}.jams", jam, part, sample_rate)


def names(estimator, paths):
    """Name recordings after their directory and file.

    Parameters
    ----------
    estimator : str
        Part of the names.
    paths : list of pathlib.Path
        Audio files.

    Returns
    -------
    dict of str to pathlib.Path
        The recordings by name.

    Raises
    ------
    CorpusError
        Two recordings would get the same name.
    """
    return common.by_name(
        {
            path: f"heard_{estimator}_{path.absolute().parent.name} {path.stem}"
            for path in paths
        }
    )


def main(argv=None):
    """Run from the command line; return 1 if a recording could not be read.

    Raises
    ------
    CremaError
        The corpus or the models cannot be used, or there is no track at all.
    """
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.heard", description=__doc__.splitlines()[0]
    )
    add, path = parser.add_argument, pathlib.Path
    add(
        "estimator", choices=list(FINDERS), help="estimator to make training tracks for"
    )
    add("output", type=path, help="directory of the corpus")
    add("audio", type=path, nargs="+", metavar="FILE", help="a recording")
    models = "models to use instead of the released ones (may be repeated)"
    add("--model", type=path, action="append", default=[], metavar="DIR", help=models)
    several = (
        "versions of each excerpt, of which the first is unaltered (default: "
        "%(default)s)"
    )
    add("--versions", type=cli.jobs, default=4, help=several)
    add("--sample-rate", type=int, default=22050, help="in Hz (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=cli.jobs, default=1, help="number of processes")
    args = parser.parse_args(argv)

    train = args.output / "index_train.json"
    records = index.read_records(train) if train.is_file() else []
    corpus = index.Corpus(args.output)  # FLAC, like the excerpts
    for record in records:
        if not corpus.audio(record["track_id"]).is_file():
            raise CorpusError(
                f"{corpus.audio(record['track_id'])}: no such file; the excerpts are "
                "FLAC and a corpus has one audio format, so convert its audio to FLAC"
            )
    sources = names(args.estimator, args.audio)
    model = tuple(args.model)
    settings = {
        "recipe": RECIPE,
        "estimator": args.estimator,
        "seed": args.seed,
        "sample_rate": args.sample_rate,
        "versions": args.versions,
        "model": analyze.identify(model, HEARD[args.estimator]),
    }
    job = functools.partial(make_tracks, args.output, settings, model, sources)
    heard, failures = cli.run_all(job, list(sources), args.jobs)
    made = [track for tracks in heard.values() for track in tracks]
    path = args.output / f"index_train_{args.estimator}.json"
    before = index.read_index(path) if path.is_file() else {}
    # Keep excerpts of other recordings, and of those that failed now, if they are still
    # there; their ids are NAME_EXCERPT_VERSION.
    made += [
        track
        for track in before
        if track.startswith(f"heard_{args.estimator}_")
        and track.rsplit("_", 2)[0] not in heard
        and corpus.audio(track).is_file()
        and corpus.jams(track).is_file()
    ]
    records += [{"track_id": track, "group": None} for track in made]
    status = common.report(failures)
    if not records:
        # The next call could not read an index without tracks.
        path.unlink(missing_ok=True)
        raise CorpusError(
            f"{path}: no track to list, as the predictions agree nowhere for long "
            "enough; give more recordings"
        )
    index.write_index(path, records)
    return status


if __name__ == "__main__":
    run(main)
