"""Arrange annotated MIDI files for a band.

Instruments, line-up and accompaniment are drawn at random, so that a model does not
depend on any of them.  Added parts follow the chords and beats exactly, so that the
annotation stays correct.  :func:`arrange` is the entry point; a :class:`Stem` is the
unit of mixing.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from crema.corpus.render import Note, Part
from crema.exceptions import AnnotationError

#: General MIDI programs for each track of the MIDI files, by family.
_PROGRAMS = {
    "MELODY": (
        (52, 53, 54),
        (56, 57, 60),
        (64, 65, 66, 71),
        (68, 73, 75),
        (40, 41, 22),
        (80, 81, 82, 85),
        (24, 26, 27, 30),
        (0, 4, 11),
    ),
    "BRIDGE": (
        (48, 49, 50, 51),
        (88, 89, 91, 95),
        (24, 25, 27, 28),
        (0, 2, 4, 5),
        (9, 11, 12),
        (60, 61, 71, 73),
        (80, 81, 62),
    ),
    "PIANO": (
        (0, 1, 2),
        (0, 1, 3),
        (4, 5, 7),
        (24, 25, 26, 27),
        (6, 11, 46),
        (16, 17, 18, 19),
        (48, 50, 61, 62),
        (81, 88, 90, 91),
    ),
}
#: Programs for solo pieces.
_SOLO = (0, 0, 0, 1, 2, 4, 5, 6, 11, 19, 24, 25, 26, 46)
#: Programs whose notes decay, so that a sustain pedal does not blur chords.
_DECAYING = {*range(16), *range(24, 32), 46}

#: Probabilities of a solo instrument, of a sung melody, and of each added part.
SHARES = {"solo": 0.15, "voice": 0.5, "bass": 0.7, "guitar": 0.2, "pad": 0.25}

#: Sixteenths of a 4/4 bar, by General MIDI drum; capitals are accents.
_STYLES = (
    {36: "X.......X.......", 38: "....X.......X...", 42: "x.x.x.x.x.x.x.x."},
    {36: "X.........X.....", 38: "....X.......X...", 42: "X...x...X...x..."},
    {36: "X..x......Xx....", 38: "....X..x....X...", 42: "xxxxxxxxxxxxxxxx"},
    {36: "X.....x.........", 37: "........X.......", 51: "x...x.x.x...x.x."},
    {36: "X.....X...X.....", 39: "....X.......X...", 70: "x.xxx.xxx.xxx.xx"},
    {36: "X.......x.......", 40: "........X.......", 42: "x...x...x...x..."},
    {36: "X...X...X...X...", 39: "....X.......X...", 46: "..x...x...x...x."},
    {36: "X...X...X...X...", 42: "..X...X...X...X.", 54: "x.xxx.xxx.xxx.xx"},
    {36: "X.X.X.X.X.X.X.X.", 38: "....X.......X...", 49: "X.......X......."},
    {36: "XxXxXxXxXxXxXxXx", 38: "....X.......X...", 51: "X.x.X.x.X.x.X.x."},
    {36: "X.x...x.X.x.....", 38: "....X..x.x..X...", 46: "x.......x......."},
    {36: "X..x..x...x.....", 37: "..x..x....x..x..", 42: "x.x.x.x.x.x.x.x."},
    {36: "X...............", 38: "........X.......", 51: "X...X...X...X..."},
    {45: "X.....x.X..x....", 43: "....x.......x.x.", 70: "xxxxxxxxxxxxxxxx"},
    {42: "X...x...X...x..."},
)
#: Patterns with equal beats, for music without known bars.
_UNBARRED_STYLES = (
    {36: "X..." * 4, 42: "..X." * 4},
    {42: "X.x." * 4},
    {36: "X..." * 4, 70: "x.xx" * 4},
    {36: "X..." * 4, 38: "..X." * 4},
)
_KITS = (0, 8, 16, 24, 25, 32, 40)
CRASH = 49
LONGEST_BEAT = 1.5  # seconds; longer beats are pauses and are not subdivided

_BASS_PROGRAMS = (32, 33, 34, 35, 36, 38, 39, 87)
_LOWEST_BASS = 28  # the open E string
_STRIKES_PER_BEAT = (0, 1, 1, 2, 2)  # 0: only at chord changes
GUITARS = (29, 30)
_LOWEST_GUITAR = 40
_PADS = (48, 50, 52, 88, 89, 90, 91, 92, 95, 16, 18)
_LOWEST_PAD = 53


class Stem(NamedTuple):
    """Parts that share one sound and one level in the mix.

    Attributes
    ----------
    name : str
        ``chords``, ``melody``, ``voice``, ``bass``, ``guitar``, ``pad`` or ``drums``.
    parts : list of crema.corpus.render.Part
    """

    name: str
    parts: list


def arrange(tracks, labels, drums, rng):
    """Choose a line-up for a piece, and add parts that follow its annotations.

    Parameters
    ----------
    tracks : list of (str, list of Note, list of (float, int))
        Tracks returned by :func:`read_tracks`.
    labels : dict
        ``chords`` as [start, end, label] and ``beats`` as [time, position], in seconds.
    drums : float
        Probability that a band has drums.
    rng : np.random.Generator
        Draws the line-up and the parts.

    Returns
    -------
    list of Stem
        At least one; some pieces are solos.
    """
    chance = {name: rng.random() < share for name, share in SHARES.items()}
    with_drums = rng.random() < drums
    if chance["solo"]:
        program = int(rng.choice(_SOLO))
        return [Stem("chords", [play(track, program) for track in tracks])]
    stems, chords = [], []
    for track in tracks:
        name = track[0]
        families = _PROGRAMS.get(name, _PROGRAMS["PIANO"])
        part = play(track, int(rng.choice(families[rng.integers(len(families))])))
        if name == "MELODY":
            stems.append(Stem("voice" if chance["voice"] else "melody", [part]))
        else:
            chords.append(part)
    stems.append(Stem("chords", chords))
    chords, beats = labels["chords"], labels["beats"]
    if chance["bass"]:
        stems.append(Stem("bass", [bass_part(chords, beats, rng)]))
    if chance["guitar"]:
        stems.append(Stem("guitar", [guitar_part(chords, beats, rng)]))
    if chance["pad"]:
        stems.append(Stem("pad", [pad_part(chords, rng)]))
    if with_drums:
        stems.append(Stem("drums", [drum_part(beats, rng)]))
    return [stem for stem in stems if any(part.notes for part in stem.parts)]


def read_tracks(path):
    """Read a MIDI file.

    Parameters
    ----------
    path : path-like
        The MIDI file; its tempo map is applied.

    Returns
    -------
    list of (str, list of Note, list of (float, int))
        For each track its name, its notes, and the time in seconds and value of each
        sustain-pedal event.

    Raises
    ------
    AnnotationError
        The file is missing, is not MIDI, or has no notes.
    """
    import pretty_midi

    try:
        instruments = pretty_midi.PrettyMIDI(str(path)).instruments
    except Exception as error:  # mido raises whatever a damaged byte leads to
        raise AnnotationError(f"{path}: cannot be read as MIDI ({error})") from error
    tracks = []
    for track in instruments:
        notes = [
            Note(float(note.start), float(note.end), note.pitch, note.velocity)
            for note in track.notes
            if note.end > note.start
        ]
        pedal = [(c.time, c.value) for c in track.control_changes if c.number == 64]
        tracks.append((track.name.strip(), notes, pedal))
    if not any(notes for _, notes, _ in tracks):
        raise AnnotationError(f"{path}: contains no notes")
    return tracks


def play(track, program):
    """Assign an instrument to a track; apply the sustain pedal if its notes decay.

    Parameters
    ----------
    track : (str, list of Note, list of (float, int))
        A track returned by :func:`read_tracks`.
    program : int
        General MIDI program.

    Returns
    -------
    Part
    """
    _, notes, pedal = track
    if program in _DECAYING:
        release = _pedal_release(pedal)
        notes = [note._replace(end=release(note.end)) for note in notes]
    return Part(program, notes)


def _pedal_release(pedal):
    """Return a function that maps the release of a key to the end of its sound."""
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
        Draws the kit, the patterns and the beat at which the drums enter.

    Returns
    -------
    Part
    """
    kit, enter = rng.choice(_KITS), rng.choice([0, 0, 8, 16])
    barred = all(position is not None for _, position in beats)
    styles = _STYLES if barred else _UNBARRED_STYLES
    # Two patterns alternate.
    style = [styles[i] for i in rng.integers(len(styles), size=2)]
    change = rng.integers(8, 17) * 4
    beats = beats[enter:]
    times = np.array([time for time, _ in beats])
    lengths = np.diff(times, append=times[-1:])
    notes = []
    for n, ((time, position), length) in enumerate(zip(beats, lengths, strict=True)):
        first = 4 * ((position - 1) % 4) if barred else 0
        notes += struck(time, length, style[n // change % 2], first, rng)
    if notes and barred:
        notes.append(Note(notes[0].start, notes[0].start + 0.5, CRASH, 90))
    return Part(int(kit), notes, is_drum=True)


def struck(time, length, groove, first, rng):
    """Return the drum notes of one beat.

    Parameters
    ----------
    time, length : float
        Start and length of the beat in seconds.
    groove : dict of int to str
        Sixteenths of a bar by General MIDI drum.
    first : int
        Index of the beat's first sixteenth.
    rng : np.random.Generator
        Draws the velocities.

    Returns
    -------
    list of Note
    """
    notes = []
    for step in range(4 if 0 < length < LONGEST_BEAT else 1):
        start = float(time + step * length / 4)
        for pitch, pattern in groove.items():
            if (stroke := pattern[first + step]) != ".":
                velocity = (100 if stroke == "X" else 75) + rng.integers(-10, 11)
                notes.append(Note(start, start + 0.1, pitch, int(velocity)))
    return notes


def bass_part(chords, beats, rng):
    """Play the bass note of each chord.

    Parameters
    ----------
    chords : list of (float, float, str)
        Start and end in seconds and a label in Harte's syntax.
    beats : list of (float, int or None)
        Time in seconds and position in the bar.
    rng : np.random.Generator
        Draws the instrument and the repetition rate of notes.

    Returns
    -------
    Part
    """
    program = rng.choice(_BASS_PROGRAMS)
    pulse = _pulse(beats, rng.choice(_STRIKES_PER_BEAT))
    notes = []
    for start, end, root, _, bass in encoded(chords):
        pitch = bass_pitch(root, bass)
        for onset, release in _strikes(start, end, pulse):
            velocity = 90 + rng.integers(-10, 11)
            notes.append(Note(onset, release, int(pitch), int(velocity)))
    return Part(int(program), notes)


def guitar_part(chords, beats, rng):
    """Play power chords: the root, its octave and, if the chord has one, the fifth.

    See :func:`bass_part` for parameters and result.
    """
    program = rng.choice(GUITARS)
    pulse = _pulse(beats, rng.choice((1, 2, 2, 4)))
    notes = []
    for start, end, root, tones, _ in encoded(chords):
        pitches = power_chord(root, tones)
        for onset, release in _strikes(start, end, pulse):
            velocity = int(100 + rng.integers(-15, 16))
            for pitch in pitches:
                notes.append(Note(onset, release, int(pitch), velocity))
    return Part(int(program), notes)


def pad_part(chords, rng):
    """Sustain the tones of each chord.

    See :func:`bass_part` for parameters and result.
    """
    program = rng.choice(_PADS)
    lowest = _LOWEST_PAD + rng.integers(-5, 8)
    notes = []
    for start, end, root, tones, _ in encoded(chords):
        for step in np.flatnonzero(tones):
            pitch = lowest + (root + step - lowest) % 12
            notes.append(Note(start, end, int(pitch), int(70 + rng.integers(-5, 6))))
    return Part(int(program), notes)


def bass_pitch(root, bass):
    """Return the MIDI pitch of a chord's bass, `bass` semitones above the root."""
    return _LOWEST_BASS + (root + bass - _LOWEST_BASS) % 12


def power_chord(root, tones):
    """Return the pitches of root, fifth (if the chord has one) and octave."""
    low = _LOWEST_GUITAR + (root - _LOWEST_GUITAR) % 12
    return [low, low + 7, low + 12] if tones[7] else [low, low + 12]


def encoded(chords):
    """Yield start, end, root, relative tones and relative bass of each chord."""
    from mir_eval.chord import encode

    for start, end, label in chords:
        root, tones, bass = encode(label)
        if root >= 0 and end > start:
            yield start, end, root, tones, bass


def _pulse(beats, per_beat):
    """Return `per_beat` times per beat; an empty array for 0."""
    times = np.array([time for time, _ in beats])
    if not per_beat or len(times) < 2:
        return times[:0]
    steps = np.arange(len(times) * per_beat) / per_beat
    return np.interp(steps, np.arange(len(times)), times)


def _strikes(start, end, pulse):
    """Return the start and end of each note of a chord struck on a pulse."""
    # A strike close to the chord change would sound like a flam.
    inside = np.unique(pulse[(pulse > start + 0.1) & (pulse < end - 0.1)])
    return pairwise([start, *inside.tolist(), end])
