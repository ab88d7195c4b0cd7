"""Beats: labels on frames, the decoder, the score."""

import jams
import mir_eval
import numpy as np
import pytest
from conftest import ROOT, load_script

from crema.models import beat as model
from crema.tasks.beat import METERS, Beats
from crema.utils import evaluate

SR, HOP = 22050, 220
RATE = SR / HOP
EVEN = np.full(len(METERS), 1 / len(METERS))
stage = load_script(ROOT / "training" / "beat" / "03-evaluate.py")


def beats(times, positions=None, duration=None, begin=0.0):
    annotation = jams.Annotation("beat", time=begin, duration=duration)
    positions = [None] * len(times) if positions is None else positions
    for time, position in zip(times, positions, strict=True):
        annotation.append(float(time), 0, position, None)
    return annotation


def encode(annotation, duration):
    data = Beats("beat", SR, HOP).transform_annotation(annotation, duration)
    assert {array.shape for array in data.values()} == {(int(duration * RATE), 1)}
    return data["beat"][:, 0], data["downbeat"][:, 0]


# --- labels ---------------------------------------------------------------------------


def test_a_beat_is_on_the_nearest_frame():
    times = np.asarray([0.0, 0.5049, 1.0151, 2.9999])
    beat, downbeat = encode(beats(times, [1, 2, 1, 2]), 4.0)
    np.testing.assert_array_equal(np.flatnonzero(beat == 1), np.rint(times * RATE))
    np.testing.assert_array_equal(
        np.flatnonzero(downbeat == 1), np.rint(times[::2] * RATE)
    )
    assert set(beat) == set(downbeat) == {0, 1}


def test_unknown_positions_leave_downbeats_open_and_beats_not():
    beat, downbeat = encode(beats([1.0, 2.0, 3.0]), 4.0)
    assert (beat == 1).sum() == 3 and (beat == -1).sum() == 0
    assert (downbeat == -1).all()


def test_one_unknown_position_leaves_what_is_around_it_open():
    beat, downbeat = encode(beats([1.0, 2.0, 3.0, 4.0], [1, 2, None, 1]), 6.0)
    assert downbeat[round(1.5 * RATE)] == 0 and downbeat[round(5 * RATE)] == 0
    for time in (2.5, 3.0, 3.5):
        assert downbeat[round(time * RATE)] == -1
    assert downbeat[round(4 * RATE)] == 1
    assert (beat == 1).sum() == 4


def test_time_outside_of_the_annotation_is_open():
    beat, downbeat = encode(beats([2.0, 3.0], [1, 2], duration=2.0, begin=1.5), 6.0)
    for labels in (beat, downbeat):
        assert (labels[: int(1.4 * RATE)] == -1).all()
        assert (labels[int(3.6 * RATE) :] == -1).all()
        assert labels[round(2.5 * RATE)] == 0


def test_the_task_decodes_the_first_output():
    times = np.arange(0.5, 9, 0.5)
    beat, _ = encode(beats(times), 10.0)
    found = Beats("beat", SR, HOP).inverse(beat[:, np.newaxis], duration=10.0)
    assert found.validate(strict=True)
    np.testing.assert_allclose([o.time for o in found], times, atol=0.5 / RATE + 1e-9)


# --- decoding -------------------------------------------------------------------------


def posterior(times, duration, seed=0, missing=0.1):
    """Return what a fair network says: blurred peaks, some missing, some noise."""
    draw = np.random.default_rng(seed)
    n_frames = int(duration * RATE)
    values = draw.uniform(0.005, 0.04, n_frames)
    frames = np.arange(n_frames)
    for time in times:
        if draw.random() > missing:
            near = 0.9 * np.exp(-0.5 * ((frames - time * RATE) / 1.2) ** 2)
            values = np.maximum(values, near)
    return values


def beat_times(interval, duration, seed=0, spread=0.01):
    draw = np.random.default_rng(seed)
    steps = interval * np.exp(draw.normal(0, spread, int(duration / interval) + 1))
    times = 1.0 + np.cumsum(steps)
    return times[times < duration - 1]


def track(values, deviation=0.03):
    frames = model.beat_frames(values, RATE, deviation)
    return np.asarray([model.peak(values, frame)[0] / RATE for frame in frames])


@pytest.mark.parametrize("bpm", [45, 60, 75, 93, 120, 128, 150, 171, 200])
def test_steady_beats_are_found_where_they_are(bpm):
    times = beat_times(60 / bpm, 60)
    found = track(posterior(times, 60))
    assert mir_eval.beat.f_measure(times, found) > 0.98
    nearest = times[np.abs(found[:, np.newaxis] - times).argmin(axis=1)]
    assert abs(np.median(found - nearest)) < 0.002


def test_a_change_of_tempo_is_followed():
    fast, slow = beat_times(0.4, 30), beat_times(0.62, 30)
    times = np.concatenate([fast, slow + 30])
    found = track(posterior(times, 60))
    assert mir_eval.beat.f_measure(times, found) > 0.95


def test_a_ritardando_is_followed():
    steps = np.geomspace(0.4, 0.8, 60)
    times = 1 + np.cumsum(steps)
    found = track(posterior(times, times[-1] + 1))
    assert mir_eval.beat.f_measure(times, found) > 0.97


def test_music_without_beats_has_none():
    assert len(model.beat_frames(np.full(3000, 0.01), RATE, 0.03)) == 0
    assert len(model.beat_frames(np.zeros(0), RATE, 0.03)) == 0
    assert len(model.beat_frames(np.full(3, 0.01), RATE, 0.03)) == 0


def test_silence_at_both_ends_has_no_beats():
    times = 10 + beat_times(0.5, 20)
    found = track(posterior(times, 45))
    assert found.min() > times.min() - 1.1 and found.max() < times.max() + 1.1


@pytest.mark.parametrize("meter", METERS)
def test_bars_of_each_meter(meter):
    downbeat = np.tile([0.8] + [0.1] * (meter - 1), 40)
    draw = np.random.default_rng(meter)
    downbeat[draw.random(len(downbeat)) < 0.1] = 0.1
    positions = model.bar_positions(downbeat, EVEN)
    expected = np.tile(np.arange(1, meter + 1), 40)
    assert np.mean(positions == expected) > 0.95


def test_bars_may_begin_with_an_upbeat_and_break_off():
    downbeat = np.tile([0.05, 0.05, 0.9, 0.05], 20)
    positions = model.bar_positions(downbeat, EVEN)
    np.testing.assert_array_equal(positions[:6], [3, 4, 1, 2, 3, 4])
    downbeat = np.concatenate([downbeat, downbeat[1:]])
    positions = model.bar_positions(downbeat, EVEN)
    np.testing.assert_array_equal(positions[-4:], [3, 4, 1, 2])
    assert len(model.bar_positions(np.zeros(0), EVEN)) == 0


# --- scores ---------------------------------------------------------------------------


def test_a_perfect_estimate():
    annotation = beats(np.arange(0.5, 30, 0.5), [1, 2, 3, 4] * 14 + [1, 2, 3])
    scores = stage.score(annotation, annotation)
    assert scores["f_measure"] == scores["downbeat_f_measure"] == 1
    assert scores["offset_seconds"] == 0


def test_an_estimate_that_is_late_says_by_how_much():
    times = np.arange(0.5, 30, 0.5)
    scores = stage.score(beats(times, [1] * len(times)), beats(times + 0.02))
    assert scores["f_measure"] == 1
    assert scores["offset_seconds"] == pytest.approx(0.02)
    assert scores["downbeat_f_measure"] == 0


def test_unknown_downbeats_are_not_scored():
    times = np.arange(0.5, 30, 0.5)
    some = [1, None] * 29 + [1]
    for positions in (None, some):
        scores = stage.score(beats(times, positions), beats(times, [1] * len(times)))
        assert scores["downbeat_f_measure"] is None
        assert scores["f_measure"] == 1


def test_what_ends_within_five_seconds_is_not_comparable():
    with pytest.raises(evaluate.NotComparable, match="first 5 s"):
        stage.score(beats([1, 2, 3, 4]), beats([1, 2, 3, 4]))


def test_an_empty_estimate_scores_zero():
    times = np.arange(0.5, 30, 0.5)
    scores = stage.score(beats(times, [1] * len(times)), beats([]))
    assert scores["f_measure"] == 0 and scores["offset_seconds"] is None


def test_the_baseline_hears_clicks_and_takes_silence():
    y = np.zeros(20 * SR, np.float32)
    y[:: SR // 2] = 1
    found = stage.baseline(y, SR)
    assert found.validate(strict=True) and len(found.data) > 30
    for clip in (np.zeros(SR, np.float32), np.zeros(500, np.float32)):
        assert stage.baseline(clip, SR).validate(strict=True)
