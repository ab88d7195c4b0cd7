"""Instruments for MIDI files, and a bass and drums that fit their annotation.

All is drawn at random, so that a corpus does not teach one instrument or one
accompaniment; bass and drums follow chords and beats exactly, so that these stay true.
"""

from itertools import pairwise

import numpy as np

from crema.corpus.render import Note, Part
from crema.exceptions import AnnotationError

#: General MIDI programs for each track of the MIDI files, by family.
_PROGRAMS = {
    "MELODY": (
        (52, 53, 54),
        (64, 66, 71),
        (68, 73, 75),
        (40, 41, 22),
        (80, 81),
        (0, 4),
    ),
    "BRIDGE": ((48, 49, 50), (88, 91), (24, 25, 27), (0, 2, 4), (11, 12), (60, 71, 73)),
    "PIANO": ((0, 1, 2), (0, 1, 2), (4, 5), (24, 25, 26, 27), (11, 46), (19, 48, 50)),
}
#: Instruments whose notes die away, so that a sustain pedal does not blur chords.
_DECAYING = {*range(16), *range(24, 32), 46}

#: Sixteenths of a bar of four beats, by General MIDI drum; capitals are accents.
_STYLES = (
    {36: "X.......X.......", 38: "....X.......X...", 42: "x.x.x.x.x.x.x.x."},
    {36: "X.........X.....", 38: "....X.......X...", 42: "X...x...X...x..."},
    {36: "X..x......Xx....", 38: "....X..x....X...", 42: "xxxxxxxxxxxxxxxx"},
    {36: "X.....x.........", 37: "........X.......", 51: "x...x.x.x...x.x."},
    {36: "X.....X...X.....", 39: "....X.......X...", 70: "x.xxx.xxx.xxx.xx"},
    {36: "X.......x.......", 40: "........X.......", 42: "x...x...x...x..."},
)
#: The same in every beat, for music whose bars are not known.
_UNBARRED_STYLES = (
    {36: "X..." * 4, 42: "..X." * 4},
    {42: "X.x." * 4},
    {36: "X..." * 4, 70: "x.xx" * 4},
)
_KITS = (0, 8, 16, 25, 32)
_CRASH = 49
_LONGEST_BEAT = 1.5  # seconds; a longer one is a pause, not to be subdivided

_BASS_PROGRAMS = (32, 33, 34, 35, 38, 39)
_LOWEST_BASS = 28  # the open E string
_STRIKES_PER_BEAT = (0, 1, 1, 2)  # 0: only where the chord changes


def read_parts(path, rng):
    """Read a MIDI file and give each of its tracks an instrument.

    Parameters
    ----------
    path : path-like
        The MIDI file; its tempo map and sustain pedal are obeyed.
    rng : np.random.Generator
        Chooses the programs and the loudness of each track.

    Returns
    -------
    list of Part

    Raises
    ------
    AnnotationError
        The file is missing, is not MIDI, or holds no note.
    """
    import pretty_midi

    try:
        tracks = pretty_midi.PrettyMIDI(str(path)).instruments
    except Exception as error:  # mido raises whatever a damaged byte leads to
        raise AnnotationError(f"{path}: cannot be read as MIDI ({error})") from error
    parts = []
    for track in tracks:
        families = _PROGRAMS.get(track.name.strip(), _PROGRAMS["PIANO"])
        program = int(rng.choice(families[rng.integers(len(families))]))
        gain = rng.uniform(0.7, 1.0)
        pedal = [(c.time, c.value) for c in track.control_changes if c.number == 64]
        release = _pedal_release(pedal) if program in _DECAYING else float
        notes = [
            Note(
                float(note.start),
                release(note.end),
                note.pitch,
                max(1, round(gain * note.velocity)),
            )
            for note in track.notes
            if note.end > note.start
        ]
        parts.append(Part(program, notes))
    if not any(part.notes for part in parts):
        raise AnnotationError(f"{path}: holds no note")
    return parts


def _pedal_release(pedal):
    """Return the function from the end of a key's stroke to the end of its sound."""
    times = np.array([time for time, _ in pedal])
    down = np.array([value >= 64 for _, value in pedal])

    def release(end):
        now = np.searchsorted(times, end, side="right")
        if now and down[now - 1] and not down[now:].all():
            end = times[now + np.argmin(down[now:])]
        return float(end)

    return release


def drum_part(beats, rng):
    """Play a drum pattern on the beats.

    Parameters
    ----------
    beats : list of (float, int or None)
        Time in seconds and position in the bar, from 1; None where bars are unknown.
    rng : np.random.Generator
        Chooses the kit, the pattern and the beat at which the drums enter.

    Returns
    -------
    Part
    """
    kit, enter = rng.choice(_KITS), rng.choice([0, 0, 8, 16])
    barred = all(position is not None for _, position in beats)
    styles = _STYLES if barred else _UNBARRED_STYLES
    style = styles[rng.integers(len(styles))]
    beats = beats[enter:]
    times = np.array([time for time, _ in beats])
    lengths = np.diff(times, append=times[-1:])
    notes = []
    for (time, position), length in zip(beats, lengths, strict=True):
        first = 4 * ((position - 1) % 4) if barred else 0
        for step in range(4 if 0 < length < _LONGEST_BEAT else 1):
            start = float(time + step * length / 4)
            for pitch, pattern in style.items():
                if (stroke := pattern[first + step]) != ".":
                    velocity = (100 if stroke == "X" else 75) + rng.integers(-10, 11)
                    notes.append(Note(start, start + 0.1, pitch, int(velocity)))
    if notes and barred:
        notes.append(Note(notes[0].start, notes[0].start + 0.5, _CRASH, 90))
    return Part(int(kit), notes, is_drum=True)


def bass_part(chords, beats, rng):
    """Play the lowest note of each chord.

    Parameters
    ----------
    chords : list of (float, float, str)
        Start and end in seconds and a label in Harte's syntax.
    beats : list of (float, int or None)
        Time in seconds and position in the bar.
    rng : np.random.Generator
        Chooses the instrument and how often a note is struck again.

    Returns
    -------
    Part
    """
    from mir_eval.chord import encode

    program = rng.choice(_BASS_PROGRAMS)
    strikes_per_beat = rng.choice(_STRIKES_PER_BEAT)
    times = np.array([time for time, _ in beats])
    pulse = times[:0]
    if strikes_per_beat and len(times) > 1:
        steps = np.arange(len(times) * strikes_per_beat) / strikes_per_beat
        pulse = np.interp(steps, np.arange(len(times)), times)
    notes = []
    for start, end, label in chords:
        root, _, bass = encode(label)
        if root < 0:
            continue
        pitch = _LOWEST_BASS + (root + bass - _LOWEST_BASS) % 12
        # A strike just beside the change of chord would be heard as a flam.
        inside = np.unique(pulse[(pulse > start + 0.1) & (pulse < end - 0.1)])
        edges = [start, *inside.tolist(), end]
        for onset, release in pairwise(edges):
            velocity = 90 + rng.integers(-10, 11)
            notes.append(Note(onset, release, int(pitch), int(velocity)))
    return Part(int(program), notes)
