"""Rhythms that are rare in pop, for songs with known chords and beats.

The idioms are fast rock and metal, dance music, off-beats, and rubato piano.  In these,
drum onsets do not determine the beat: fast rock has the snare between beats, reggae
leaves out the first beat, and a drum loop at 85 beats per minute can also be one at
170.  An :class:`Idiom` defines patterns and instruments; :func:`perform` draws one for
a song, and the annotation follows exactly.
"""

from bisect import bisect
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from crema.corpus import variation
from crema.corpus.arrange import (
    CRASH,
    GUITARS,
    Stem,
    bass_pitch,
    encoded,
    play,
    power_chord,
    struck,
)
from crema.corpus.render import Note, Part


class Idiom(NamedTuple):
    """A way to play a song.

    A groove maps General MIDI drums to the sixteenths of a 4/4 bar; a figure has those
    of one instrument.  ``X`` is an accent, ``x`` a stroke, ``-`` ends the sounding
    notes, and ``.`` changes nothing.

    Attributes
    ----------
    tempo : (float, float) or None
        Slowest and fastest tempo in beats per minute; None: close to the song's tempo.
    grooves : tuple of dict of int to str
        Grooves for the drums.
    kits : tuple of int
        Programs of the drum kits.
    bass : tuple of str
        Figures for the bass.
    guitar : tuple of str
        Figures for distorted power chords.
    comping : tuple of str
        Figures for chords, struck at once or one tone after the other.
    comping_programs : tuple of int
        Programs for the comping.
    melody : tuple of int
        Programs for the melody, unless it is sung.
    others : tuple of int
        Programs for the other tracks of the song.
    kept : float
        Probability that these other tracks are played.
    """

    tempo: tuple[float, float] | None
    grooves: tuple[dict[int, str], ...]
    kits: tuple[int, ...]
    bass: tuple[str, ...]
    guitar: tuple[str, ...] = ()
    comping: tuple[str, ...] = ()
    comping_programs: tuple[int, ...] = ()
    melody: tuple[int, ...] = (0,)
    others: tuple[int, ...] = (0,)
    kept: float = 0.5


_EIGHTHS = "x.x.x.x.x.x.x.x."
_QUARTERS = "X...X...X...X..."
_BACKBEAT = "....X.......X..."
_OFFBEATS = "..X...X...X...X."

IDIOMS = {
    "fast": Idiom(
        tempo=(135, 212),
        grooves=(
            {36: _QUARTERS, 38: _OFFBEATS, 42: _EIGHTHS},
            {36: _QUARTERS, 38: _OFFBEATS, 49: "X.......X......."},
            {36: "X...x.x.X...x.x.", 38: _OFFBEATS, 51: _QUARTERS},
            {36: "X.....x.X.x.....", 38: _BACKBEAT, 46: _EIGHTHS},
            {36: "X.....X...X.....", 38: _BACKBEAT, 49: _QUARTERS},
            {36: "X.......X.......", 38: _BACKBEAT, 42: _EIGHTHS},
            {36: "X.X.....X.X.....", 38: _BACKBEAT, 51: _EIGHTHS},
            {36: "xxxxxxxxxxxxxxxx", 38: _BACKBEAT, 51: _QUARTERS},
            {36: "X.x.X.x.X.x.X.x.", 38: _BACKBEAT, 49: "X...X...X...X..."},
            {36: "X.xxX.xxX.xxX.xx", 38: _BACKBEAT, 42: _QUARTERS},
            {36: "X.X.X.X.X.X.X.X.", 38: ".x.x.x.x.x.x.x.x", 51: "X.X.X.X.X.X.X.X."},
            {36: "X.X.X.X.X.X.X.X.", 38: "X.X.X.X.X.X.X.X.", 49: _QUARTERS},
            {36: "X..X..X...X.X...", 38: "........X.......", 49: _QUARTERS},
            {36: "xxxxxxxxxxxxxxxx", 38: "........X.......", 51: _QUARTERS},
            {36: "X.......X.......", 38: "x.x.X.x.x.x.X.x."},
            {36: "X..x..x.X..x..x.", 38: _BACKBEAT, 43: "..............xx"},
        ),
        kits=(0, 0, 8, 16, 16),
        bass=(_EIGHTHS, _EIGHTHS, "xxxxxxxxxxxxxxxx", "X.xxX.xxX.xxX.xx", _QUARTERS),
        guitar=(
            _EIGHTHS,
            "xxxxxxxxxxxxxxxx",
            "X.xxX.xxX.xxX.xx",
            "X...............",
            "X..x..x...x.x...",
            "X.-.X.-.X.-.X.-.",
            "X..X..X..X..X.X.",
            _OFFBEATS,
        ),
        melody=(29, 30, 30, 56, 65, 80, 81),
        others=(0, 16, 18, 19, 25, 29, 30, 48, 50),
        kept=0.4,
    ),
    "dance": Idiom(
        tempo=(105, 180),
        grooves=(
            {36: _QUARTERS, 39: _BACKBEAT, 46: _OFFBEATS},
            {36: _QUARTERS, 46: _OFFBEATS, 70: "xxxxxxxxxxxxxxxx"},
            {36: _QUARTERS, 42: "x.x.x.x.x.x.x.x."},
            {36: _QUARTERS, 38: "....X.......X..x", 42: "xxXxxxXxxxXxxxXx"},
            {36: _QUARTERS},
            {36: "X..X..X...X.....", 39: _BACKBEAT, 42: "x.x.x.x.x.x.x.x."},
            {36: "X.........X.....", 38: _BACKBEAT, 42: _EIGHTHS},
            {36: "X.X.......XX....", 38: "....X..x.x..X..x", 51: _EIGHTHS},
            {36: "X.X.......X..x..", 38: "....X..x....X.x.", 42: "xxxxxxxxxxxxxxxx"},
            {36: "X.....x.........", 38: "........X.......", 42: "x.x.x.x.xxx.x.xx"},
            {36: "X..x..x.........", 39: "........X.......", 42: "x.xxx.x.x.x.xxxx"},
            {36: "X..x..X.........", 40: _BACKBEAT, 54: "..x...x...x...x."},
            {36: "X...X...X..XX...", 37: "..x..x..x..x.x..", 46: _OFFBEATS},
        ),
        kits=(24, 25, 25, 0, 8),
        bass=(
            _OFFBEATS.replace(".", "-"),
            "-xxx-xxx-xxx-xxx",
            "x-x-x-x-x-x-x-x-",
            "X--x--x-X--x--x-",
            "xxxxxxxxxxxxxxxx",
            "X...............",
            "X..x......x..x..",
        ),
        comping=(
            "xxxxxxxxxxxxxxxx",
            "x-xx-xx-x-xx-xx-",
            "X--X--X--X--X-X-",
            "--X---X---X---X-",
            "X---------------",
            "X...............",
        ),
        comping_programs=(38, 50, 62, 63, 80, 81, 81, 88, 90, 95),
        melody=(52, 53, 54, 80, 81, 82, 84, 85, 87),
        others=(0, 4, 5, 48, 50, 62, 63, 80, 81, 88, 89, 90, 91, 95),
        kept=0.5,
    ),
    "off-beat": Idiom(
        tempo=(66, 175),
        grooves=(
            {36: "........X.......", 37: "........X.......", 42: _EIGHTHS},
            {36: _QUARTERS, 37: "........X.......", 42: _EIGHTHS},
            {36: "X.......X.......", 38: "........X.......", 42: "x.xxx.xxx.xxx.xx"},
            {36: _BACKBEAT, 38: _BACKBEAT, 42: _OFFBEATS},
            {36: "X.......X.......", 38: _BACKBEAT, 42: _OFFBEATS},
            {36: "X.......X.......", 38: "..x...x...x...x."},
            {36: "X.......X.......", 42: _BACKBEAT},
            {},
        ),
        kits=(0, 0, 8, 16, 32),
        bass=(
            "X---x---X---x---",
            "X...-...x.x.x...",
            "X...X...X...X...",
            "--x.x.--X..x..x.",
            "X-------x-------",
        ),
        comping=(
            "--x---x---x---x-",
            "--x---x---x---x-",
            "----x-------x---",
            "----x-x-----x-x-",
            "--xx--xx--xx--xx",
        ),
        comping_programs=(0, 16, 18, 21, 24, 25, 26, 27, 27, 28),
        melody=(21, 22, 40, 56, 57, 60, 65, 66, 71, 73),
        others=(0, 16, 17, 24, 26, 48, 60, 61),
        kept=0.3,
    ),
    # Solo piano with random timing.
    "rubato": Idiom(
        tempo=None,
        grooves=(),
        kits=(),
        bass=(),
        melody=(0, 0, 0, 1, 2),
        kept=1.0,
    ),
}
SHARES = {"fast": 0.4, "dance": 0.25, "off-beat": 0.1, "rubato": 0.25}
#: Probability of each part in an idiom that has it; _VOICE: that the melody is sung.
_BASS, _VOICE, _DRUMS, _GUITAR, _COMPING = 0.9, 0.4, 0.9, 0.9, 0.85
#: Ratio of the drawn tempo to the song's tempo above which half beats of the song count
#: as beats.
_DOUBLED = 1.5
#: Maximum standard deviation of onset deviations in seconds; each player draws its own.
ASYNCHRONY = 0.02
_LOWEST_COMPING = 52
_FILL = (38, 48, 45, 43)  # snare and toms, from high to low


def perform(tracks, labels, rng):
    """Set a song in an idiom.

    Parameters
    ----------
    tracks, labels
        As for :func:`crema.corpus.variation.retimed`; bars have four beats or are
        unknown.
    rng : np.random.Generator
        Draws the idiom, the tempo and the arrangement.

    Returns
    -------
    stems : list of Stem
    labels : dict
        Labels of the stems.
    drawn : dict
        ``idiom``, its ``tempo`` in beats per minute, and whether beats are ``doubled``.
    """
    name = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    idiom = IDIOMS[name]
    written = float(60 / np.median(np.diff([time for time, _ in labels["beats"]])))
    around = written / variation.TEMPO, written * variation.TEMPO
    tempo = float(np.exp(rng.uniform(*np.log(idiom.tempo or around))))
    doubled = tempo / written > _DOUBLED
    if doubled:
        labels, written = variation.doubled(labels), 2 * written
    if idiom.tempo:
        clock = variation.clock(labels["duration"], rng, tempo / written)
    else:
        clock = variation.rubato(labels, tempo / written, rng)
    tracks, labels = variation.retimed(tracks, labels, clock)
    make = band if idiom.tempo else piano
    stems = make(tracks, labels, idiom, rng)
    return stems, labels, {"idiom": name, "tempo": round(tempo, 1), "doubled": doubled}


def piano(tracks, labels, idiom, rng):
    """Play all tracks on one piano, with slightly asynchronous hands."""
    program = int(rng.choice(idiom.melody))
    return [Stem("chords", [_loose(play(track, program), rng) for track in tracks])]


def band(tracks, labels, idiom, rng):
    """Arrange a song for the band of an idiom.

    Parameters
    ----------
    tracks, labels, rng
        As for :func:`perform`.
    idiom : Idiom
        The idiom; it has a tempo range.

    Returns
    -------
    list of Stem
    """
    chords = list(encoded(labels["chords"]))
    # Play bars even where they are unknown; the annotation leaves them out.
    beats = [
        (time, n % 4 + 1 if position is None else position)
        for n, (time, position) in enumerate(labels["beats"])
    ]
    sung, kept = rng.random() < _VOICE, rng.random() < idiom.kept
    stems, others = [], []
    for track in tracks:
        if track[0] == "MELODY":
            part = play(track, int(rng.choice(idiom.melody)))
            stems.append(Stem("voice" if sung else "melody", [part]))
        elif kept:
            others.append(play(track, int(rng.choice(idiom.others))))
    if idiom.comping and rng.random() < _COMPING:
        program = int(rng.choice(idiom.comping_programs))
        figures = _two(idiom.comping, rng)
        one_by_one = rng.random() < 0.4
        notes = played(chords, beats, figures, _tones(one_by_one), rng)
        others.append(_loose(Part(program, notes), rng))
    stems.append(Stem("chords", others))
    if idiom.guitar and rng.random() < _GUITAR:
        notes = played(chords, beats, _two(idiom.guitar, rng), _power_chord, rng)
        part = Part(int(rng.choice(GUITARS)), notes)
        stems.append(Stem("guitar", [_loose(part, rng)]))
    if rng.random() < _BASS:
        notes = played(chords, beats, _two(idiom.bass, rng), bass_note, rng)
        program = int(rng.choice((33, 34, 34, 35, 36, 38, 39, 87)))
        stems.append(Stem("bass", [_loose(Part(program, notes), rng)]))
    if rng.random() < _DRUMS:
        stems.append(Stem("drums", [drums(beats, idiom, rng)]))
    return [stem for stem in stems if any(part.notes for part in stem.parts)]


def _loose(part, rng):
    """Shift onsets slightly at random, as players do."""
    shifts = rng.uniform(0, ASYNCHRONY) * rng.normal(0, 1, len(part.notes)).clip(-2, 2)
    notes = []
    for note, shift in zip(part.notes, shifts.tolist(), strict=True):
        start = max(note.start + shift, 0.0)
        notes.append(note._replace(start=start, end=max(note.end, start + 0.03)))
    return part._replace(notes=notes)


def drums(beats, idiom, rng):
    """Alternate two grooves of an idiom, with fills and a silent passage.

    Parameters
    ----------
    beats : list of (float, int)
        Time in seconds and position in the bar.
    idiom : Idiom
        Provides the grooves and kits.
    rng : np.random.Generator
        Draws the performance.

    Returns
    -------
    Part
    """
    grooves, change = _two(idiom.grooves, rng), rng.integers(4, 9) * 8
    first, silent = rng.choice([0, 0, 0, 8, 16, 32]), rng.random() < 0.3
    gap = rng.integers(8, max(9, len(beats))), rng.choice((8, 16, 32))
    fills = rng.choice((0, 16, 32))
    notes, crash = [], False
    times = np.array([time for time, _ in beats])
    lengths = np.diff(times, append=times[-1:])
    for n, ((time, position), length) in enumerate(zip(beats, lengths, strict=True)):
        if n < first or (silent and gap[0] <= n < sum(gap)):
            continue
        groove = grooves[n // change % 2]
        if fills and n % fills == fills - 1:
            drum, crash = int(rng.choice(_FILL)), True
            groove = {drum: "xxxx" * 4}
        elif crash and position == 1:
            notes.append(Note(time, time + 0.5, CRASH, 100))
            crash = False
        notes += struck(time, length, groove, 4 * ((position - 1) % 4), rng)
    return _loose(Part(int(rng.choice(idiom.kits)), notes, is_drum=True), rng)


def _two(choices, rng):
    """Draw two patterns that alternate."""
    return [choices[i] for i in rng.integers(len(choices), size=2)]


def bass_note(number, root, tones, bass):
    """Return the bass pitch of a chord, the same for each stroke."""
    return [bass_pitch(root, bass)]


def _power_chord(number, root, tones, bass):
    return power_chord(root, tones)


def _tones(one_by_one):
    """Return a function for the pitches of a chord, all at once or one by one."""

    def pitches(number, root, tones, bass):
        steps = (root + np.flatnonzero(tones) - _LOWEST_COMPING) % 12
        voicing = sorted(_LOWEST_COMPING + step for step in steps.tolist())
        return [voicing[number % len(voicing)] + 12] if one_by_one else voicing

    return pitches


def played(chords, beats, figures, pitches, rng):
    """Play chords with two figures that alternate every eight bars.

    A note that lasts beyond a chord change is struck again with the new chord.

    Parameters
    ----------
    chords : list of (float, float, int, np.ndarray, int)
        Chords as :func:`crema.corpus.arrange.encoded` yields them.
    beats : list of (float, int)
        Time in seconds and position in the bar.
    figures : list of str
        Two figures of an :class:`Idiom`.
    pitches : callable
        ``pitches(number, root, tones, bass)`` returns the MIDI pitches of a stroke.
    rng : np.random.Generator
        Draws articulation and velocities.

    Returns
    -------
    list of Note
    """
    short = rng.uniform(0.4, 1.0)
    times = np.array([time for time, _ in beats])
    positions = [position for _, position in beats]
    steps = np.interp(np.arange(4 * len(times) - 3) / 4, np.arange(len(times)), times)
    tokens = [
        figures[n // 4 // 32 % 2][4 * ((positions[n // 4] - 1) % 4) + n % 4]
        for n in range(len(steps))
    ]
    events = [n for n, token in enumerate(tokens) if token != "."]
    starts = [chord[0] for chord in chords]
    notes = []
    for number, (n, following) in enumerate(pairwise([*events, len(steps) - 1])):
        if tokens[n] == "-":
            continue
        begin, end = float(steps[n]), float(steps[following])
        held = begin + (end - begin) * short
        velocity = 105 if tokens[n] == "X" else 85
        sounding = max(bisect(starts, begin) - 1, 0)
        for start, stop, root, tones, bass in chords[sounding:]:
            if start >= held:
                break
            first, last = max(begin, start), min(held, stop)
            if last - first < 0.03:
                continue
            for pitch in pitches(number, root, tones, bass):
                loud = int(velocity + rng.integers(-12, 13))
                notes.append(Note(first, last, int(pitch), loud))
    return notes
