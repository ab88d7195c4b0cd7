"""Play drum grooves, written as text.

A groove belongs to one meter and has a bar of equal steps for every drum.  ``x`` is a
stroke, ``X`` an accent, ``o`` a ghost note; ``|`` separates bars that alternate.
"""

from crema.corpus.demo.accompaniment import Event

#: General MIDI keys of the drum kit.
KEYS = {
    "kick": 36,
    "rim": 37,
    "snare": 38,
    "hat": 42,
    "pedal": 44,
    "open": 46,
    "tom": 47,
    "crash": 49,
    "ride": 51,
    "tambourine": 54,
    "shaker": 70,
}

STRESS = {"o": 0.6, "x": 0.9, "X": 1.15}

GROOVES = {
    # 4/4
    "rock": {
        "kick": "X.....x.X.x.....|X.....x.X.....x.",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "halftime": {
        "kick": "X.....x.........|X.........x.....",
        "snare": "........X.......",
        "ride": "x...x...x...x...",
    },
    "disco": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X...",
        "open": "..x...x...x...x.",
    },
    "funk": {
        "kick": "X..x..x...x.....|X..x......x..x..",
        "snare": "....X..o.o..X..o",
        "hat": "xoxoxoxoxoxoxoxo",
    },
    "shuffle": {"kick": "X...X...", "snare": "..X...X.", "ride": "xxxxxxxx"},
    "swing": {"kick": "o.o.o.o.", "pedal": "..x...x.", "ride": "X.XxX.Xx"},
    "brushes": {"kick": "o.......", "snare": "o.xoo.xo", "pedal": "..x...x."},
    "bossa": {"kick": "x..xx..x", "rim": "x..x..x.|..x..x..", "shaker": "xoxoxoxo"},
    "reggae": {"kick": "....X...", "rim": "....X...", "hat": "x.xxx.xx"},
    "train": {"kick": "X...X...", "snare": "ooXooXXo", "tambourine": "..x...x."},
    "tango": {"kick": "X..xX.x.", "snare": "o..oX.oo|o..oX.XX"},
    # 3/4
    "waltz": {"kick": "X.....", "snare": "..x.x.", "hat": "x.x.x."},
    "jazz_waltz": {"kick": "o.....", "pedal": "..x.x.", "ride": "X.XxX."},
    # 6/8
    "six_eight": {"kick": "X....x", "snare": "...X..", "hat": "xxxxxx"},
    "jig": {"kick": "X..x..", "tambourine": "x.xx.x"},
}


def drum(groove, beats, count_in, coda):
    """Play a count-in, a groove and a final crash.

    In every eighth bar, a tom roll replaces the second half.

    Parameters
    ----------
    groove : dict of str to str
        A groove of :data:`GROOVES`.
    beats : int
        Beats in a bar.
    count_in : int
        Number of bars of sticks before the groove.
    coda : int
        Index of the bar with the crash.

    Yields
    ------
    Event
    """
    for beat in range(count_in * beats):
        yield Event(beat, 0.2, KEYS["rim"])
    for bar in range(count_in, coda):
        fill = (bar - count_in) % 8 == 7
        for name, text in groove.items():
            bars = text.split("|")
            steps = bars[bar % len(bars)]
            for index, token in enumerate(steps):
                if token != "." and not (fill and index >= len(steps) / 2):
                    beat = (bar + index / len(steps)) * beats
                    yield Event(beat, 0.2, KEYS[name], STRESS[token])
        if fill:
            for index in range(beats, 2 * beats):
                yield Event(bar * beats + index / 2, 0.2, KEYS["tom"], 1.1)
    yield Event(coda * beats, 1, KEYS["kick"], 1.1)
    yield Event(coda * beats, 1, KEYS["crash"])
