"""Variations of key and tempo: notes and labels stay aligned."""

import numpy as np
import pytest

from crema.corpus import variation
from crema.corpus.render import Note

LABELS = {
    "chords": [[0.0, 2.0, "N"], [2.0, 6.0, "F#:min7/b3"]],
    "keys": [[0.0, 6.0, "A:major"]],
    "beats": [[2.0, 1], [3.0, None]],
    "sections": [[2.0, 6.0, "A"]],
    "duration": 6.0,
}
TRACKS = [("PIANO", [Note(2.0, 3.0, 66, 80)], [(2.5, 127), (4.0, 0)])]


def test_transposed():
    tracks, labels = variation.transposed(TRACKS, LABELS, -3)
    assert tracks == [("PIANO", [Note(2.0, 3.0, 63, 80)], [(2.5, 127), (4.0, 0)])]
    assert [label for _, _, label in labels["chords"]] == ["N", "Eb:min7/b3"]
    assert labels["keys"] == [[0.0, 6.0, "Gb:major"]]
    assert labels["beats"] == LABELS["beats"]
    assert LABELS["keys"][0][2] == "A:major"


def test_retimed():
    tracks, labels = variation.retimed(TRACKS, LABELS, lambda time: 1 + 2 * time)
    assert tracks == [("PIANO", [Note(5.0, 7.0, 66, 80)], [(6.0, 127), (9.0, 0)])]
    assert labels["chords"][1] == [5.0, 13.0, "F#:min7/b3"]
    assert labels["beats"] == [[5.0, 1], [7.0, None]]
    assert labels["sections"] == [[5.0, 13.0, "A"]]
    assert labels["duration"] == 6.0


def test_modulated():
    piano = [Note(2.0, 4.5, 66, 80), Note(4.0, 5.0, 60, 80)]
    tracks = [("piano", piano, []), ("drums", [Note(4.0, 4.1, 36, 90)], [])]
    moved, labels = variation.modulated(tracks, LABELS, 4.0, 2)
    assert [(n.end, n.pitch) for n in moved[0][1]] == [(4.0, 66), (5.0, 62)]
    assert [n.pitch for n in moved[1][1]] == [36]
    assert labels["chords"][1:] == [[2.0, 4.0, "F#:min7/b3"], [4.0, 6.0, "Ab:min7/b3"]]
    assert labels["keys"] == [[0.0, 4.0, "A:major"], [4.0, 6.0, "B:major"]]
    assert labels["beats"] == LABELS["beats"]


def test_clocks():
    written = np.linspace(0, 200, 2001)
    tempi, spreads = [], []
    for seed in range(200):
        clock = variation.clock(200.0, np.random.default_rng(seed))
        played = np.array([clock(time) for time in written])
        speed = np.diff(written) / np.diff(played)
        assert played[0] == 0 and (np.diff(played) > 0).all()
        tempi.append(200 / played[-1])
        spreads.append(np.std(np.log(speed)))
    assert min(tempi) > 0.7 and max(tempi) < 1.4 and np.std(np.log(tempi)) > 0.1
    assert np.mean(np.array(spreads) > 0.02) == pytest.approx(0.25, abs=0.1)


def test_a_given_tempo_is_kept():
    for seed in range(20):
        clock = variation.clock(200.0, np.random.default_rng(seed), 1.7)
        assert 200 / clock(200.0) == pytest.approx(1.7, rel=0.06)


def test_doubled():
    beats = [[1.0, 4], [2.0, 1], [3.0, None], [4.0, 2]]
    labels = variation.doubled(LABELS | {"beats": beats})
    assert labels["beats"] == [
        *([1.0, 3], [1.5, 4], [2.0, 1], [2.5, 2]),
        *([3.0, None], [3.5, None], [4.0, 3]),
    ]
    assert labels["chords"] == LABELS["chords"]


def test_rubato():
    beats = [[time, 1] for time in np.arange(3.0, 60, 0.6).tolist()]
    labels = {"beats": beats, "duration": 64.0}
    written = np.linspace(0, 64, 2000)
    spreads = []
    for seed in range(40):
        clock = variation.rubato(labels, 1.25, np.random.default_rng(seed))
        played = np.array([clock(time) for time in written])
        assert played[0] == 0 and (np.diff(played) > 0).all()
        # There is no rubato before and after the music.
        edges = np.diff(played)[[0, -1]] / np.diff(written)[[0, -1]]
        assert edges == pytest.approx(1 / 1.25)
        intervals = np.diff([clock(time) for time, _ in beats])
        spreads.append(np.std(np.log(intervals)))
        assert intervals.min() > 0.25 and intervals.max() < 1.5
    assert min(spreads) < 0.07 < 0.12 < max(spreads)
