"""Segments: boundaries are aligned with known beats."""

import itertools

import jams
import numpy as np
import pytest
from conftest import synthesise

from crema import analyze, segments


def annotation(*boundaries):
    made = jams.Annotation("chord", time=0, duration=boundaries[-1])
    for number, (start, end) in enumerate(itertools.pairwise(boundaries)):
        made.append(start, end - start, f"{'CDEFGAB'[number % 7]}:maj", 0.5)
    made.sandbox.update(name="chord")
    return made


def boundaries(made):
    ends = [round(one.time + one.duration, 6) for one in made.data]
    starts = [round(one.time, 6) for one in made.data]
    assert starts[1:] == ends[:-1]
    return [*starts, ends[-1]]


@pytest.mark.parametrize(
    ("before", "times", "after"),
    [
        ((0, 1.04, 2.2, 3), (1, 2, 2.9), (0, 1, 2.2, 3)),  # near, far, and the end
        ((0, 0.95, 1.02, 3), (1, 2), (0, 0.95, 1, 3)),  # two at one beat
        ((0, 1.1, 3), (1.0, 1.15), (0, 1.15, 3)),  # the nearer of two beats
        ((0, 0.05, 3), (0.0, 1.0), (0, 0.05, 3)),  # the beginning has that beat
        ((0, 2.95, 3), (2.0, 3.0), (0, 2.95, 3)),
        ((0, 1.04, 3), (), (0, 1.04, 3)),
        ((0, 1.04, 3), (1,), (0, 1, 3)),
        ((0, 3), (1, 2), (0, 3)),
    ],
)
def test_boundaries_go_to_the_nearest_time(before, times, after):
    given = annotation(*before)
    made = segments.align(given, times, 0.1)
    assert boundaries(made) == pytest.approx(after)
    assert boundaries(given) == pytest.approx(before)
    assert [one.value for one in made.data] == [one.value for one in given.data]
    assert made.sandbox.name == "chord" and made.duration == before[-1]


def test_no_segment_vanishes_or_moves_further():
    generator = np.random.default_rng(0)
    for _ in range(200):
        before = np.unique(np.append(generator.uniform(0, 9, 30), (0, 9)))
        times = np.sort(generator.uniform(0, 9, generator.integers(0, 40)))
        after = boundaries(segments.align(annotation(*before), times, 0.1))
        assert len(after) == len(before) and (np.diff(after) > 0).all()
        assert np.abs(after - before).max() <= 0.1 + 1e-6


def test_chords_change_on_beats_where_both_are_asked_for():
    y = synthesise(["C:maj", "F:maj", "G:7", "C:maj"] * 3, seconds=1.5)
    both = analyze.analyze(y=y, sr=22050, tasks=["beat", "chord"])
    beats, chords = both.annotations
    (alone,) = analyze.analyze(y=y, sr=22050, tasks=["chord"]).annotations
    assert [one.value for one in chords.data] == [one.value for one in alone.data]
    times = np.array([beat.time for beat in beats.data])
    moved = set(boundaries(chords)) - set(boundaries(alone))
    assert len(moved) > 3
    for time in moved:
        assert np.abs(times - time).min() < 1e-6
    assert chords.sandbox.beats == beats.sandbox.model
    assert "beats" not in alone.sandbox
