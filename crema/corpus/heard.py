r"""Beats of recordings that nobody annotated: excerpts in which crema is sure of them.

::

    python -m crema.corpus.heard OUTPUT music/*.ogg --jobs 2

For a round of self-training.  Each recording is annotated as it is and after each of
the changes of :mod:`crema.corpus.hearings`.  Of these hearings, the one that agrees
best with the others is taken; where enough of them have its beats, and no more, is an
excerpt, and where enough have its downbeats too, the beats have their positions in the
bar.  Each excerpt is written as it is and as some of the changes leave it: what a
change hides from the network, another hearing tells it.

The tracks of ``OUTPUT/index_train.json``, if there is one, and those made here are
listed in ``OUTPUT/index_train_beat.json``: they have no chords and no key.  What is
made here is in no group, so that no network is judged by labels of its own kind.

References
----------
I. Radosavovic et al., "Data distillation: towards omni-supervised learning", CVPR 2018.
"""

import argparse
import functools
import pathlib
import re

import jams
import mir_eval
import numpy as np

from crema import analyze
from crema.corpus.common import annotation, attempts, report
from crema.corpus.hearings import AS_IT_IS, CHANGES, hear, levels
from crema.exceptions import AudioError, CorpusError
from crema.exceptions import program as run
from crema.utils import cli, hashes, index, io
from crema.utils.rng import generator

#: Raise it when a change of the code changes what is made of a recording.
RECIPE = 1
PREFIX = "heard_"
#: Share of the other hearings that must agree, in the mean over SPAN beats.
AGREEMENT, SPAN = 0.75, 9
#: The least length of an excerpt, in seconds.
LENGTH = 15.0
#: How far, in seconds, two beats may be from each other to be the same.
NEAR = 0.07
#: What an excerpt has before its first beat and after its last, in seconds.
MARGIN = 0.1


def agree(times, positions, other_times, other_positions):
    """Tell which beats of one hearing another hearing has too.

    Parameters
    ----------
    times, positions : np.ndarray, shape=(n,)
        Of the beats, in seconds, and in the bar.
    other_times, other_positions : np.ndarray, shape=(m,)
        Those of the other hearing.

    Returns
    -------
    beats, bars : np.ndarray, shape=(n,), dtype=bool
        Whether the other hearing has the beat, and none between it and the next;
        whether it also has it in the same position.
    """
    first = np.searchsorted(other_times, times - NEAR)
    last = np.searchsorted(other_times, times + NEAR, side="right")
    has = first < last
    between = np.searchsorted(other_times, times[1:] - NEAR) - last[:-1]
    has[:-1] &= between <= 0
    same = has.copy()
    same[has] = other_positions[first[has]] == positions[has]
    return has, same


def choose(hearings):
    """Return the number of the hearing that agrees best with the others.

    Parameters
    ----------
    hearings : list of (np.ndarray, np.ndarray)
        Times and positions of beats.

    Returns
    -------
    int
    """

    def likeness(one, other):
        both = zip(levels(*one), levels(*other), strict=True)
        pairs = [pair for pair in both if all(map(len, pair))]
        return sum(mir_eval.beat.f_measure(*pair) for pair in pairs)

    sums = [sum(likeness(one, other) for other in hearings) for one in hearings]
    return int(np.argmax(sums))


def excerpts(hearings):
    """Find where hearings agree on the beats.

    Parameters
    ----------
    hearings : list of (np.ndarray, np.ndarray)
        Times and positions of beats.

    Returns
    -------
    list of (np.ndarray, list of (int or None))
        Times of the beats of each excerpt and their positions in the bar, None where
        too few agree on the bars.
    """
    best = choose(hearings)
    others = [hearing for number, hearing in enumerate(hearings) if number != best]
    times, positions = hearings[best]
    if len(times) < SPAN:
        return []
    votes = [agree(times, positions, *other) for other in others]
    # The edges as often as there are beats beyond them, so that no zeros are counted.
    padded = np.pad(np.mean(votes, axis=0), ((0, 0), (SPAN // 2,) * 2), mode="edge")
    smooth = np.lib.stride_tricks.sliding_window_view(padded, SPAN, axis=1).mean(axis=2)
    beats, bars = smooth >= AGREEMENT
    found = []
    for start, end in _runs(beats):
        if times[end - 1] - times[start] >= LENGTH:
            told = zip(positions[start:end], bars[start:end], strict=True)
            known = [int(position) if sure else None for position, sure in told]
            found.append((times[start:end], known))
    return found


def _runs(flags):
    """Return start and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.pad(flags.astype(int), 1)))
    return edges.reshape(-1, 2).tolist()


def make_tracks(output, settings, model, sources, name):
    """Write the excerpts of one recording, unless they are there already.

    Parameters
    ----------
    output : pathlib.Path
        Directory of the corpus.
    settings : dict
        What they depend on, with ``sample_rate``, ``versions`` and ``seed``.
    model : tuple of pathlib.Path
        Directory of the model of beats; none for the released one.
    sources : dict of str to pathlib.Path
        The recordings by name.
    name : str
        Of this one.

    Returns
    -------
    list of str
        The track ids.
    """
    if not sources[name].is_file():
        raise AudioError(f"{sources[name]}: no such audio file")
    settings = {**settings, "audio": hashes.of(sources[name])}
    record = output / f"{name}.json"
    if record.is_file():
        made = io.read_json(record)
        files = [output / f"{t}.{x}" for t in made["tracks"] for x in ("flac", "jams")]
        if made["settings"] == settings and all(path.is_file() for path in files):
            return made["tracks"]
        # It vouches for the tracks: it goes first and comes last.
        record.unlink()
    estimators = loaded(model)
    y, rate = io.read_audio(sources[name], settings["sample_rate"])
    changes = {"as it is": AS_IT_IS, **CHANGES}
    drawn = generator(settings["seed"], name).permutation(list(CHANGES))
    kept = ["as it is", *drawn][: settings["versions"]]
    audio, hearings = {}, []
    for title, change in changes.items():
        changed = change.apply(y, rate)
        hearings.append(hear(changed, rate, estimators, change)["beat"])
        if title in kept:
            audio[title] = changed
    tracks = []
    for number, (times, positions) in enumerate(excerpts(hearings)):
        for version, title in enumerate(kept):
            track = f"{name}_{number}_{version}"
            scaled = times / changes[title].rate
            begin = max(0, round((scaled[0] - MARGIN) * rate))
            part = audio[title][begin : round((scaled[-1] + MARGIN) * rate)]
            write(output, track, part, rate, scaled - begin / rate, positions)
            tracks.append(track)
    io.write_json(record, {"settings": settings, "tracks": tracks})
    return tracks


@functools.cache
def loaded(model):
    """Return the model of beats, loaded once in a process."""
    return analyze.load_models(model, ["beat"])


def write(output, track, y, sample_rate, times, positions):
    """Write one track: its audio, and its beats as JAMS."""
    jam = jams.JAMS()
    jam.file_metadata.title = track
    jam.file_metadata.duration = duration = len(y) / sample_rate
    beats = zip(times, times, positions, strict=True)
    source = f"{len(CHANGES) + 1} hearings"
    jam.annotations.append(
        annotation("beat", list(beats), duration, "crema", data_source=source)
    )
    io.write_audio(output / f"{track}.flac", y, sample_rate)
    io.write_jams(output / f"{track}.jams", jam)


def names(paths):
    """Name recordings after their file and its directory.

    Parameters
    ----------
    paths : list of pathlib.Path
        Of audio files.

    Returns
    -------
    dict of str to pathlib.Path

    Raises
    ------
    CorpusError
        Two would have the same name.
    """
    named = {}
    for path in paths:
        name = PREFIX + re.sub(
            r"\W+", "_", f"{path.absolute().parent.name} {path.stem}"
        )
        if name in named:
            raise CorpusError(
                f"{path}: would be named {name}, as {named[name]}; rename one of them"
            )
        named[name] = path
    return named


def main(argv=None):
    """Run from the command line; return 1 if a recording could not be read."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.heard", description=__doc__.splitlines()[0]
    )
    add, path = parser.add_argument, pathlib.Path
    add("output", type=path, help="directory of the corpus")
    add("audio", type=path, nargs="+", metavar="FILE", help="a recording")
    add("--model", type=path, metavar="DIR", help="of beats, instead of the released")
    several = "of each excerpt, the first as it is (default: %(default)s)"
    add("--versions", type=cli.jobs, default=4, help=several)
    add("--sample-rate", type=int, default=22050, help="in Hz (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--jobs", type=cli.jobs, default=1, help="number of processes")
    args = parser.parse_args(argv)

    sources = names(args.audio)
    model = (args.model,) if args.model else ()
    settings = {
        "recipe": RECIPE,
        "seed": args.seed,
        "sample_rate": args.sample_rate,
        "versions": args.versions,
        "model": analyze.identify(model, ["beat"]),
    }
    job = functools.partial(make_tracks, args.output, settings, model, sources)
    rows = list(attempts(job, list(sources), args.jobs))
    train = args.output / "index_train.json"
    records = io.read_json(train) if train.is_file() else []
    made = [track for _, tracks, _ in rows for track in tracks or ()]
    records += [{"track_id": track, "group": None} for track in made]
    index.write_index(args.output / "index_train_beat.json", records)
    return report({name: error for name, _, error in rows if error})


if __name__ == "__main__":
    run(main)
