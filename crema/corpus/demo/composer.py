"""Convert a piece of the catalogue to notes and annotations in seconds."""

import math
from typing import NamedTuple

import numpy as np

from crema.corpus.demo.accompaniment import STYLES, Style, play, walk
from crema.corpus.demo.drums import GROOVES, drum
from crema.corpus.demo.harmony import read_harmony
from crema.corpus.demo.instruments import INSTRUMENTS
from crema.corpus.demo.melody import PHRASE, counter_melody, melody
from crema.corpus.render import Note, Part
from crema.exceptions import ConfigError
from crema.notes import SCALES, split
from crema.utils import rng

BEATS = {"4/4": 4, "3/4": 3, "6/8": 2}

#: Range of lengths in seconds, before rounding to whole phrases.
LENGTH = (42.0, 44.0)
#: Maximum length that can be requested, in seconds.
LONGEST = 600.0
#: Minimum length of the last chord in seconds.
CODA = 2.0
#: Seconds by which notes end before a silence, to leave time for their release.
RELEASE = 0.45
#: Standard deviations of the delay of notes in seconds and of their velocities.  Notes
#: are never early: a chord must not sound before its label.
UNEVEN_TIME, UNEVEN_VELOCITY = 0.006, 4

#: Minimum length of a note in seconds.
SHORTEST = 0.05

#: Velocities of some styles, of basses, and of all other styles.
VELOCITY = {"melody": 108, "counter": 80, "pad": 58, "drums": 106}
BASS, CHORDS = 88, 76


class Composition(NamedTuple):
    """The notes and the annotations of a piece.

    Attributes
    ----------
    parts : list of Part
        Input of :func:`crema.corpus.render.render`.
    chords : list of (float, float, str)
        Start and end in seconds, label in Harte syntax.  They cover the piece without
        gaps, with ``N`` before the first chord and after the last.
    beats : list of (float, int)
        Time in seconds and position in the bar, from 1.  They extend from the first bar
        (or the count-in) to the start of the last chord, which is held.
    key : (float, float, str)
        Start and end in seconds, tonic and mode.
    duration : float
        Length in seconds.
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
        Approximate length, at least two bars and the final chord.  By default pieces
        last 34.5 to 44 seconds.

    Returns
    -------
    Composition
        Always the same for the same arguments.

    Raises
    ------
    ConfigError
        `seconds` is out of range.
    """
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise ConfigError(
            f"a piece cannot last {seconds:g} s; give 1 to {LONGEST:g} seconds"
        )
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
        """Convert beats to seconds; swing delays off-beats."""
        whole, part = divmod(beat, 1)
        part = min(part * 2 * piece.swing, 1 - (1 - part) * 2 * (1 - piece.swing))
        return _exact(silence_before + (whole + part) * beat_length)

    end = clock(coda.start + coda.length)
    # Half seconds are whole numbers of samples at all usual sampling rates.
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
        scale = {(split(piece.tonic)[0] + step) % 12 for step in SCALES[piece.mode]}
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
    """Turn events into notes with uneven timing and velocity.

    `velocities` holds one value per beat.
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
    """End notes before silences; drop those that become too short."""
    released = []
    for note in notes:
        limit = min(s for s in silences if s > note.start) - RELEASE
        if limit - note.start >= SHORTEST:
            released.append(note._replace(end=min(note.end, limit)))
    return released


def _merge(chords):
    """Merge consecutive chords with the same label."""
    merged = []
    for start, end, label in chords:
        if merged and merged[-1][2] == label:
            start = merged.pop()[0]
        merged.append((start, end, label))
    return merged


def _exact(seconds):
    """Round to a binary fraction, so that start + duration equals the next start.

    A rounding error could make two chords overlap, which mir_eval rejects.
    """
    return round(seconds * 65536) / 65536
