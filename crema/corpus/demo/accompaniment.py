"""Play chords and basses from text patterns, and walking basses.

A pattern writes each bar as a string of equal steps and repeats after its last bar
(``|`` is the bar line)::

    .        nothing: notes continue, as far as the style's gate allows
    x X      the whole chord, plain or accented
    0 .. 4   one voice of the chord, counted from the lowest
    b        the bass note of the chord
    t f s    the next three chord tones above the bass (third, fifth, seventh)
    o        the bass note an octave higher

The patterns of a style are keyed by the number of beats in a bar: 4 (4/4), 3 (3/4) and
2 (6/8, whose beat is the dotted quarter).
"""

from typing import NamedTuple

import numpy as np

from crema.corpus.demo.harmony import voice_leading


class Event(NamedTuple):
    """A note in score time.

    Attributes
    ----------
    beat, length : float
        Start and length in beats.
    pitch : int
        MIDI pitch.
    stress : float
        Factor of the velocity; 1 is plain.
    delay : float
        Delay in seconds.
    """

    beat: float
    length: float
    pitch: int
    stress: float = 1.0
    delay: float = 0.0


class Style(NamedTuple):
    """A pattern and its articulation.

    Attributes
    ----------
    bars : dict of int to str
        The pattern by number of beats in a bar.
    gate : float or None
        Share of the time to the next stroke for which a note sounds; None sustains it
        until the chord ends, like a pedal.
    strum : float
        Seconds between the voices of a chord.
    """

    bars: dict[int, str]
    gate: float | None = 0.95
    strum: float = 0.0


STYLES = {
    # Chords
    "pad": Style({4: "x.......", 3: "x.....", 2: "x....."}, gate=1.0),
    "block": Style({4: "X...x...", 3: "X...x.", 2: "X..x.."}),
    "pulse": Style({4: "XxxxXxxx", 3: "XxxxXx", 2: "XxxXxx"}, gate=0.8),
    "quarters": Style({4: "x.X.x.X.", 3: "X.x.x.", 2: "X.xX.x"}, gate=0.6, strum=0.008),
    "strum": Style({4: "X.x.xxx.|X.xx.xxx", 3: "X.xxxx", 2: "X.xXxx"}, strum=0.012),
    "charleston": Style({4: "X..x....|..x..x..", 3: "X..x..|..x...", 2: "X.x..."}, 0.6),
    "skank": Style({4: "..X...X.", 3: "..x.x.", 2: "..x..x"}, gate=0.45, strum=0.006),
    "oompah": Style({4: "..x...x.", 3: "..x.x.", 2: ".xx.xx"}, gate=0.7),
    "bossa": Style({4: "x..x..x.|..x..x..", 3: "x..x.x", 2: "x.xx.x"}, gate=0.7),
    "shuffle": Style({4: "XxXxXxXx", 3: "XxXxXx", 2: "X.xX.x"}, gate=0.7),
    # Broken chords
    "arpeggio": Style({4: "01232123", 3: "012321", 2: "012321"}, gate=None),
    "alberti": Style({4: "03120312", 3: "031323", 2: "031231"}),
    "picking": Style({4: "02132013", 3: "023123", 2: "021312"}, gate=None),
    "rising": Style({4: "0123....", 3: "0123..", 2: "0123.."}, gate=None),
    "sequencer": Style({4: "0121312101213121", 3: "012131210121"}, gate=0.7),
    # Basses
    "roots": Style({4: "b.......", 3: "b.....", 2: "b....."}),
    "two_feel": Style({4: "b...f...", 3: "b.....|f.....", 2: "b..f.."}, gate=0.9),
    "driving": Style({4: "bbbbbbbb", 3: "bbbbbb", 2: "b.bb.b"}, gate=0.85),
    "octaves": Style({4: "bobobobo", 3: "bobobo", 2: "b.ob.o"}, gate=0.8),
    "funk": Style({4: "b..b..o.|b..bf.ob", 3: "b..bo.", 2: "b.bo.f"}, gate=0.7),
    "boogie": Style({4: "b.t.f.s.|o.s.f.t.", 3: "b.t.f.", 2: "b.tf.s"}, gate=0.85),
    "bossa_bass": Style({4: "b..ff..b", 3: "b..f.b", 2: "b.ff.b"}, gate=0.9),
    "habanera": Style({4: "b..bf.b.", 3: "b..bf.", 2: "b.bf.b"}, gate=0.8),
}


def play(spans, style, beats, centre):
    """Play a pattern over the harmony.

    A chord without a stroke in the pattern is struck at its start.  The first bass note
    of a chord is always the bass of its label.

    Parameters
    ----------
    spans : list of Span
        The harmony.
    style : Style
        The pattern.
    beats : int
        Beats in a bar.
    centre : int
        MIDI pitch at the centre of the range.

    Yields
    ------
    Event
    """
    bars = style.bars[beats].split("|")
    is_bass = bars[0][0] == "b"
    for span, voicing in zip(spans, voice_leading(spans, centre), strict=True):
        if not span.chord.tones:
            continue
        bar = bars[span.bar % len(bars)]
        step = beats / len(bar)
        cut = bar[round(span.position / step) :][: round(span.length / step)]
        if is_bass and span.fresh:
            cut = "b" + cut[1:]
        elif not cut.strip("."):
            cut = bar.strip(".")[0] + cut[1:]

        strokes = [index for index, token in enumerate(cut) if token != "."]
        for index, after in zip(strokes, [*strokes[1:], len(cut)], strict=True):
            beat = span.start + index * step
            if style.gate is None:
                length = span.start + span.length - beat
            else:
                length = (after - index) * step * style.gate
            stress = 1.15 if cut[index] == "X" or index == 0 else 1.0
            for order, pitch in enumerate(_pitches(cut[index], span, voicing, centre)):
                yield Event(beat, length, pitch, stress, order * style.strum)


def walk(spans, centre, random):
    """Walk in quarter notes: the bass, chord tones, a step towards the next bass.

    Parameters
    ----------
    spans : list of Span
        The harmony.
    centre : int
        MIDI pitch at the centre of the range.
    random : np.random.Generator
        Draws the notes.

    Yields
    ------
    Event
    """
    at = centre
    for span, following in zip(spans, [*spans[1:], spans[-1]], strict=True):
        if not span.chord.tones:
            continue
        for beat in range(span.length):
            last = beat == span.length - 1
            if beat == 0 and (span.fresh or span.position == 0):
                targets = [_place(span.chord.bass, centre)]
            elif last and following.fresh and following.chord.tones:
                goal = _place(following.chord.bass, centre)
                targets = [goal - 2, goal - 1, goal + 1, goal + 2]
            else:
                near = range(max(centre - 9, at - 7), min(centre + 9, at + 7) + 1)
                targets = [p for p in near if p % 12 in span.chord.tones and p != at]
            leaps = [abs(pitch - at) + 4 * random.random() for pitch in targets]
            at = targets[int(np.argmin(leaps))]
            yield Event(span.start + beat, 0.92, at, 1.1 if beat == 0 else 1.0)


def _place(tone, centre):
    """Return the pitch of a pitch class in the octave around `centre`."""
    return centre - 6 + (tone - centre + 6) % 12


def _pitches(token, span, voicing, centre):
    """Return the MIDI pitches for one token of a pattern."""
    if token in "xX":
        return voicing
    if token.isdigit():
        octave, voice = divmod(int(token), len(voicing))
        return (voicing[voice] + 12 * octave,)
    bass = _place(span.chord.bass, centre)
    above = sorted((tone - bass) % 12 or 12 for tone in span.chord.tones)
    ladder = dict(zip("btfs", [0, *above], strict=False))
    return (bass + ladder.get(token, 12),)
