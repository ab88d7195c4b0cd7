"""Make melodies from a motif of two bars, restated over each harmony.

A motif is rhythm and contour only.  Its pitches are chosen anew in each bar: on a beat,
the nearest chord tone; between beats, a step of the chord's scale.  A motif thus stays
recognisable when it returns, and agrees with the chords.
"""

from crema.corpus.demo.accompaniment import Event
from crema.corpus.demo.harmony import chord_scale

#: Rhythms of one bar, in steps of half a beat (a third in 6/8); negative is a rest.
CELLS = {
    4: (
        (2, 2, 4),
        (3, 1, 2, 2),
        (1, 1, 2, 1, 1, 2),
        (-2, 2, 2, 2),
        (6, 2),
        (2, 1, 1, 4),
        (-1, 1, 1, 1, 2, 2),
        (4, 2, 2),
        (1, 1, 1, 1, 4),
    ),
    3: ((4, 2), (2, 2, 2), (3, 1, 2), (2, 1, 1, 2), (-2, 2, 2), (1, 1, 1, 1, 2)),
    2: ((3, 1, 1, 1), (2, 1, 2, 1), (1, 1, 1, 3), (3, 2, 1), (-1, 1, 1, 3), (2, 1, 3)),
}
CLOSE = {4: (5, -3), 3: (4, -2), 2: (4, -2)}
PHRASE = 4


def melody(spans, scale, beats, centre, random):
    """Sing in phrases of four bars: motif, answer, motif, a long note and a breath.

    Some phrases are silent, and sometimes a new motif replaces the old one.

    Parameters
    ----------
    spans : list of Span
        The harmony.
    scale : set of int
        Pitch classes of the key.
    beats : int
        Beats in a bar.
    centre : int
        MIDI pitch at the centre of the range.
    random : np.random.Generator
        Draws the motifs.

    Yields
    ------
    Event
    """
    bars = {}
    for span in spans:
        bars.setdefault(span.bar, []).append(span)

    first = next(bar for bar in bars if bars[bar][0].chord.tones)
    at, motif, silent = centre, _motif(beats, random), True
    for bar, sounding in bars.items():
        if (bar - first) % PHRASE == 0:
            silent = random.random() < (0.4 if bar == first else 0.15)
            motif = _motif(beats, random) if random.random() < 0.35 else motif
        if silent:
            continue
        step = beats / sum(map(abs, CELLS[beats][0]))
        onset = 0
        for length, move in motif[(bar - first) % PHRASE]:
            beat = onset * step
            onset += abs(length)
            span = [s for s in sounding if s.position <= beat][-1]
            if length < 0 or not span.chord.tones:
                continue
            if abs(at - centre) > 7:
                move = abs(move) if at < centre else -abs(move)
            at = _next_pitch(at, move, beat, span.chord, scale)
            held = min(length * step, span.position + span.length - beat)
            stress = 1.1 if beat == 0 else 1.0 if beat == int(beat) else 0.88
            yield Event(sounding[0].start + beat, held * 0.94, at, stress)


def counter_melody(spans, centre):
    """Hold one guide tone per chord, the second or last tone, with minimal motion.

    Parameters
    ----------
    spans : list of Span
        The harmony.
    centre : int
        MIDI pitch at the centre of the range.

    Yields
    ------
    Event
    """
    at = centre
    for span in spans:
        if span.chord.tones:
            guides = (span.chord.tones[1], span.chord.tones[-1])
            near = [p for p in range(centre - 8, centre + 9) if p % 12 in guides]
            at = min(near, key=lambda pitch: abs(pitch - at))
            yield Event(span.start, span.length, at)


def _motif(beats, random):
    """Draw four bars of (length, move along the scale) pairs."""

    def bar(lengths):
        moves = random.choice((-3, -2, -1, -1, 1, 1, 2, 3), size=len(lengths))
        return list(zip(lengths, moves.tolist(), strict=True))

    call, answer = (bar(CELLS[beats][random.integers(len(CELLS[beats]))]) for _ in "ab")
    return [call, answer, call, bar(CLOSE[beats])]


def _next_pitch(at, move, beat, chord, scale):
    """Move along the chord's scale; on a beat, take the nearest chord tone."""
    ladder = [p for p in range(at - 12, at + 13) if p % 12 in chord_scale(chord, scale)]
    nearest = min(range(len(ladder)), key=lambda rung: abs(ladder[rung] - at))
    goal = ladder[nearest + move]
    if beat != int(beat):
        return goal
    return min(
        (p for p in range(goal - 6, goal + 7) if p % 12 in chord.tones),
        key=lambda pitch: (abs(pitch - goal), pitch),
    )
