"""Read progressions in Roman numerals, and voice their chords.

A progression is text with one symbol per chord, in the notation of Roman numeral
analysis with the qualities of Harte et al. (ISMIR 2005)::

    N || I | vi:min7 ii:min7 | V:sus4 V:7 | % || I

Upper case is major and lower case is minor unless a quality follows the colon.  A
degree after a slash is the bass.  ``b`` and ``#`` alter the degree of the *major*
scale.  ``%`` repeats the previous chord, and ``N`` is a bar without harmony.  A line
break is a bar line.  Double bars separate an optional opening, the loop, and the coda.
"""

import re
from itertools import cycle, islice
from typing import NamedTuple

from crema.notes import SCALES, split

#: Semitones above the root for every chord quality of the corpus.
QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "maj6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "minmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9),
    "hdim7": (0, 3, 6, 10),
}

LETTERS = "CDEFGAB"
NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
SYMBOL = re.compile(
    r"(?P<shift>[b#]*)(?P<numeral>[IViv]+)(:(?P<quality>\w+))?(/(?P<bass>[b#]*[1-7]))?"
)


class Chord(NamedTuple):
    """A chord label, its pitch classes and that of its bass; ``N`` has no tones."""

    label: str
    tones: tuple[int, ...]
    bass: int


NO_CHORD = Chord("N", (), 0)


class Span(NamedTuple):
    """One chord within one bar, the unit that every player reads.

    Attributes
    ----------
    bar : int
        Index of the bar.
    start, position : int
        Beats from the start of the piece, and from the start of the bar.
    length : int
        Length in beats.
    chord : Chord
        The chord.
    fresh : bool
        Whether the chord differs from the previous one.
    """

    bar: int
    start: int
    position: int
    length: int
    chord: Chord
    fresh: bool


def degree(text):
    """Return the semitones above the root of a degree such as ``"b7"``."""
    return SCALES["major"][int(text[-1]) - 1] + text.count("#") - text.count("b")


def chord(symbol, tonic):
    """Parse a symbol such as ``"bVI:maj7/3"`` in the key of `tonic`."""
    if symbol == "N":
        return NO_CHORD
    match = SYMBOL.fullmatch(symbol)
    numeral = match["numeral"]
    step = NUMERALS.index(numeral.upper())
    quality = match["quality"] or ("maj" if numeral.isupper() else "min")
    root = split(tonic)[0] + degree(match["shift"] + str(step + 1))

    letter = LETTERS[(LETTERS.index(tonic[0]) + step) % 7]
    shift = (root - split(letter)[0] + 6) % 12 - 6
    label = letter + "#" * shift + "b" * -shift + ":" + quality
    bass = root
    if match["bass"]:
        label += "/" + match["bass"]
        bass += degree(match["bass"])
    tones = tuple((root + interval) % 12 for interval in QUALITIES[quality])
    return Chord(label, tones, bass % 12)


def read_bars(text, tonic, beats):
    """Parse the bars of a progression.

    Parameters
    ----------
    text : str
        Bars without double bars.
    tonic : str
        Tonic of the key.
    beats : int
        Beats in a bar.

    Returns
    -------
    list of list of (Chord, int)
        Chords and lengths in beats for each bar.  If the chords of a bar cannot be
        equally long, the first ones get one more beat.
    """
    bars, last = [], NO_CHORD
    for bar in re.split(r"[|\n]", text.strip()):
        symbols = bar.split()
        share, rest = divmod(beats, len(symbols))
        bars.append([])
        for number, symbol in enumerate(symbols):
            last = last if symbol == "%" else chord(symbol, tonic)
            bars[-1].append((last, share + (number < rest)))
    return bars


def read_harmony(text, tonic, beats, n_bars, coda_bars):
    """Lay out a progression in about `n_bars` bars.

    The loop fills the bars that the opening and the coda leave, rounded down to phrases
    of four bars, or of two bars if fewer than eight remain.

    Parameters
    ----------
    text : str
        The progression.
    tonic : str
        Tonic of the key.
    beats : int
        Beats in a bar.
    n_bars, coda_bars : int
        Number of bars in total, and of the coda.

    Returns
    -------
    list of Span
        The last span is the coda.
    """
    *opening, loop, coda = (read_bars(t, tonic, beats) for t in text.split("||"))
    bars = opening[0] if opening else []
    room = max(2, n_bars - len(bars) - coda_bars)
    bars += islice(cycle(loop), room - room % (4 if room >= 8 else 2))
    ((last_chord, _),) = coda[0]
    bars.append([(last_chord, coda_bars * beats)])

    spans, sounding = [], NO_CHORD
    for number, bar in enumerate(bars):
        position = 0
        for next_chord, length in bar:
            start = number * beats + position
            fresh = next_chord != sounding
            spans.append(Span(number, start, position, length, next_chord, fresh))
            position += length
            sounding = next_chord
    return spans


def chord_scale(sounding, scale):
    """Replace scale tones by the foreign chord tones that are a semitone away.

    Parameters
    ----------
    sounding : Chord
        The chord.
    scale : set of int
        Pitch classes of the key.

    Returns
    -------
    set of int
        Pitch classes.
    """
    foreign = set(sounding.tones) - scale
    ousted = {(tone + shift) % 12 for tone in foreign for shift in (-1, 1)}
    return (scale - ousted) | set(sounding.tones)


def voice_leading(spans, centre):
    """Voice each chord closely, with minimal motion from the previous one.

    Parameters
    ----------
    spans : list of Span
        The harmony.
    centre : int
        MIDI pitch at the centre of the range.

    Yields
    ------
    tuple of int
        MIDI pitches for each span; empty for ``N``.
    """
    voicing = ()
    for span in spans:
        tones = span.chord.tones
        if tones and (span.fresh or not voicing):
            choices = []
            for turn in range(len(tones)):
                for octave in (-24, -12, 0):
                    pitches = [octave + centre + (tones[turn] - centre) % 12]
                    for tone in tones[turn + 1 :] + tones[:turn]:
                        pitches.append(pitches[-1] + (tone - pitches[-1]) % 12)
                    choices.append(tuple(pitches))
            efforts = [_effort(pitches, voicing, centre) for pitches in choices]
            voicing = choices[efforts.index(min(efforts))]
        yield voicing if tones else ()


def _effort(pitches, before, centre):
    """Return the motion between two voicings plus the distance to the centre."""
    movement = sum(min(abs(p - old) for old in before or (centre,)) for p in pitches)
    return movement + abs(sum(pitches) / len(pitches) - centre)
