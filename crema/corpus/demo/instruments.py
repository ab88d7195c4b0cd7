"""General MIDI programs and central pitches of the instruments."""

from typing import NamedTuple


class Instrument(NamedTuple):
    """A General MIDI program (from 0) and the central MIDI pitch of its range."""

    program: int
    centre: int


INSTRUMENTS = {
    name: Instrument(*values)
    for name, values in {
        # Keyboards
        "piano": (0, 60),
        "piano left hand": (0, 42),
        "piano right hand": (0, 74),
        "bright piano": (1, 61),
        "honky-tonk piano": (3, 60),
        "electric piano": (4, 60),
        "electric piano 2": (5, 60),
        "harpsichord": (6, 62),
        "vibraphone": (11, 66),
        "drawbar organ": (16, 61),
        "rock organ": (18, 59),
        "church organ": (19, 60),
        "church organ pedal": (19, 41),
        "accordion": (21, 64),
        "harmonica": (22, 72),
        "bandoneon": (23, 66),
        # Guitars and other plucked strings
        "nylon guitar": (24, 56),
        "steel guitar": (25, 56),
        "jazz guitar": (26, 57),
        "clean guitar": (27, 57),
        "muted guitar": (28, 56),
        "overdriven guitar": (29, 53),
        "harp": (46, 64),
        "banjo": (105, 60),
        # Basses
        "double bass": (32, 38),
        "fingered bass": (33, 36),
        "picked bass": (34, 36),
        "fretless bass": (35, 37),
        "slap bass": (36, 37),
        "synth bass": (38, 36),
        "synth bass 2": (39, 36),
        "cello bass": (42, 43),
        "tuba": (58, 38),
        "bassoon": (70, 42),
        # Leads
        "violin": (40, 76),
        "viola": (41, 67),
        "cello": (42, 57),
        "trumpet": (56, 70),
        "muted trumpet": (59, 71),
        "trombone": (57, 60),
        "french horn": (60, 62),
        "soprano sax": (64, 73),
        "alto sax": (65, 68),
        "tenor sax": (66, 63),
        "oboe": (68, 73),
        "clarinet": (71, 70),
        "flute": (73, 78),
        "recorder": (74, 79),
        "pan flute": (75, 76),
        "whistle": (78, 79),
        "ocarina": (79, 76),
        "square lead": (80, 74),
        "saw lead": (81, 72),
        "singer": (53, 68),
        # Ensembles and pads
        "strings": (48, 62),
        "slow strings": (49, 62),
        "synth strings": (50, 62),
        "choir": (52, 62),
        "brass section": (61, 61),
        "new age pad": (88, 62),
        "warm pad": (89, 61),
        "polysynth": (90, 61),
    }.items()
}
