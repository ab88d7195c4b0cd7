r"""Beats of songs that somebody has charted for a rhythm game.

::

    python -m crema.corpus.charts SONGS OUTPUT --jobs 2

A chart, of Frets on Fire, Clone Hero and their kin, is a directory with ``notes.mid``,
``song.ini`` and the recording in parts: ``song.ogg``, ``guitar.ogg``, and so on.  To
be played, its tempo map must fit the recording, so that it tells where the beats are:
rare annotations of rock and metal as it is recorded.  Each chart anywhere in the
directory SONGS becomes a pair ``TRACK_ID.flac`` and ``TRACK_ID.jams`` in OUTPUT, with
the parts added up, from the first to the last note that is charted.

A track ``BEAT`` tells beats (note 13) and downbeats (note 12); where there is none, a
beat is a quarter note, and its position in the bar is not known.
"""

import argparse
import configparser
import functools
import pathlib

import numpy as np

from crema.corpus import common
from crema.exceptions import AnnotationError, CorpusError
from crema.exceptions import program as run
from crema.utils import audiofile, cli

TOOL = "crema.corpus.charts"
#: The files of a recording that are not part of it.
NO_PARTS = {"preview", "crowd"}
_DOWNBEAT, _BEAT = 12, 13
#: Seconds of audio before the first note and after the last.
MARGIN = 1.0


def find(songs):
    """Find charts, and name them after their directories.

    Parameters
    ----------
    songs : path-like
        Where to look, at any depth.

    Returns
    -------
    dict of str to pathlib.Path
        The directories of the charts by track id.

    Raises
    ------
    CorpusError
        There is none, or two would have one name.
    """
    charts = [path.parent for path in sorted(pathlib.Path(songs).rglob("notes.mid"))]
    if not charts:
        raise CorpusError(f"{songs}: no notes.mid anywhere; give a directory of charts")
    return common.by_name(
        {chart: " ".join(chart.absolute().parts[-2:]) for chart in charts}
    )


def read_chart(path):
    """Read where the beats are.

    Parameters
    ----------
    path : path-like
        The MIDI file.

    Returns
    -------
    beats : list of (float, int or None)
        Time in seconds and position in the bar, from the beat before the first note to
        the one after the last.
    span : (float, float)
        Times of the first and the last note.

    Raises
    ------
    AnnotationError
        The file cannot be read, or holds no note.
    """
    import mido

    try:
        midi = mido.MidiFile(path)
    except Exception as error:  # mido raises whatever a damaged byte leads to
        raise AnnotationError(f"{path}: cannot be read as MIDI ({error})") from error
    resolution = midi.ticks_per_beat
    tempi, notes, told = {0: 500_000}, [], []
    for track in midi.tracks:
        now = 0
        for event in track:
            now += event.time
            if event.type == "set_tempo":
                tempi[now] = event.tempo
            elif event.type == "note_on" and event.velocity:
                of_beats = track.name.strip().upper() == "BEAT"
                (told if of_beats else notes).append((now, event.note))
    if not notes:
        raise AnnotationError(f"{path}: holds no note")
    ticks = np.array(sorted(tempi))
    lengths = np.array([tempi[tick] for tick in ticks.tolist()]) / 1e6 / resolution
    at_change = np.append(0.0, np.cumsum(np.diff(ticks) * lengths[:-1]))

    def seconds(tick):
        last = np.searchsorted(ticks, tick, side="right") - 1
        return float(at_change[last] + (tick - ticks[last]) * lengths[last])

    first, last = min(notes)[0], max(notes)[0]
    if told:
        beats = positions(sorted(told))
    else:
        quarters = range(first // resolution, last // resolution + 2)
        beats = [(quarter * resolution, None) for quarter in quarters]
    return [(seconds(tick), p) for tick, p in beats], (seconds(first), seconds(last))


def positions(events):
    """Count beats in bars.

    Parameters
    ----------
    events : list of (int, int)
        Tick and note of a track ``BEAT``.

    Returns
    -------
    list of (int, int or None)
        Tick and position; None before the first downbeat.
    """
    counted, position = [], None
    for tick, note in events:
        if note == _DOWNBEAT:
            position = 1
        elif note == _BEAT:
            position = position and position + 1
        else:
            continue
        counted.append((tick, position))
    return counted


def read_parts(directory):
    """Add up the parts of a recording.

    Parameters
    ----------
    directory : pathlib.Path
        Of the chart.

    Returns
    -------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Peaks are at most 1.
    sample_rate : int

    Raises
    ------
    AudioError, CorpusError
        A part cannot be read, or there is none.
    """
    paths = sorted(
        path
        for path in directory.iterdir()
        if path.suffix.lower().lstrip(".") in common.AUDIO
        and path.stem.lower() not in NO_PARTS
    )
    if not paths:
        raise CorpusError(f"{directory}: holds a chart, but no audio")
    y, sample_rate = audiofile.read(paths[0])
    for path in paths[1:]:
        part, _ = audiofile.read(path, sample_rate)
        longer = max(len(y), len(part))
        y = audiofile.fix_length(y, longer) + audiofile.fix_length(part, longer)
    return y / max(1.0, np.abs(y).max()), sample_rate


def delay(directory):
    """Return by how many seconds notes are later than charted, from ``song.ini``."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    path = directory / "song.ini"
    try:
        settings.read(path, encoding="utf-8-sig")
        sections = {name.lower(): settings[name] for name in settings.sections()}
        return float(sections.get("song", {}).get("delay") or 0) / 1000
    except (configparser.Error, ValueError) as error:
        told = str(error).splitlines()[0]
        raise AnnotationError(f"{path}: cannot be read ({told}); mend it") from error


def convert(output, charts, track_id):
    """Write the audio and the JAMS of one chart.

    Raises
    ------
    CremaError
        It cannot be read, or what is there was made by others.
    """
    import jams

    directory = charts[track_id]
    path = output / f"{track_id}.jams"
    common.check_ours(path, TOOL)
    later = delay(directory)
    beats, (first, last) = read_chart(directory / "notes.mid")
    y, rate = read_parts(directory)
    begin = max(0, round((first + later - MARGIN) * rate))
    part = y[begin : round((last + later + MARGIN) * rate)]
    duration = len(part) / rate
    observed = [(time + later - begin / rate, position) for time, position in beats]
    made = common.annotation(
        "beat",
        [(time, time, position) for time, position in observed],
        duration,
        annotation_rules="the tempo map of a chart; position None: bars unknown",
        annotation_tools=TOOL,
        data_source="manual",
    )
    if not made:
        raise AnnotationError(f"{directory}: no beat of the chart is within the audio")
    jam = jams.JAMS(annotations=[made])
    jam.file_metadata.title = directory.name
    jam.file_metadata.artist = directory.absolute().parent.name
    jam.file_metadata.duration = duration
    common.save(path, jam, TOOL, audio=(part, rate))


def main(argv=None):
    """Run from the command line; return 1 if a chart could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.charts", description=__doc__.splitlines()[0]
    )
    path, add = pathlib.Path, parser.add_argument
    add("songs", type=path, help="directory of charts, or of directories of them")
    add("output", type=path, help="directory of the corpus")
    add("--jobs", type=cli.jobs, default=1, metavar="N", help="number of processes")
    args = parser.parse_args(argv)

    charts = find(args.songs)
    job = functools.partial(convert, args.output, charts)
    return common.make_all(job, list(charts), args.jobs, "charts converted")


if __name__ == "__main__":
    run(main)
