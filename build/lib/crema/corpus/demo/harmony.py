"""From Roman numerals to chords: symbols, bars, spans and voicings.

A progression is written as text, one symbol a chord, in the notation of Roman
numeral analysis with the qualities of Harte et al. (ISMIR 2005)::

    N || I | vi:min7 ii:min7 | V:sus4 V:7 | % || I

Upper case is major and lower case minor unless a quality follows the colon, a
degree after a slash is the bass, ``b`` and ``#`` alter the degree of the *major*
scale, ``%`` holds the chord before it and ``N`` is a bar without harmony.  A
line break is a bar line.  What stands between the double bars is the loop; the
coda follows it, and an opening may precede it.
"""

import re
from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

#: Semitones above the root of every chord quality the corpus uses.
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

#: Semitones above the tonic of every mode.
MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}

LETTERS = "CDEFGAB"
NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
SYMBOL = re.compile(
    r"(?P<shift>[b#]*)(?P<numeral>[IViv]+)(:(?P<quality>\w+))?(/(?P<bass>[b#]*[1-7]))?"
)


class Chord(NamedTuple):
    """A chord as a label and as pitch classes; `N` has no tones."""

    label: str
    tones: tuple[int, ...]
    bass: int


NO_CHORD = Chord("N", (), 0)


class Span(NamedTuple):
    """One chord within one bar, the unit that every player reads.

    `start` is counted in beats from the first bar, `position` in beats from the
    beginning of the bar; `fresh` says that another chord sounded before.
    """

    bar: int
    start: int
    position: int
    length: int
    chord: Chord
    fresh: bool


def pitch_class(name: str) -> int:
    """Return the pitch class of a note such as ``"Eb"``."""
    shift = name.count("#") - name[1:].count("b")
    return (MODES["major"][LETTERS.index(name[0])] + shift) % 12


def degree(text: str) -> int:
    """Return the semitones of a degree such as ``"b7"`` above the root."""
    return MODES["major"][int(text[-1]) - 1] + text.count("#") - text.count("b")


def chord(symbol: str, tonic: str) -> Chord:
    """Read a symbol such as ``"bVI:maj7/3"`` in the key of `tonic`."""
    if symbol == "N":
        return NO_CHORD
    match = SYMBOL.fullmatch(symbol)
    numeral = match["numeral"]
    step = NUMERALS.index(numeral.upper())
    quality = match["quality"] or ("maj" if numeral.isupper() else "min")
    root = pitch_class(tonic) + degree(match["shift"] + str(step + 1))

    letter = LETTERS[(LETTERS.index(tonic[0]) + step) % 7]
    shift = (root - pitch_class(letter) + 6) % 12 - 6
    label = letter + "#" * shift + "b" * -shift + ":" + quality
    bass = root
    if match["bass"]:
        label += "/" + match["bass"]
        bass += degree(match["bass"])
    tones = tuple((root + interval) % 12 for interval in QUALITIES[quality])
    return Chord(label, tones, bass % 12)


def read_bars(text: str, tonic: str, beats: int) -> list[list[tuple[Chord, int]]]:
    """Return the (chord, beats) pairs of each bar; the first chords are longest."""
    bars, last = [], NO_CHORD
    for bar in re.split(r"[|\n]", text.strip()):
        symbols = bar.split()
        share, rest = divmod(beats, len(symbols))
        bars.append([])
        for number, symbol in enumerate(symbols):
            last = last if symbol == "%" else chord(symbol, tonic)
            bars[-1].append((last, share + (number < rest)))
    return bars


def read_harmony(
    text: str, tonic: str, beats: int, n_bars: int, coda_bars: int
) -> list[Span]:
    """Lay out a progression in about `n_bars` bars; its coda is the last span.

    The loop takes what the opening and the coda leave, rounded down to phrases of
    four bars (of two where there is little room).
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


def chord_scale(sounding: Chord, scale: set[int]) -> set[int]:
    """Return the scale bent to the chord: its tones oust their chromatic variants."""
    foreign = set(sounding.tones) - scale
    ousted = {(tone + shift) % 12 for tone in foreign for shift in (-1, 1)}
    return (scale - ousted) | set(sounding.tones)


def voice_leading(spans: list[Span], centre: int) -> Iterator[tuple[int, ...]]:
    """Yield one close voicing a span, each as near as can be to the one before."""
    voicing: tuple[int, ...] = ()
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


def _effort(pitches: tuple[int, ...], before: tuple[int, ...], centre: int) -> float:
    """Movement from one voicing to the next, and drift away from the centre."""
    movement = sum(min(abs(p - old) for old in before or (centre,)) for p in pitches)
    return movement + abs(sum(pitches) / len(pitches) - centre)
