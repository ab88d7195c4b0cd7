"""Idioms: the notes follow the annotation, for every random draw."""

import numpy as np
import pytest

from crema.corpus import idioms
from crema.corpus.arrange import LONGEST_BEAT, encoded
from crema.corpus.render import Note

TIMES = np.arange(0.5, 80, 0.8)  # 75 beats a minute
LABELS = {
    "chords": [
        [0.5, 20.0, "C:maj/3"],
        [20.0, 41.3, "A:min7"],
        [41.3, 60.0, "B:dim"],
        [60.0, 70.0, "N"],
        [70.0, 79.7, "G:sus4"],
    ],
    "keys": [[0.0, 80.0, "C:major"]],
    "sections": [[0.5, 79.7, "A"]],
    "beats": [[time, n % 4 + 1] for n, time in enumerate(TIMES.tolist())],
    "duration": 80.0,
}
TRACKS = [
    (name, [Note(time, time + 0.7, pitch, 90) for time in TIMES.tolist()], [])
    for name, pitch in (("MELODY", 72), ("PIANO", 48))
]


def performances(labels=LABELS, count=60):
    for seed in range(count):
        yield idioms.perform(TRACKS, labels, np.random.default_rng(seed))


def test_patterns_are_bars_of_sixteenths():
    for idiom in idioms.IDIOMS.values():
        strokes = [stroke for groove in idiom.grooves for stroke in groove.values()]
        figures = [*idiom.bass, *idiom.guitar, *idiom.comping]
        assert all(len(one) == 16 and set(one) <= set("Xx.") for one in strokes)
        assert all(len(one) == 16 and set(one) <= set("Xx.-") for one in figures)
        programs = idiom.comping_programs, idiom.melody, idiom.others, idiom.kits
        assert all(0 <= program < 128 for some in programs for program in some)
    assert sum(idioms.SHARES.values()) == pytest.approx(1)
    assert idioms.SHARES.keys() == idioms.IDIOMS.keys()


def test_every_idiom_is_played_at_its_tempo():
    seen = []
    for stems, labels, drawn in performances():
        seen.append(drawn["idiom"])
        intervals = np.diff([time for time, _ in labels["beats"]])
        idiom = idioms.IDIOMS[drawn["idiom"]]
        if idiom.tempo:
            assert idiom.tempo[0] <= drawn["tempo"] <= idiom.tempo[1]
            assert 60 / np.median(intervals) == pytest.approx(drawn["tempo"], rel=0.1)
        assert intervals.min() > 0.2 and intervals.max() < LONGEST_BEAT * 2
        places = [position for _, position in labels["beats"]]
        assert places == [n % 4 + 1 for n in range(len(places))]
        assert len(places) == (2 * len(TIMES) - 1 if drawn["doubled"] else len(TIMES))
        assert stems and len({stem.name for stem in stems}) == len(stems)
        notes = [note for stem in stems for part in stem.parts for note in part.notes]
        assert all(0 <= note.start < note.end for note in notes)
        assert all(0 <= note.pitch < 128 and 0 < note.velocity < 128 for note in notes)
    assert set(seen) == set(idioms.IDIOMS)


def test_what_is_added_has_the_tones_of_the_chord():
    heard = set()
    for stems, labels, drawn in performances():
        if not idioms.IDIOMS[drawn["idiom"]].tempo:
            continue
        chords = list(encoded(labels["chords"]))
        for stem in stems:
            if stem.name not in ("bass", "guitar"):
                continue
            for note in stem.parts[0].notes:
                middle = (note.start + note.end) / 2
                inside = [c for c in chords if c[0] - 0.05 < middle < c[1] + 0.05]
                allowed = {
                    (root + step) % 12
                    for *_, root, tones, bass in inside
                    for step in (
                        [bass]
                        if stem.name == "bass"
                        else [0, *(step for step in (7,) if tones[step])]
                    )
                }
                assert note.pitch % 12 in allowed
                heard.add((stem.name, note.pitch % 12))
    # The bass of C:maj/3 is its third; B:dim has no perfect fifth to double.
    assert {("bass", 4), ("guitar", 0), ("guitar", 11)} <= heard
    assert ("bass", 0) not in heard and ("guitar", 6) not in heard


def test_figures_are_struck_where_they_say():
    beats = [(time, n % 4 + 1) for n, time in enumerate(np.arange(0, 8, 0.5).tolist())]
    chords = [(0.0, 3.3, 0, np.ones(12), 0), (3.3, 8.0, 5, np.ones(12), 0)]

    def starts(figure):
        rng = np.random.default_rng(0)
        notes = idioms.played(chords, beats, [figure, figure], idioms.bass_note, rng)
        return [note.start for note in notes], [note.end for note in notes]

    begin, end = starts("--x-" * 4)
    # A chord change under a note strikes it again, and rests are silent.
    assert np.allclose([b for b in begin if b != 3.3], np.arange(0.25, 7.5, 0.5))
    assert all(b - a <= 0.125 for a, b in zip(begin, end, strict=True))
    begin, end = starts("X" + 15 * ".")
    assert [b for b in begin if b != 3.3] == [0.0, 2.0, 4.0, 6.0]
    assert all(b <= 3.3 for a, b in zip(begin, end, strict=True) if a < 3.3)


def test_drums_are_on_the_sixteenths_and_fill_the_song():
    idiom = idioms.IDIOMS["fast"]
    beats = [(time, n % 4 + 1) for n, time in enumerate(np.arange(0, 60, 0.4).tolist())]
    sixteenths = np.arange(0, 60, 0.1)
    for seed in range(10):
        part = idioms.drums(beats, idiom, np.random.default_rng(seed))
        starts = np.array([note.start for note in part.notes])
        away = np.abs(starts[:, None] - sixteenths).min(axis=1)
        assert part.is_drum and away.max() <= 2 * idioms.ASYNCHRONY
        # At most 32 beats without drums, at the end too.
        assert starts.max() > 60 - 33 * 0.4


def test_bars_that_are_not_known_are_not_told():
    unknown = LABELS | {"beats": [[time, None] for time in TIMES.tolist()]}
    for _, labels, _ in performances(unknown, 10):
        assert {position for _, position in labels["beats"]} == {None}


def test_the_same_seed_plays_the_same():
    first, again = list(performances(count=5)), list(performances(count=5))
    assert first == again
    assert first[0] != first[1]
