"""Beats: labels on frames, the decoder, the score."""

import jams
import mir_eval
import numpy as np
import pumpp
import pytest
from conftest import ROOT, load_script

from crema.exceptions import AnnotationError, ConfigError
from crema.models import beat as model
from crema.models import beat_pulse as pulse
from crema.tasks.beat import METERS, Beats
from crema.utils import evaluate, hdf5

SR, HOP = 22050, 220
RATE = SR / HOP
#: Two beats per second, each with targets that sum to 2.5 frames.
PRIOR = 0.05
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


def test_positions_are_counted_from_one():
    with pytest.raises(AnnotationError, match="position 0 in its bar.*count from 1"):
        encode(beats([1.0, 2.0, 3.0], [0, 1, 2]), 4.0)


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
    """Return a fair network's posterior: blurred peaks, some missing, and noise."""
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


#: Intervals of all tempi, from the shortest to the longest.
ALL = (model.OCTAVES[0][0], model.OCTAVES[-1][-1])


def track(values, deviation=0.03):
    frames = np.concatenate(pulse.beat_runs(values, RATE, deviation, PRIOR, *ALL))
    return np.asarray([model.peak(values, frame) / RATE for frame in frames])


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
    for n_frames in (3000, 3, 0):
        values = np.full(n_frames, 0.01)
        assert not pulse.beat_runs(values, RATE, 0.03, PRIOR, *ALL)


def test_silence_at_both_ends_has_no_beats():
    times = 10 + beat_times(0.5, 20)
    found = track(posterior(times, 45))
    assert found.min() > times.min() - 1.1 and found.max() < times.max() + 1.1


@pytest.mark.parametrize("meter", METERS)
def test_bars_of_each_meter(meter):
    downbeat = np.tile([0.8] + [0.1] * (meter - 1), 40)
    draw = np.random.default_rng(meter)
    downbeat[draw.random(len(downbeat)) < 0.1] = 0.1
    positions = model.bar_positions(downbeat, EVEN, 1 / meter)
    expected = np.tile(np.arange(1, meter + 1), 40)
    assert np.mean(positions == expected) > 0.95


def test_bars_may_begin_with_an_upbeat_and_break_off():
    downbeat = np.tile([0.05, 0.05, 0.9, 0.05], 20)
    positions = model.bar_positions(downbeat, EVEN, 0.25)
    np.testing.assert_array_equal(positions[:6], [3, 4, 1, 2, 3, 4])
    downbeat = np.concatenate([downbeat, downbeat[1:]])
    positions = model.bar_positions(downbeat, EVEN, 0.25)
    np.testing.assert_array_equal(positions[-4:], [3, 4, 1, 2])
    assert len(model.bar_positions(np.zeros(0), EVEN, 0.25)) == 0


def test_a_network_in_doubt_does_not_make_bars_long():
    # A posterior below one half can still exceed the prior of a downbeat.
    downbeat = np.tile([0.35, 0.02, 0.15, 0.02], 30)
    positions = model.bar_positions(downbeat, EVEN, 0.25)
    np.testing.assert_array_equal(positions, np.tile([1, 2, 3, 4], 30))


def test_the_f_measure_to_expect():
    posterior = np.zeros(1000)
    for frame in range(50, 1000, 100):  # the targets of the loss, but half as certain
        posterior[frame - 2 : frame + 3] = 0.5 * np.array([0.25, 0.5, 1, 0.5, 0.25])
    expect = model.expected_f_measure
    # Ten events, five of them expected: 2 * 5 / (10 + 5).
    assert expect(np.full(10, 0.5), posterior) == pytest.approx(2 / 3)
    assert expect(np.full(5, 0.5), posterior) == pytest.approx(0.5)
    assert expect(np.zeros(0), np.zeros(10)) == 0


class Untrained(model.Model):
    """The decoder without a network."""

    def __init__(self, deviation=0.03):
        self.deviation, self.prior, self.meters = deviation, PRIOR, EVEN
        self.downbeat_prior = 0.25
        self.pump = pumpp.Pump(Beats("beat", SR, HOP))
        self.output_names = ["beat.beat", "beat.downbeat"]


def outputs(times, positions, duration):
    """Return posteriors in which each beat peaks at its time."""
    downbeats = [t for t, p in zip(times, positions, strict=True) if p == 1]
    return {
        "beat.beat": posterior(times, duration, missing=0)[:, np.newaxis],
        # A downbeat can peak beside its beat.
        "beat.downbeat": np.roll(posterior(downbeats, duration, missing=0), 1)[:, None],
    }


def test_beats_are_decoded_with_position_and_confidence():
    times = beat_times(0.5, 40)
    positions = [(number % 3) + 1 for number in range(len(times))]
    said = outputs(times, positions, 40)
    said["beat.beat"][: 20 * int(RATE)] *= 0.6
    (annotation,) = Untrained().decode(said, 40.0)
    assert annotation.validate(strict=True) and annotation.duration == 40
    found = np.asarray([o.time for o in annotation])
    assert mir_eval.beat.f_measure(times, found) > 0.98
    assert [o.value for o in annotation][10:40] == [
        positions[np.abs(times - time).argmin()] for time in found[10:40]
    ]


def test_free_tempo_is_followed_and_tried_only_if_no_beats_are_clear(monkeypatch):
    draw = np.random.default_rng(4)
    swing = 0.2 * np.sin(np.arange(120) / 2.5) + draw.normal(0, 0.06, 120)
    free = 1 + np.cumsum(0.6 * np.exp(swing))
    said = 0.9 * posterior(free, free[-1] + 1, 4, missing=0)[:, np.newaxis]

    def score():
        (annotation,) = Untrained().decode(
            {"beat.beat": said, "beat.downbeat": 0 * said}, free[-1] + 1
        )
        return mir_eval.beat.f_measure(free, np.array([o.time for o in annotation]))

    assert score() > 0.97
    monkeypatch.setattr(model, "CLEAR", 0)
    assert score() < 0.95
    monkeypatch.undo()
    monkeypatch.setattr(model, "RUBATO", None)  # must not be used
    times = np.arange(1, 59, 0.5)
    assert Untrained().sequences(posterior(times, 60, missing=0), RATE)


def test_confidence_is_the_weight_of_the_readings_with_that_beat():
    times = np.arange(1, 59, 0.5)
    every = posterior(times, 60, missing=0)
    others = posterior(times[::2], 60, missing=0)

    def confidences(doubt):
        said = np.maximum(others, doubt * every)[:, np.newaxis]
        (annotation,) = Untrained().decode(
            {"beat.beat": said, "beat.downbeat": 0 * said}, 60.0
        )
        found = np.asarray([o.time for o in annotation])
        sure = np.abs(found[:, np.newaxis] - times[::2]).min(axis=1) < 0.1
        values = np.asarray([o.confidence for o in annotation])
        assert ((values >= 0) & (values <= 1)).all()
        return values[sure], values[~sure]

    sure, doubtful = confidences(0.8)
    assert doubtful.max() < sure.min() and sure.min() > 0.9
    surer, _ = confidences(0.05)
    assert surer.min() > 0.95


def test_confidence_is_never_above_one():
    draw = np.random.default_rng(0)
    frames = np.arange(0, 1000, 50)
    for expected in draw.uniform(size=(300, 4)):
        sequences = [model.Sequence(frames, [], value) for value in expected]
        assert model.agreement(frames, sequences, 7).max() <= 1


def test_confidence_falls_where_no_beats_are_heard():
    times = np.arange(1, 59, 0.5)
    said = posterior(times, 60, missing=0)
    said[: 30 * int(RATE)] *= 0.22
    (annotation,) = Untrained().decode(
        {"beat.beat": said[:, np.newaxis], "beat.downbeat": said[:, np.newaxis]}, 60.0
    )
    faint, clear = (
        np.mean([o.confidence for o in annotation if start < o.time < start + 15])
        for start in (5, 40)
    )
    assert faint < 0.5 < 0.8 < clear


def test_bars_in_doubt_are_not_halved():
    """Every other beat would be right half of the time, but is less probable."""
    times = np.arange(1, 119, 0.5)
    said = posterior(times, 120, missing=0)
    likely, other = (posterior(times[k::4], 120, missing=0) for k in (0, 2))
    bars = np.maximum(0.35 * likely, 0.24 * other)
    (annotation,) = Untrained().decode(
        {"beat.beat": said[:, np.newaxis], "beat.downbeat": bars[:, np.newaxis]}, 120.0
    )
    downbeats = np.asarray([o.time for o in annotation if o.value == 1])
    assert mir_eval.beat.f_measure(times[::4], downbeats) > 0.95


@pytest.mark.parametrize("between, bpm", [(0.3, 60), (0.8, 120)])
def test_beats_that_are_doubtful_throughout_are_left_out(between, bpm):
    """Each exceeds the prior, but at 0.3 none of them is a beat; at 0.8 all are."""
    times = np.arange(1, 59, 0.5)
    sure, doubtful = (
        posterior(half, 60, missing=0) for half in (times[::2], times[1::2])
    )
    said = np.maximum(sure, between / 0.9 * doubtful)[:, np.newaxis]
    bars = posterior(times[::8], 60, missing=0)[:, np.newaxis]
    (annotation,) = Untrained().decode({"beat.beat": said, "beat.downbeat": bars}, 60.0)
    found = np.asarray([o.time for o in annotation])
    assert np.median(np.diff(found)) == pytest.approx(60 / bpm, abs=0.02)
    assert mir_eval.beat.f_measure(times[:: 120 // bpm], found) > 0.95


def test_no_beat_lies_beyond_the_end():
    times = np.arange(1, 10.001, 0.5)
    said = outputs(times, [1] * len(times), 10.05)
    (annotation,) = Untrained().decode(said, 10.0)
    assert max(o.time for o in annotation) <= 10.0


def test_silence_decodes_to_an_empty_annotation():
    silence = {name: np.full((500, 1), 0.01) for name in ("beat.beat", "beat.downbeat")}
    (annotation,) = Untrained().decode(silence, 5.0)
    assert annotation.validate(strict=True) and not annotation.data


def test_one_beat_makes_no_pulse():
    said = {name: np.full((2000, 1), 0.01) for name in ("beat.beat", "beat.downbeat")}
    for values in said.values():
        values[0] = 0.9
    (annotation,) = Untrained().decode(said, 20.0)
    assert not annotation.data


def in_file(fields):
    """Return labels with the axes of feature files: annotations, frames, values."""
    return {name: labels[np.newaxis, :, np.newaxis] for name, labels in fields.items()}


def test_what_the_decoder_learns_from_annotations(tmp_path):
    files = []
    for number, meter in enumerate((3, 3, 3, 4)):
        times = beat_times(0.5, 60, seed=number, spread=0.03)
        positions = [(k % meter) + 1 for k in range(len(times))]
        beat, downbeat = encode(beats(times, positions), 60.0)
        files.append(tmp_path / f"{number}.h5")
        fields = {"beat.beat": beat, "beat.downbeat": downbeat}
        hdf5.write(files[-1], in_file(fields), {})
    train = load_script(ROOT / "training" / "beat" / "02-train.py")
    learnt = train.decoder(files)
    assert learnt["interval_deviation"] == pytest.approx(0.045, abs=0.015)
    assert learnt["beat_prior"] == pytest.approx(2 * 2.5 / RATE, rel=0.1)
    assert learnt["downbeat_prior"] == pytest.approx(1 / 3.2, rel=0.05)
    meters = dict(zip(METERS, learnt["meters"], strict=True))
    assert sum(learnt["meters"]) == pytest.approx(1)
    assert meters[3] > 2 * meters[4] > 2 * meters[5] > 0
    # Beats of unknown position, or no beats, are no evidence.
    positions = [k % 6 + 1 if k % 6 < 2 else None for k in range(len(times))]
    beat, downbeat = encode(beats(times, positions), 60.0)
    fields = {"beat.beat": beat, "beat.downbeat": downbeat}
    hdf5.write(tmp_path / "open.h5", in_file(fields), {})
    learnt = train.decoder([tmp_path / "open.h5"])
    assert learnt["meters"] == pytest.approx(EVEN)


def test_too_slow_frames_are_refused():
    with pytest.raises(ConfigError, match="at most 551 samples"):
        Beats("beat", 22050, 552)


# --- scores ---------------------------------------------------------------------------


def test_a_perfect_estimate():
    annotation = beats(np.arange(0.5, 30, 0.5), [1, 2, 3, 4] * 14 + [1, 2, 3])
    scores = stage.score(annotation, annotation)
    assert scores["f_measure"] == scores["downbeat_f_measure"] == 1
    assert scores["offset_seconds"] == 0


def test_a_beat_that_is_annotated_twice_is_one():
    times = np.repeat(np.arange(0.5, 30, 0.5), 2)
    scores = stage.score(beats(times, [1] * len(times)), beats(times[::2]))
    assert all(value is None or -1 <= value <= 1 for value in scores.values())
    assert scores["f_measure"] == 1


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


def test_beats_are_confused_by_position():
    reference = beats([1, 2, 3, 4, 5], [1, 2, 3, None, 1.0])
    estimate = beats([1.02, 2.5, 3.06, 4, 5.1], [1, 2, 1, 2, 3])
    assert stage.confused(reference, estimate) == [
        ("1", "1", 1),
        ("2", "no beat", 1),
        ("3", "1", 1),
        ("beat", "2", 1),
        ("1", "no beat", 1),
        ("no beat", "2", 1),
        ("no beat", "3", 1),
    ]
    assert stage.confused(beats([1], [1]), beats([])) == [("1", "no beat", 1)]


def test_the_baseline_hears_clicks_and_takes_silence():
    y = np.zeros(20 * SR, np.float32)
    y[:: SR // 2] = 1
    found = stage.baseline(y, SR)
    assert found.validate(strict=True) and len(found.data) > 30
    for clip in (np.zeros(SR, np.float32), np.zeros(500, np.float32)):
        assert stage.baseline(clip, SR).validate(strict=True)


def test_beats_go_on_after_silence():
    """Two pieces in one file, or a long rest, are two sequences of beats."""
    values = np.full(round(180 * RATE), 0.001)
    for first, last, interval in ((1, 30, 0.5), (150, 179, 0.6)):
        values[np.rint(np.arange(first, last, interval) * RATE).astype(int)] = 0.9
    first, second = pulse.beat_runs(values, RATE, 0.03, PRIOR, *model.OCTAVES[1])
    assert len(first) == 58 and len(second) == 49
    np.testing.assert_allclose(np.diff(first) / RATE, 0.5, atol=1.1 / RATE)
    np.testing.assert_allclose(np.diff(second) / RATE, 0.6, atol=1.1 / RATE)


def test_a_rest_has_no_beats():
    """With many beats on both sides, they could go on through it, but none is heard."""
    values = np.full(round(270 * RATE), 0.001)
    for first in (1, 150):
        values[np.rint(np.arange(first, first + 119, 0.5) * RATE).astype(int)] = 0.9
    (run,) = pulse.beat_runs(values, RATE, 0.03, PRIOR, *model.OCTAVES[1])
    near = np.maximum.reduce([np.roll(values, shift) for shift in range(-7, 8)])
    first, second = pulse.without_rests(run, near)
    assert len(first) == len(second) == 238
    assert 119 < first[-1] / RATE < 121 and 149 < second[0] / RATE < 151


def heard(times, duration):
    """Return the posterior of a network that hears only these beats."""
    values = np.full(round(duration * RATE), 0.001)
    values[np.rint(np.asarray(times) * RATE).astype(int)] = 0.9
    return values


def test_beats_stay_on_the_click_where_the_network_hears_between_them():
    click = 60 / 170.4 * np.arange(10, 500)
    times = np.where((click > 60) & (click < 80), click + 30 / 170.4, click)
    values = heard(times, 180)
    (run,) = pulse.beat_runs(values, RATE, 0.03, PRIOR, *model.OCTAVES[0])
    assert mir_eval.beat.f_measure(click, run / RATE) < 0.95
    steady = pulse.steadied(run, values, PRIOR)
    assert len(steady) == len(click)
    np.testing.assert_allclose(steady / RATE, click, atol=2 / RATE)


def test_a_click_goes_on_where_its_beats_are_not_heard():
    """Sound between them is not a rest, and does not make the click less probable."""
    click = 0.64 * np.arange(2, 420)
    times = np.where((click > 100) & (click < 120), click + 0.32, click)
    # An interval in two of the tempo ranges, in one of them at its very end.
    values = heard(times, 270)[:, np.newaxis]
    said = {"beat.beat": values, "beat.downbeat": 0.25 * values}
    (annotation,) = Untrained().decode(said, 270.0)
    found = np.asarray([o.time for o in annotation])
    assert len(found) == len(click)
    np.testing.assert_allclose(found, click, atol=0.03)


def test_a_click_may_drift():
    """As on a tape that gradually speeds up, by 1 ms per beat in the end."""
    steps = 0.5 - 0.001 * np.linspace(0, 1, 300)
    times = 1 + np.cumsum(steps)
    values = heard(times, 170)
    steady = pulse.steadied(np.rint(times * RATE).astype(int), values, PRIOR)
    np.testing.assert_allclose(steady / RATE, times, atol=0.03)


@pytest.mark.parametrize(
    "steps",
    [
        np.geomspace(0.4, 0.6, 300),
        np.r_[np.full(150, 0.5), np.full(150, 0.51)],
        np.r_[np.full(250, 0.5), 0.69, np.full(50, 0.5)],
        0.5 * np.exp(np.random.default_rng(1).normal(0, 0.08, 300)),
    ],
    ids=["slower and slower", "two tempi", "a fermata", "freely"],
)
def test_what_has_no_click_stays_as_it_is(steps):
    times = 1 + np.cumsum(steps)
    values = heard(times, times[-1] + 1)
    frames = np.rint(times * RATE).astype(int)
    assert pulse.steadied(frames, values, PRIOR) is frames


@pytest.mark.parametrize("ends", [0.9, 0.001], ids=["heard", "not heard"])
@pytest.mark.parametrize("count", [2, 5, 16, 17, 60])
def test_clicks_from_the_first_frame_to_the_last(count, ends):
    frames = 40 * np.arange(count)
    values = np.full(frames[-1] + 1, 0.001)
    values[frames] = 0.9
    values[[0, -1]] = ends
    steady = pulse.steadied(frames, values, PRIOR)
    np.testing.assert_allclose(steady, frames, atol=2)  # model.peak reads times there
    assert steady[0] >= 0 and steady[-1] < len(values)


def test_two_peaks_make_no_pulse():
    for value in (0.6, 0.99):
        values = np.full(1000, 0.001)
        values[[900, 950]] = value
        assert not pulse.beat_runs(values, RATE, 0.03, PRIOR, *ALL)


def test_no_bar_has_one_beat():
    downbeat = np.tile([0.9, 0.1, 0.1, 0.1], 6)
    downbeat[13] = 0.95
    positions = model.bar_positions(downbeat, EVEN, 0.25)
    assert not ((positions[1:] == 1) & (positions[:-1] == 1)).any()
