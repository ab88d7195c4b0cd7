"""Transpose and retime annotated notes; the annotations follow exactly."""

from itertools import pairwise

import numpy as np

from crema.notes import transpose

#: Largest transposition in semitones, down and up.
TRANSPOSITIONS = (-6, 5)
#: Largest factor by which the tempo increases or decreases.
TEMPO = 1.3
#: Standard deviation of the log tempo within a piece: for one in four pieces, and for
#: the others.
FREE, STEADY = 0.06, 0.004


def transposed(tracks, labels, semitones):
    """Transpose notes and labels.

    Parameters
    ----------
    tracks : list of (str, list of Note, list)
        Tracks returned by :func:`crema.corpus.arrange.read_tracks`.
    labels : dict
        ``chords`` and ``keys``, lists of [start, end, label]; the rest is unchanged.
    semitones : int
        Upward transposition.

    Returns
    -------
    tracks, labels
        New objects of the same form.
    """
    tracks = [
        (name, [note._replace(pitch=note.pitch + semitones) for note in notes], pedal)
        for name, notes, pedal in tracks
    ]
    moved = {
        name: [[start, end, transpose(label, semitones)] for start, end, label in rows]
        for name, rows in labels.items()
        if name in ("chords", "keys")
    }
    return tracks, labels | moved


def retimed(tracks, labels, clock):
    """Map notes and labels to new times.

    Parameters
    ----------
    tracks, labels
        As for :func:`transposed`, with ``sections`` like ``chords``, and ``beats`` as
        lists of [time, position].
    clock : callable
        Non-decreasing map from old to new times in seconds.

    Returns
    -------
    tracks, labels
        New objects of the same form.
    """

    def at(time):
        return float(clock(time))

    tracks = [
        (
            name,
            [note._replace(start=at(note.start), end=at(note.end)) for note in notes],
            [(at(time), value) for time, value in pedal],
        )
        for name, notes, pedal in tracks
    ]
    moved = {
        name: [[at(start), at(end), label] for start, end, label in labels[name]]
        for name in ("chords", "keys", "sections")
    }
    beats = [[at(time), position] for time, position in labels["beats"]]
    return tracks, labels | moved | {"beats": beats}


def modulated(tracks, labels, time, semitones):
    """Transpose everything but drums from a given time on.

    Parameters
    ----------
    tracks, labels
        As for :func:`transposed`.
    time : float
        Start of a chord in seconds; notes that sound at that time end there.
    semitones : int
        Upward transposition.

    Returns
    -------
    tracks, labels
        New objects of the same form.
    """

    def moved(name, notes, pedal):
        drums = name == "drums"
        before = [n._replace(end=min(n.end, time)) for n in notes if n.start < time]
        after = [
            n if drums else n._replace(pitch=n.pitch + semitones)
            for n in notes
            if n.start >= time
        ]
        return name, before + after, pedal

    changed = {
        name: [
            part
            for start, end, label in labels[name]
            for part in (
                [start, min(end, time), label],
                [max(start, time), end, transpose(label, semitones)],
            )
            if part[0] < part[1]
        ]
        for name in ("chords", "keys")
    }
    return [moved(*track) for track in tracks], labels | changed


def clock(duration, rng, tempo=None):
    """Draw a tempo curve: a tempo and its drift.

    Parameters
    ----------
    duration : float
        Written length of the piece in seconds.
    rng : np.random.Generator
        Draws the curve.
    tempo : float, optional
        Ratio of the tempo to the written tempo; by default drawn.

    Returns
    -------
    callable
        The `clock` of :func:`retimed`.
    """
    if tempo is None:
        tempo = np.exp(rng.uniform(-1, 1) * np.log(TEMPO))
    spread = FREE if rng.random() < 0.25 else STEADY
    # Draw the tempo every few seconds and interpolate.
    knots = np.arange(0, duration + 10, rng.uniform(2, 6))
    drawn = tempo * np.exp(spread * rng.standard_normal(len(knots)))
    written = np.arange(0, duration + 10, 0.1)
    played = np.cumsum(0.1 / np.interp(written, knots, drawn))
    played = np.append(0.0, played)[: len(written)]
    return lambda time: np.interp(time, written, played)


def doubled(labels):
    """Count half beats as beats, so that each bar becomes two.

    Parameters
    ----------
    labels : dict
        ``beats`` as lists of [time, position] in bars of four; None is unknown.

    Returns
    -------
    dict
        New object of the same form.
    """
    beats = labels["beats"]
    between = [(a + b) / 2 for (a, _), (b, _) in pairwise(beats)]
    halves = [
        [time, position and (2 * position - 2 + half) % 4 + 1]
        for (start, position), middle in zip(beats, [*between, None], strict=True)
        for half, time in enumerate((start, middle))
        if time is not None
    ]
    return labels | {"beats": halves}


def rubato(labels, tempo, rng):
    """Draw the tempo curve of a soloist, with phrases that speed up and slow down.

    Parameters
    ----------
    labels : dict
        ``beats`` as lists of [time, position].
    tempo : float
        Ratio of the tempo to the written tempo.
    rng : np.random.Generator
        Draws the curve.

    Returns
    -------
    callable
        The `clock` of :func:`retimed`.

    References
    ----------
    N. Todd, "A model of expressive timing in tonal music", Music Perception 3 (1985):
    tempo within a phrase is a parabola.
    """
    written = np.array([time for time, _ in labels["beats"]])
    phrase = int(rng.choice((8, 16, 32)))
    depth, held, uneven = rng.uniform((0.0, 0.0, 0.01), (0.35, 0.5, 0.07))
    place = np.arange(len(written) - 1) % phrase / phrase
    slowness = depth * (2 * place - 1) ** 2
    slowness[place >= 1 - 1.5 / phrase] += held * rng.random()
    drift = np.cumsum(rng.normal(0, 0.02, len(place)))
    slowness += drift - np.linspace(0, drift[-1], len(drift))
    slowness += rng.normal(0, uneven, len(place))
    lengths = np.diff(written) * np.exp(slowness) / tempo
    played = written[0] / tempo + np.append(0.0, np.cumsum(lengths))

    def at(time):
        # Before the first beat and after the last, keep the nominal tempo.
        if time < written[0]:
            return time / tempo
        if time > written[-1]:
            return played[-1] + (time - written[-1]) / tempo
        return np.interp(time, written, played)

    return at
