"""The pieces of the demo corpus: progressions and bands.

The two pieces of a family share a harmonic idiom; no two pieces share a progression.  A
family belongs to one split, so that no test piece is a transposition or another
arrangement of a training piece.  The test families use only chord qualities that occur
in training, and most of their instruments do not occur in training.

Progressions use the notation of :mod:`crema.corpus.demo.harmony`.  A band maps styles
to instruments: those of :mod:`~crema.corpus.demo.accompaniment`, `melody` and `counter`
of :mod:`~crema.corpus.demo.melody`, and `drums` of :mod:`~crema.corpus.demo.drums`.
"""

from dataclasses import dataclass

SWING = 2 / 3
TEST_FAMILIES = {"eight_bar_blues", "royal_road", "habanera", "turnaround"}


@dataclass(frozen=True)
class Piece:
    """A piece of the demo corpus.

    Attributes
    ----------
    track_id : str
        The family and a number, such as ``"blues_shuffle_2"``.
    key : str
        Tonic and mode, such as ``"Eb:major"``.
    tempo : float
        Beats per minute; in 6/8 the beat is the dotted quarter.
    meter : str
        ``"4/4"``, ``"3/4"`` or ``"6/8"``.
    harmony : str
        The progression, in Roman numerals.
    band : dict of str to str
        The instrument of each style; for `drums`, the groove.
    swing : float
        Position of the off-beat within the beat: 1/2 is straight, 2/3 is triplets.
    """

    track_id: str
    key: str
    tempo: float
    meter: str
    harmony: str
    band: dict[str, str]
    swing: float = 0.5

    @property
    def family(self):
        """Family of the piece, the `group` of the index."""
        return self.track_id.rpartition("_")[0]

    @property
    def tonic(self):
        """Tonic of the key."""
        return self.key.split(":")[0]

    @property
    def mode(self):
        """Mode of the key."""
        return self.key.split(":")[1]

    @property
    def split(self):
        """Split of the family, ``"train"`` or ``"test"``."""
        return "test" if self.family in TEST_FAMILIES else "train"


# fmt: off
PIECES = [
    Piece(
        "pop_axis_1", "G:major", 116, "4/4",
        """N || I | V | vi | IV
           I | V/3 | vi:min7 | IV
           IV | V:sus4 V | iii | vi
           ii:min7 | IV | V:sus4 | V || I""",
        {"strum": "steel guitar", "driving": "picked bass", "melody": "flute",
         "drums": "rock"},
    ),
    Piece(
        "pop_axis_2", "Db:major", 80, "4/4",
        """vi | IV | I | V/3
           vi:min7 | IV:maj7 | I/3 | V:sus4 V
           IV | I/3 | ii:min7 | V || I""",
        {"arpeggio": "piano", "pad": "strings", "roots": "piano left hand",
         "melody": "oboe"},
    ),
    Piece(
        "doowop_1", "A:major", 66, "6/8",
        """N || I | vi | IV | V:7
           I | vi:min7 | ii:min7 | V:7
           IV | iv | I/5 | V:sus4 V:7 || I:maj6""",
        {"arpeggio": "clean guitar", "pad": "choir", "two_feel": "fingered bass",
         "melody": "tenor sax", "drums": "six_eight"},
    ),
    Piece(
        "doowop_2", "Eb:major", 138, "4/4",
        """I | I | vi | vi | IV | IV | V | V:7
           I | I:7/3 | IV | #iv:dim7
           I/5 | V:7 | I vi | IV V || I""",
        {"quarters": "bright piano", "counter": "strings", "boogie": "double bass",
         "melody": "alto sax", "drums": "shuffle"}, SWING,
    ),
    Piece(
        "three_chord_1", "A:major", 144, "4/4",
        """N || I | IV | V | IV | I IV | V IV | I/3 IV | V:sus4 V
           I | I:7/3 | IV | #iv:dim | I/5 | IV V:sus4 | I IV | I V:7 || I""",
        {"skank": "clean guitar", "charleston": "brass section",
         "funk": "fingered bass", "melody": "trombone", "drums": "reggae"},
    ),
    Piece(
        "three_chord_2", "D:major", 112, "6/8",
        """I | % | IV | I | I | IV vii:dim | I | V:7
           IV | I/3 | V/5 V | I | IV | I/5 V:sus4 | V V:7 | I || I""",
        {"oompah": "accordion", "strum": "steel guitar", "two_feel": "cello bass",
         "melody": "violin", "drums": "jig"},
    ),
    Piece(
        "modal_major_1", "E:mixolydian", 128, "4/4",
        """I | bVII | IV | I | I | v:min7 | bVII | IV
           I bVII | IV I/3 | bVII IV/3 | I
           N | I:7 | bVII:maj7 | IV:sus2 IV || I""",
        {"pulse": "overdriven guitar", "block": "drawbar organ",
         "driving": "picked bass", "drums": "rock"},
    ),
    Piece(
        "modal_major_2", "F:lydian", 84, "3/4",
        """I:maj7 | % | II | % | I:maj7 | vii:min7 | iii:min7 | %
           II/3 | II:7 | vi:min7 | vii:min7 | I | II | I:sus2 | I || I:maj7""",
        {"rising": "harp", "pad": "warm pad", "roots": "synth bass",
         "melody": "ocarina"},
    ),
    Piece(
        "blues_shuffle_1", "A:major", 116, "4/4",
        """I:7 | % | % | % | IV:7 | % | I:7 | %
           V:7 | IV:7 | I:7 | V:7 || I:7""",
        {"shuffle": "clean guitar", "boogie": "picked bass",
         "melody": "harmonica", "drums": "shuffle"}, SWING,
    ),
    Piece(
        "blues_shuffle_2", "Bb:major", 172, "4/4",
        """N || I:7 | IV:7 | I:7 | v:min7 I:7 | IV:7 | #iv:dim7 | I:7 | VI:7
           ii:min7 | V:7 | I:7 VI:7 | ii:min7 V:7 || I:7""",
        {"charleston": "piano", "walk": "double bass", "melody": "tenor sax",
         "drums": "swing"}, SWING,
    ),
    Piece(
        "minor_blues_1", "C:minor", 126, "4/4",
        """i:min7 | iv:min7 | i:min7 | % | iv:min7 | % | i:min7 | i:min7/b7
           bVI:7 | V:7 | i:min7 bVI:7 | ii:hdim7 V:7 || i:min6""",
        {"bossa": "electric piano", "walk": "double bass", "melody": "trumpet",
         "drums": "brushes"}, SWING,
    ),
    Piece(
        "minor_blues_2", "E:minor", 61, "6/8",
        """i | % | i:min7 | % | iv:min7 | % | i | i/b3
           ii:hdim7 | V:7 | i vii:dim7 | i V:aug || i""",
        {"picking": "nylon guitar", "pad": "drawbar organ", "two_feel": "slap bass",
         "counter": "cello"},
    ),
    Piece(
        "two_five_one_1", "F:major", 148, "4/4",
        """ii:min7 | V:7 | I:maj7 | VI:7 | ii:min7 | V:7 | I:maj7 | I:maj6
           v:min7 | I:7 | IV:maj7 | % | iv:min7 | bVII:7 | iii:hdim7 | VI:7
           ii:min7 | V:sus4 V:7 | I:maj7 vi:min7 | ii:min7 V:7 || I:maj7""",
        {"charleston": "electric piano", "walk": "double bass",
         "melody": "soprano sax", "drums": "swing"}, SWING,
    ),
    Piece(
        "two_five_one_2", "Ab:major", 152, "3/4",
        """I:maj7 | vi:min7 | ii:min7 | V:7 | iii:min7 | vi:min7 | ii:min7 | V:7
           vii:hdim7 | III:7 | vi:min7 | % | ii:min7 | V:7 | I:maj6 | I:maj7/3
           IV:maj7 | IV:maj7 | iii:min7 | III:7/3 | vi | II:7 | ii:min7 | V:7
           || I:maj7""",
        {"charleston": "piano", "walk": "fretless bass", "melody": "clarinet",
         "drums": "jazz_waltz"}, SWING,
    ),
    Piece(
        "minor_circle_1", "G:minor", 112, "4/4",
        """iv:min7 | bVII:7 | bIII:maj7 | bVI:maj7 | ii:hdim7 | V:7 | i:min7 | %
           ii:hdim7 | V:7 | i | i:min7/b7 | bVI:maj7 | V:7 | i:min6 | % || i:min6""",
        {"quarters": "steel guitar", "walk": "double bass", "melody": "violin",
         "counter": "clarinet"}, SWING,
    ),
    Piece(
        "minor_circle_2", "D:minor", 84, "4/4",
        """i iv | bVII bIII | bVI ii:dim | V V:7
           i/b3 iv | bVII/3 bIII | bVI/3 ii:dim/b3 | V:sus4 V
           i V/3 | i:min7/b7 iv/b3 | i/5 V:7 | i || I""",
        {"alberti": "harpsichord", "pad": "strings", "roots": "cello bass",
         "melody": "oboe"},
    ),
    Piece(
        "minor_rock_1", "A:minor", 140, "4/4",
        """N || i | bVII | bVI | V | i | bVII | bVI | V:7
           bIII | bVII/3 | i | iv | bVI | ii:dim | V:sus4 | V || i""",
        {"pulse": "overdriven guitar", "octaves": "picked bass",
         "melody": "saw lead", "drums": "disco"},
    ),
    Piece(
        "minor_rock_2", "F#:minor", 104, "4/4",
        """i | bVI | bIII | bVII | i:min7 | bVI:maj7 | bIII/3 | bVII:sus4 bVII
           iv:min7 | i/b3 | bVI | bVII | bVI:maj7 | bIII | iv | V:sus4 V || i""",
        {"arpeggio": "electric piano", "pad": "slow strings",
         "driving": "fingered bass", "drums": "halftime"},
    ),
    Piece(
        "minor_waltz_1", "E:minor", 164, "3/4",
        """i | % | V:7/5 | V:7 | V:7/3 | V:7 | i | %
           I:7 | % | iv | % | i/5 | V:7 | i | V:7
           bIII | bVII:7 | bIII | bIII/3 | iv | ii:dim | V | V:7 || i""",
        {"oompah": "accordion", "two_feel": "tuba", "melody": "clarinet",
         "drums": "waltz"},
    ),
    Piece(
        "minor_waltz_2", "B:minor", 108, "3/4",
        """i | V/3 | i/b3 | iv | vii:dim7 | i | ii:hdim7/b3 | V
           bVI | bIII/3 | iv:min7 | i/b3 | ii:hdim7 | V:7 | i | V:sus4 || i""",
        {"alberti": "piano", "roots": "piano left hand",
         "melody": "piano right hand"},
    ),
    Piece(
        "dorian_groove_1", "D:dorian", 112, "4/4",
        """N || i:min7 | IV:7 | i:min7 | IV:7 | i:min7 | % | IV:7 | %
           v:min7 | i:min7 | bIII:maj7 ii:min7 | i:min7
           N | i:min7 ii:min7 | bIII:maj7 IV | i:sus4 i:min7 || i:min7""",
        {"skank": "clean guitar", "block": "drawbar organ", "funk": "slap bass",
         "melody": "alto sax", "drums": "funk"},
    ),
    Piece(
        "dorian_groove_2", "G:dorian", 96, "6/8",
        """i | bVII | i | IV | i | bVII/3 | bIII | v
           bIII | bVII | IV/3 | IV | i/b3 | ii | v:min7 | i:sus4 i || i""",
        {"picking": "steel guitar", "pad": "strings", "roots": "cello bass",
         "melody": "whistle", "drums": "jig"},
    ),
    Piece(
        "old_time_1", "C:major", 176, "4/4",
        """I | VI:7 | II:7 | V:7 | I | VI:7 | II:7 V:7 | I
           I | I:aug | IV | #iv:dim7 | I/5 | VI:7 | II:7 | V:7
           III:7 | % | VI:7 | % | II:7 | % | V:7 | V:aug || I:maj6""",
        {"oompah": "honky-tonk piano", "quarters": "banjo", "two_feel": "tuba",
         "melody": "clarinet", "drums": "train"},
    ),
    Piece(
        "old_time_2", "G:major", 132, "3/4",
        """I | I:7/3 | IV | I | I | % | II:7 | V:7
           IV | % | I/3 | I | V:7 | V:7/5 | I | %
           IV | #iv:dim7 | I/5 | vi | II:7 | V:7 | I IV | I || I""",
        {"oompah": "steel guitar", "rising": "clean guitar",
         "two_feel": "fingered bass", "melody": "violin", "drums": "waltz"},
    ),
    Piece(
        "descending_bass_1", "D:major", 80, "4/4",
        """I V/3 | vi I/5 | IV I/3 | ii:min7 V
           I I:maj7/7 | vi vi:min7/b7 | IV iv:min6 | I/5 V:7
           vi iii/5 | IV I/3 | ii/b3 I | V:sus4 V || I""",
        {"block": "church organ", "rising": "harp", "roots": "church organ pedal",
         "melody": "trumpet"},
    ),
    Piece(
        "descending_bass_2", "A:minor", 104, "4/4",
        """i | i:minmaj7/7 | i:min7/b7 | i:min6/6 | bVI:maj7 | i/5 | iv:min7 | V:7
           i | V/3 | bVII | IV/3 | bVI | bIII/3 | ii:hdim7 | V:sus4 V || i""",
        {"picking": "nylon guitar", "pad": "choir", "roots": "fretless bass",
         "melody": "recorder", "drums": "halftime"},
    ),
    Piece(
        "sus_anthem_1", "E:major", 118, "4/4",
        """N || I:sus2 | I | V:sus4 | V | vi:min7 | % | IV:sus2 | IV
           I | I:sus4 | V:sus2 | V | vi:sus4 | vi | IV:sus2 | V:sus4 || I:sus2""",
        {"pulse": "overdriven guitar", "sequencer": "square lead",
         "driving": "synth bass", "drums": "rock"},
    ),
    Piece(
        "sus_anthem_2", "B:major", 66, "4/4",
        """I:sus4 I | V/3 V:sus4 | IV:sus2 IV | V:sus4 V
           vi:sus4 vi | I/3 IV | ii:sus4 ii:min7 | V:sus4 V:7 || I""",
        {"block": "piano", "pad": "new age pad", "roots": "fretless bass",
         "counter": "cello"},
    ),
    Piece(
        "neo_soul_1", "Eb:major", 88, "4/4",
        """IV:maj7 | III:7 | vi:min7 | v:min7 I:7
           IV:maj7 iv:min7 | iii:min7 vi:min7 | ii:min7 | V:sus4
           N | IV:maj7 V:7/b7 | iii:min7 | ii:min7 V:sus4 || I:maj7""",
        {"charleston": "electric piano", "pad": "slow strings",
         "funk": "fingered bass", "melody": "singer", "drums": "funk"}, 0.56,
    ),
    Piece(
        "neo_soul_2", "B:minor", 78, "4/4",
        """i:min7 | iv:min7 | bVI:maj7 | V:sus4 V:7
           i:min7 bIII:maj7/5 | iv:min7 v:min7 | bVI:maj7 | bII:maj7
           bVI:maj7 | bVII:sus4 | i:min7 | v:min7 || i:min7""",
        {"arpeggio": "vibraphone", "block": "electric piano",
         "octaves": "synth bass", "melody": "flute", "drums": "halftime"}, 0.6,
    ),
    Piece(
        "gospel_hymn_1", "F:major", 80, "3/4",
        """I | I:7/3 | IV | #iv:dim7 | I/5 | vi:min7 | ii:min7 | V:7
           I | III:7 | vi | I:7/5 | IV | iv | I/5 V:7 | I || I""",
        {"block": "piano", "counter": "choir", "roots": "piano left hand",
         "melody": "singer"},
    ),
    Piece(
        "gospel_hymn_2", "Bb:major", 80, "4/4",
        """I V/5 | I/3 IV | I/5 V:7 | I vii:dim
           vi iii | IV I/3 | vii:dim/b3 V:7/3 | I
           II:7/3 V | V:7/b7 I/3 | IV ii:min7/b3 | I/5 V:7 || I""",
        {"quarters": "church organ", "counter": "choir",
         "roots": "church organ pedal"},
    ),
    # The test families.
    Piece(
        "eight_bar_blues_1", "G:major", 100, "4/4",
        """N || I:7 | V:7 | IV:7 | % | I:7 | V:7 | I:7 IV:7 | I:7 V:7 || I:7""",
        {"shuffle": "jazz guitar", "quarters": "rock organ", "boogie": "double bass",
         "melody": "muted trumpet", "drums": "shuffle"}, SWING,
    ),
    Piece(
        "eight_bar_blues_2", "C:major", 62, "6/8",
        """I | III:7 | vi:min7 | I:7/5 | IV | #iv:dim7 | I/5 VI:7 | ii:min7 V:7
           I | I:7 | IV:7 | iv | I | II:7 | V:sus4 | V:7 || I:7""",
        {"pulse": "electric piano 2", "pad": "rock organ", "two_feel": "double bass",
         "counter": "french horn", "drums": "six_eight"},
    ),
    Piece(
        "royal_road_1", "E:major", 130, "4/4",
        """N || IV | V | iii | vi | IV V | iii vi | IV:maj7 V:7 | iii:min7 vi:min7
           ii:min7 | iii | IV | V:sus4 | N | I/3 | IV | V || I""",
        {"strum": "muted guitar", "pad": "polysynth", "octaves": "synth bass 2",
         "melody": "pan flute", "drums": "disco"},
    ),
    Piece(
        "royal_road_2", "Ab:major", 104, "4/4",
        """IV:maj7 | V/7 | iii:min7 | vi | ii:min7 | V:sus4 V | I | I:7
           IV:sus2 IV | V | I/3 | vi:sus4 vi | IV:maj7 | I/5 | ii | V:7 || I:maj7""",
        {"arpeggio": "electric piano 2", "pad": "synth strings",
         "roots": "fretless bass", "counter": "viola", "drums": "rock"},
    ),
    Piece(
        "habanera_1", "D:minor", 116, "4/4",
        """i | ii:hdim7 | V:7 | i | i/b3 | iv:min6 | i/5 | V:7/3
           i:min7/b7 | iv/b3 | ii:dim | V | bVI | bIII | ii:hdim7 V:7 | i || i""",
        {"quarters": "bandoneon", "habanera": "double bass", "melody": "viola",
         "drums": "tango"},
    ),
    Piece(
        "habanera_2", "C#:phrygian", 138, "3/4",
        """i | bII | i | bII | bIII | bII | i | %
           iv | bIII | bII | bII:maj7 | vii:min7 | bII/3 | i/5 | i:sus4 || i""",
        {"strum": "nylon guitar", "roots": "bassoon", "melody": "french horn"},
    ),
    Piece(
        "turnaround_1", "Bb:major", 136, "4/4",
        """I:maj7 | biii:dim7 | ii:min7 | V:7 | iii:min7 | biii:dim7 | ii:min7 | V:7
           I:maj7 | #i:dim7 | ii:min7 | iv:min6 | I:maj7/3 | IV:maj7 iv:min6
           I:maj6/5 | V:sus4 V:7
           || I:maj6""",
        {"bossa": "jazz guitar", "bossa_bass": "fretless bass",
         "melody": "muted trumpet", "drums": "bossa"},
    ),
    Piece(
        "turnaround_2", "Db:major", 62, "4/4",
        """I:maj7 VI:7 | ii:min7 V:7 | iii:min7 VI:7/3 | ii:min7/b3 V:sus4
           I:7 I:7/3 | IV:maj7 iv:min6 | iii:min7 biii:dim7 | ii:min7 V:7 || I:maj7""",
        {"rising": "vibraphone", "block": "jazz guitar", "walk": "double bass",
         "melody": "singer"}, SWING,
    ),
]
# fmt: on
