r"""Convert songs charted for a rhythm game to audio with beat annotations.

::

    python -m crema.corpus.charts SONGS OUTPUT --jobs 2

A chart for Frets on Fire, Clone Hero or a similar game is a directory with
``notes.mid``, ``song.ini`` and the recording as stems: ``song.ogg``, ``guitar.ogg``,
and so on.  The game requires the tempo map to fit the recording, so the map annotates
the beats.  Such annotations of recorded rock and metal are rare.  Each chart anywhere
below the directory SONGS becomes a pair ``TRACK_ID.flac`` and ``TRACK_ID.jams`` in
OUTPUT: the sum of the stems, from the first to the last charted note.

A MIDI track ``BEAT`` marks beats (note 13) and downbeats (note 12).  Without it, a beat
is a quarter note and its position in the bar is unknown.
"""

import argparse
import configparser
import functools
import pathlib

import numpy as np

from crema import samples
from crema.corpus import common
from crema.exceptions import AnnotationError, CorpusError
from crema.exceptions import program as run
from crema.utils import audiofile, cli

TOOL = "crema.corpus.charts"
#: Names of audio files that are not stems of the recording.
NO_PARTS = {"preview", "crowd"}
_DOWNBEAT, _BEAT = 12, 13
#: Seconds of audio kept before the first note and after the last.
MARGIN = 1.0


def find(songs):
    """Find charts, and name each after its directory and the one above.

    Parameters
    ----------
    songs : path-like
        Directory to search, at any depth.

    Returns
    -------
    dict of str to pathlib.Path
        The directory of each chart by track id.

    Raises
    ------
    CorpusError
        There is no chart, or two would get the same track id.
    """
    charts = [path.parent for path in sorted(pathlib.Path(songs).rglob("notes.mid"))]
    if not charts:
        raise CorpusError(
            f"{songs}: no notes.mid at any depth; give a directory of charts"
        )
    return common.by_name(
        {chart: " ".join(chart.absolute().parts[-2:]) for chart in charts}
    )


def read_chart(path):
    """Read the beats of a chart.

    Parameters
    ----------
    path : path-like
        The MIDI file.

    Returns
    -------
    beats : list of (float, int or None)
        Time in seconds and position in the bar.  These are all beats of the track
        ``BEAT`` or, without it, the quarter notes around and between all notes.
    span : (float, float)
        Times of the first and the last note.

    Raises
    ------
    AnnotationError
        The file cannot be read or has no notes.
    """
    import mido

    try:
        midi = mido.MidiFile(path)
    except Exception as error:  # mido raises whatever a damaged byte leads to
        raise AnnotationError(f"{path}: cannot be read as MIDI ({error})") from error
    resolution = midi.ticks_per_beat
    tempi, notes, beat_events = {0: 500_000}, [], []
    for track in midi.tracks:
        now = 0
        for event in track:
            now += event.time
            if event.type == "set_tempo":
                tempi[now] = event.tempo
            elif event.type == "note_on" and event.velocity:
                of_beats = track.name.strip().upper() == "BEAT"
                (beat_events if of_beats else notes).append((now, event.note))
    if not notes:
        raise AnnotationError(f"{path}: contains no notes")
    ticks = np.array(sorted(tempi))
    lengths = np.array([tempi[tick] for tick in ticks.tolist()]) / 1e6 / resolution
    at_change = np.append(0.0, np.cumsum(np.diff(ticks) * lengths[:-1]))

    def seconds(tick):
        last = np.searchsorted(ticks, tick, side="right") - 1
        return float(at_change[last] + (tick - ticks[last]) * lengths[last])

    first, last = min(notes)[0], max(notes)[0]
    if beat_events:
        beats = positions(sorted(beat_events))
    else:
        quarters = range(first // resolution, last // resolution + 2)
        beats = [(quarter * resolution, None) for quarter in quarters]
    return [(seconds(tick), p) for tick, p in beats], (seconds(first), seconds(last))


def positions(events):
    """Count beats within bars.

    Parameters
    ----------
    events : list of (int, int)
        Tick and MIDI note of the events of a track ``BEAT``, in order.

    Returns
    -------
    list of (int, int or None)
        Tick and position in the bar; None before the first downbeat.
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
    """Sum the stems of a recording.

    Parameters
    ----------
    directory : pathlib.Path
        Directory of the chart.

    Returns
    -------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Mono audio with a peak of at most 1.
    sample_rate : int

    Raises
    ------
    AudioError, CorpusError
        A stem cannot be read, or there is none.
    """
    paths = sorted(
        path
        for path in directory.iterdir()
        if path.suffix.lower().lstrip(".") in audiofile.EXTENSIONS
        and path.stem.lower() not in NO_PARTS
    )
    if not paths:
        raise CorpusError(f"{directory}: has a chart, but no audio")
    y, sample_rate = audiofile.read(paths[0])
    for path in paths[1:]:
        part, _ = audiofile.read(path, sample_rate)
        longer = max(len(y), len(part))
        y = samples.fix_length(y, longer) + samples.fix_length(part, longer)
    return y / max(1.0, np.abs(y).max()), sample_rate


def delay(directory):
    """Return the delay of the notes in seconds, from ``song.ini``."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    path = directory / "song.ini"
    try:
        settings.read(path, encoding="utf-8-sig")
        sections = {name.lower(): settings[name] for name in settings.sections()}
        return float(sections.get("song", {}).get("delay") or 0) / 1000
    except (configparser.Error, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise AnnotationError(
            f"{path}: cannot be read ({reason}); correct it"
        ) from error


def convert(output, charts, track_id):
    """Write the audio and the JAMS of one chart.

    Parameters
    ----------
    output : pathlib.Path
        Directory of the corpus.
    charts : dict of str to pathlib.Path
        Result of :func:`find`.
    track_id : str
        The chart to convert.

    Raises
    ------
    CremaError
        The chart cannot be read, or another tool wrote the existing JAMS file.
    """
    directory = charts[track_id]
    path = output / f"{track_id}.jams"
    common.check_ours(path, TOOL)
    offset = delay(directory)
    beats, (first, last) = read_chart(directory / "notes.mid")
    y, rate = read_parts(directory)
    begin = max(0, round((first + offset - MARGIN) * rate))
    part = y[begin : round((last + offset + MARGIN) * rate)]
    duration = len(part) / rate
    observed = [(time + offset - begin / rate, position) for time, position in beats]
    jam = common.jam(
        directory.name,
        duration,
        {"beat": observed},
        artist=directory.absolute().parent.name,
        annotation_rules="the tempo map of a chart; position None: bars unknown",
        annotation_tools=TOOL,
        data_source="manual",
    )
    if not jam.annotations:
        raise AnnotationError(
            f"{directory}: no beat of the chart falls within the audio"
        )
    common.save(path, jam, TOOL, audio=(part, rate))


def main(argv=None):
    """Run from the command line; return 1 if a chart could not be used."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.charts", description=__doc__.splitlines()[0]
    )
    path, add = pathlib.Path, parser.add_argument
    add("songs", type=path, help="directory of charts, at any depth")
    add("output", type=path, help="directory of the corpus")
    add("--jobs", type=cli.jobs, default=1, metavar="N", help="number of processes")
    args = parser.parse_args(argv)

    charts = find(args.songs)
    job = functools.partial(convert, args.output, charts)
    return common.make_all(job, list(charts), args.jobs, "charts converted")


if __name__ == "__main__":
    run(main)
