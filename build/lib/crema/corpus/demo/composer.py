"""From a piece of the catalogue to notes and annotations, in seconds."""

import math
from typing import NamedTuple

import numpy as np

from crema.corpus.demo.accompaniment import STYLES, Style, play, walk
from crema.corpus.demo.drums import GROOVES, drum
from crema.corpus.demo.harmony import MODES, pitch_class, read_harmony
from crema.corpus.demo.instruments import INSTRUMENTS
from crema.corpus.demo.melody import PHRASE, counter_melody, melody
from crema.corpus.render import Note, Part
from crema.exceptions import ConfigError
from crema.utils import rng

BEATS = {"4/4": 4, "3/4": 3, "6/8": 2}

#: Length of a piece in seconds, before it is rounded to whole phrases.
LENGTH = (42.0, 44.0)
#: What can be asked for, in seconds.
LONGEST = 600.0
#: The last chord is held for at least this long, in seconds.
CODA = 2.0
#: Seconds by which notes end before a silence, so that their release is over.
RELEASE = 0.45
#: How late notes are, in seconds (never early: a chord must not sound before its
#: label), and how uneven their velocities; standard deviations.
UNEVEN_TIME, UNEVEN_VELOCITY = 0.006, 4

#: No note is shorter than this, in seconds.
SHORTEST = 0.05

#: Loudness of the styles that stand out, of basses and of all others.
VELOCITY = {"melody": 108, "counter": 80, "pad": 58, "drums": 106}
BASS, CHORDS = 88, 76


class Composition(NamedTuple):
    """What a piece sounds like, and what is to be heard in it.

    Attributes
    ----------
    parts : list of Part
        What :func:`crema.corpus.render.render` plays.
    chords : list of (float, float, str)
        Start and end in seconds, label in Harte syntax.  They cover the piece
        without a gap; what is before the first and after the last chord is ``N``.
    beats : list of (float, int)
        Time in seconds and position in the bar, counted from 1; from the first bar
        (or its count-in) to the beginning of the last chord, which is held.
    key : (float, float, str)
        Start and end in seconds, tonic and mode.
    duration : float
        In seconds.
    """

    parts: list
    chords: list
    beats: list
    key: tuple
    duration: float


def compose(piece, seconds=None):
    """Compose a piece.

    Parameters
    ----------
    piece : Piece
        An entry of :func:`crema.corpus.demo.catalogue`.
    seconds : float, optional
        Aim for about this many seconds, at least two bars and the final chord.  By
        default pieces last between 30 and 45 seconds.

    Returns
    -------
    Composition
        Always the same for the same arguments.

    Raises
    ------
    ConfigError
        `seconds` is no length for a piece.
    """
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise ConfigError(f"a piece of {seconds:g} s; give 1 to {LONGEST:g} seconds")
    random = rng.generator("demo", piece.track_id)
    silence_before, silence_after = random.uniform(0.3, 1.2), random.uniform(0.8, 1.4)
    target = random.uniform(*LENGTH) if seconds is None else seconds

    beats, beat_length = BEATS[piece.meter], 60 / piece.tempo
    bar_length = beats * beat_length
    n_bars = int((target - silence_before - silence_after) / bar_length)
    coda_bars = math.ceil(CODA / bar_length)
    spans = read_harmony(piece.harmony, piece.tonic, beats, n_bars, coda_bars)
    coda = spans[-1]

    def clock(beat):
        """Seconds of a time in beats; swing delays what is between the beats."""
        whole, part = divmod(beat, 1)
        part = min(part * 2 * piece.swing, 1 - (1 - part) * 2 * (1 - piece.swing))
        return _exact(silence_before + (whole + part) * beat_length)

    end = clock(coda.start + coda.length)
    # Whole half seconds are whole samples at every usual sample rate.
    duration = math.ceil(2 * (end + silence_after)) / 2
    chords = [(clock(s.start), clock(s.start + s.length), s.chord.label) for s in spans]
    chords = _merge([(0.0, clock(0), "N"), *chords, (end, duration, "N")])
    silences = [start for start, _, label in chords if label == "N"]

    phrases = random.uniform(0.86, 1.06, size=coda.bar // PHRASE + 1)
    dynamics = np.repeat(phrases, PHRASE * beats)
    parts = []
    for style, instrument in piece.band.items():
        own = rng.generator("demo", piece.track_id, style)
        events = _arrange(piece, style, spans, own)
        notes = _perform(events, clock, _loudness(style) * dynamics, own)
        if style == "drums":
            parts.append(Part(0, notes, is_drum=True))
        else:
            notes = _release(notes, silences)
            parts.append(Part(INSTRUMENTS[instrument].program, notes))

    first, last = chords[0][1], chords[-1][0]
    beat_times = [(clock(beat), beat % beats + 1) for beat in range(coda.start + 1)]
    return Composition(parts, chords, beat_times, (first, last, piece.key), duration)


def _arrange(piece, style, spans, random):
    """Return the events of one style; all but drums hold the last chord."""
    beats = BEATS[piece.meter]
    *body, coda = spans
    if style == "drums":
        count_in = next(span.bar for span in spans if span.chord.tones)
        return drum(GROOVES[piece.band[style]], beats, count_in, coda.bar)

    token = "b" if is_bass(style) else "x"
    centre = INSTRUMENTS[piece.band[style]].centre
    if style == "walk":
        events = walk(body, centre, random)
    elif style == "counter":
        token, events = "0", counter_melody(body, centre)
    elif style == "melody":
        scale = {(pitch_class(piece.tonic) + step) % 12 for step in MODES[piece.mode]}
        token, events = "0", melody(body, scale, beats, centre, random)
    else:
        events = play(body, STYLES[style], beats, centre)
    hold = Style({coda.length: token}, gate=1.0)
    return [*events, *play([coda], hold, coda.length, centre)]


def is_bass(style):
    """Return whether a style plays the bass note of each chord."""
    return style == "walk" or style in STYLES and STYLES[style].bars[4][0] == "b"


def _loudness(style):
    return VELOCITY.get(style, BASS if is_bass(style) else CHORDS)


def _perform(events, clock, velocities, random):
    """Turn events into notes, as unevenly as a player does.

    `velocities` holds one a beat.
    """
    notes = []
    for event in events:
        late = event.delay + abs(random.normal(scale=UNEVEN_TIME))
        velocity = velocities[int(event.beat)] * event.stress
        velocity += random.normal(scale=UNEVEN_VELOCITY)
        start = clock(event.beat) + late
        end = max(clock(event.beat + event.length), start + SHORTEST)
        notes.append(Note(start, end, event.pitch, int(np.clip(velocity, 1, 127))))
    return sorted(notes)


def _release(notes, silences):
    """End notes early enough that nothing of them is left in the silences."""
    released = []
    for note in notes:
        limit = min(s for s in silences if s > note.start) - RELEASE
        if limit - note.start >= SHORTEST:
            released.append(note._replace(end=min(note.end, limit)))
    return released


def _merge(chords):
    """Join neighbours of the same label: a boundary is where the chord changes."""
    merged = []
    for start, end, label in chords:
        if merged and merged[-1][2] == label:
            start = merged.pop()[0]
        merged.append((start, end, label))
    return merged


def _exact(seconds):
    """Round to a binary fraction: start + duration is then exactly the next start.

    A rounding error would let two chords overlap, which mir_eval rejects.
    """
    return round(seconds * 65536) / 65536
