"""Note names at the beginning of chord and key labels, and the modes of keys."""

import re

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
#: The usual tonics of minor keys; those of major keys are :data:`PITCH_CLASSES`.
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
#: The natural notes, each a fifth above the one before.
FIFTHS = "FCGDAEB"
NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Each mode, and the degree of the major scale that it starts on, in semitones.
MODES = {
    "major": 0,
    "ionian": 0,
    "dorian": 2,
    "phrygian": 4,
    "lydian": 5,
    "mixolydian": 7,
    "minor": 9,
    "aeolian": 9,
    "locrian": 11,
}
#: Semitones above the tonic for every mode.
SCALES = {
    mode: sorted((note - start) % 12 for note in NATURAL.values())
    for mode, start in MODES.items()
}
#: Modes by their third, as written after the tonic of a key.
MAJOR_MODES = ["", *(f":{mode}" for mode, scale in SCALES.items() if 4 in scale)]
MINOR_MODES = [f":{mode}" for mode, scale in SCALES.items() if 3 in scale]


def split(label):
    """Split a label into a pitch class and the text after the note name.

    Parameters
    ----------
    label : str
        A chord (``C#:min7/b3``), key (``Gb:major``) or note.

    Returns
    -------
    pitch_class : int or None
        0 (C) to 11 (B); None if the label does not begin with a note.
    rest : str
        Text after the note name, or the whole label.

    Examples
    --------
    >>> split("C#:min7/b3")
    (1, ':min7/b3')
    """
    match = re.match(r"([A-G])([b#]*)(.*)", label)
    if not match:
        return None, label
    note, accidentals, rest = match.groups()
    pitch = NATURAL[note] + accidentals.count("#") - accidentals.count("b")
    return pitch % 12, rest


def transpose(label, n_semitones):
    """Transpose the note at the beginning of a label, spelling it in ASCII.

    Parameters
    ----------
    label : str
        A chord (``C#:min7/b3``), key (``Gb:major``) or note; a label that does not
        begin with a note (``N``, ``X``) is unchanged.
    n_semitones : int
        Semitones upwards.

    Returns
    -------
    str

    Examples
    --------
    >>> transpose("C#:min7/b3", 3)
    'E:min7/b3'
    """
    pitch, rest = split(label)
    if pitch is None:
        return label
    return PITCH_CLASSES[(pitch + n_semitones) % 12] + rest


def place(note):
    """Return the place of a note on the line of fifths: 0 for F, 1 for C, 8 for C#."""
    accidentals = note.count("#") - note.count("b")
    return FIFTHS.index(note[0]) + 7 * accidentals


def name(place):
    """Return the note at a place on the line of fifths."""
    accidentals = place // 7
    return FIFTHS[place % 7] + ("#" if place > 0 else "b") * abs(accidentals)


def above(note, degree):
    """Return the note that lies a scale degree above another.

    Parameters
    ----------
    note, degree : str
        As in a chord label in Harte syntax.

    Returns
    -------
    str

    Examples
    --------
    >>> above("F#", "b3")
    'A'
    """
    scale = (0, 2, 4, -1, 1, 3, 5)
    fifths = scale[(int(degree.lstrip("b#")) - 1) % 7]
    return name(place(note) + fifths + 7 * (degree.count("#") - degree.count("b")))


def names(key):
    """Return the names of the twelve pitch classes in a key.

    They are neighbours on the line of fifths, from the minor second of the tonic (five
    fifths below) to its augmented fourth (six above), as in the harmonic chromatic
    scale.  Where that takes double accidentals or E#, B# or Fb, they begin at Cb or end
    at A#.

    Parameters
    ----------
    key : str
        In the syntax of the JAMS namespace ``key_mode``, but not ``N``.

    Returns
    -------
    list of str
        The name of each pitch class, from that of C to that of B.

    References
    ----------
    D. Temperley, "The line of fifths", Music Analysis 19, 2000.

    Examples
    --------
    >>> names("E:major")[:4]
    ['C', 'C#', 'D', 'D#']
    """
    tonic = place(re.match("[A-G][b#]*", key)[0])
    first = min(max(tonic - 5, place("Cb")), place("F"))
    return sorted(map(name, range(first, first + 12)), key=lambda note: split(note)[0])
