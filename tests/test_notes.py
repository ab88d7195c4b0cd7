"""The spelling of notes."""

import mir_eval
import pytest

from crema import notes
from crema.tasks.key import KEYS


@pytest.mark.parametrize(
    ("key", "scale"),
    [
        ("C:major", "C D E F G A B"),
        ("E:major", "E F# G# A B C# D#"),
        ("Gb:major", "Gb Ab Bb Cb Db Eb F"),
        ("F#:major", "F# G# A# B C# D#"),
        ("A:minor", "A B C D E F G F# G# D#"),
        ("G:minor", "G A Bb C D Eb F F# Ab"),
        ("G#:minor", "G# A# B C# D# E F#"),
        ("D:dorian", "D E F G A B C"),
        ("Bb", "Bb C D Eb F G A"),
    ],
)
def test_the_notes_of_a_key_are_spelled_as_in_scores(key, scale):
    assert set(scale.split()) < set(notes.names(key))


@pytest.mark.parametrize("key", [*KEYS, "A#:minor", "Cb:major", "D#:phrygian"])
def test_there_is_a_name_for_each_pitch_class(key):
    names = notes.names(key)
    assert [mir_eval.chord.pitch_class_to_semitone(name) % 12 for name in names] == [
        *range(12)
    ]
    assert all(len(name) <= 2 for name in names)


def test_no_tonic_has_more_than_seven_accidentals():
    for key in KEYS:
        tonic, _, mode = key.partition(":")
        steps = (0, 2, 4, 5, 7, 9, 11) if mode == "major" else (0, 2, 3, 5, 7, 8, 10)
        pitch, _ = notes.split(key)
        scale = [notes.names(key)[(pitch + step) % 12] for step in steps]
        assert tonic == scale[0]
        # Each letter once, so that no note is altered twice.
        assert len({name[0] for name in scale}) == 7
