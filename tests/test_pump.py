"""The pump: features, decoding of outputs, and safe loading of its file."""

import argparse
import hashlib
import itertools
import os
import pickle

import jams
import jsonschema
import librosa
import numpy as np
import pumpp
import pytest
import yaml
from conftest import ROOT, annotate
from scipy.stats import norm

from crema import features, pump, segments, stored
from crema.exceptions import ConfigError, ModelError
from crema.tasks import chord as tasks
from crema.utils import prepare

SR, HOP = 22050, 2048
FRAME = HOP / SR


def chord_pump():
    return pumpp.Pump(features.HCQT(), tasks.ChordTags(), tasks.StructuredChord())


@pytest.fixture(scope="module")
def tags():
    return tasks.ChordTags()


def chords(*segments, duration=None):
    """Return JAMS with one chord annotation of (start, end, label)."""
    duration = duration or segments[-1][1]
    jam = jams.JAMS()
    jam.file_metadata.duration = duration
    annotation = jams.Annotation("chord", time=0, duration=duration)
    for start, end, label in segments:
        annotation.append(start, end - start, label, 1.0)
    jam.annotations.append(annotation)
    return jam


def noise(samples, sr=SR, seed=0):
    """Return tones in noise, loud and soft."""
    draw, t = np.random.default_rng(seed), np.arange(samples) / sr
    tones = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (65.4, 220, 331, 1760))
    return (tones + draw.normal(0, 0.003, samples)).astype(np.float32)


# --- fields ---------------------------------------------------------------------------


def test_fields_have_dotted_names_and_shapes():
    fields = chord_pump().fields
    assert {name: field.shape for name, field in fields.items()} == {
        "hcqt.mag": (None, 216, 2),
        "chord_tag.chord": (None, 1),
        "chord_struct.pitch": (None, 12),
        "chord_struct.root": (None, 1),
        "chord_struct.bass": (None, 1),
    }
    assert fields["hcqt.mag"].dtype == np.uint8


def test_transform_gives_the_fields_it_names():
    operators = chord_pump()
    jam = annotate(["C:maj", "A:min"])
    data = operators.transform(y=noise(3 * SR), sr=SR, jam=jam)
    assert set(operators.fields) <= set(data)
    for name, field in operators.fields.items():
        assert data[name].dtype == field.dtype
        assert data[name].shape == (1, 32, *field.shape[1:])


# --- HCQT -----------------------------------------------------------------------------


def ours_and_pumpps(y, **size):
    """Return our levels in decibels, and pumpp's decibels."""
    ours = features.HCQT("hcqt", SR, HOP, dtype="float32", **size)
    theirs = pumpp.feature.HCQTMag("hcqt", SR, HOP, log=True, over_sample=3, **size)
    (level,) = ours.transform(y, SR)["hcqt.mag"]
    (decibels,) = theirs.transform(y, SR)["hcqt/mag"]
    assert level.shape == decibels.shape and level.dtype == np.float32
    assert decibels.min() < -60
    return level / 255 * 80 - 80, decibels


@pytest.mark.parametrize("seed", range(2))
def test_hcqt_is_that_of_pumpp(seed):
    y = noise(3 * SR + 777, seed=seed)
    ours, theirs = ours_and_pumpps(y, n_octaves=6, harmonics=(1, 2))
    np.testing.assert_allclose(ours, theirs, atol=0.01)


@pytest.mark.parametrize("harmonics", [(1,), (2, 1), (1, 4)])
def test_hcqt_of_other_harmonics(harmonics):
    # librosa can halve the sampling rate before it computes a single harmonic.
    ours, theirs = ours_and_pumpps(noise(2 * SR), n_octaves=5, harmonics=harmonics)
    assert np.abs(ours - theirs).mean() < 0.01
    np.testing.assert_allclose(ours, theirs, atol=1)


def test_eight_bits_round_to_the_nearest_level():
    y = noise(2 * SR)
    exact = features.HCQT(dtype="float32").transform(y, SR)["hcqt.mag"]
    whole = features.HCQT().transform(y, SR)["hcqt.mag"]
    assert whole.dtype == np.uint8 and whole.max() == 255 and whole.min() == 0
    assert np.abs(whole - exact).max() <= 0.5 + 1e-4


def test_audio_at_any_rate_is_resampled():
    same = features.HCQT(dtype="float32").transform(noise(2 * SR), SR)["hcqt.mag"]
    double = features.HCQT(dtype="float32").transform(noise(4 * SR, 2 * SR), 2 * SR)
    assert double["hcqt.mag"].shape == same.shape
    loud = same > 200
    np.testing.assert_allclose(double["hcqt.mag"][loud], same[loud], atol=3)


def test_each_tone_is_loudest_in_its_own_bin():
    t = np.arange(2 * SR) / SR
    for midi in (36, 60, 83):
        y = np.sin(2 * np.pi * librosa.midi_to_hz(midi) * t)
        levels = features.HCQT().transform(y, SR)["hcqt.mag"][0, 10]
        assert levels[:, 0].argmax() == 3 * (midi - 24)
        assert levels[:, 1].argmax() == 3 * (midi - 24) - 36 or midi == 24


def test_a_frame_is_the_mean_of_the_transforms_around_it():
    y = noise(3 * SR)
    half, mean = (
        features.HCQT(dtype="float32", **settings).transform(y, SR)["hcqt.mag"][0]
        for settings in ({"hop_length": HOP // 2}, {"over_time": 2})
    )
    last = len(mean) - 1
    expected = (half[1:-1:2] + 2 * half[2::2] + half[3::2])[: last - 1] / 4
    np.testing.assert_allclose(mean[1:last], expected, atol=1e-3)
    whole = features.HCQT(over_time=2).transform(y, SR)["hcqt.mag"][0]
    assert whole.dtype == np.uint8 and np.abs(whole - mean).max() <= 0.5 + 1e-4


def test_a_high_tone_between_two_frames_is_heard():
    t = np.arange(20 * HOP) / SR
    y = np.sin(2 * np.pi * librosa.midi_to_hz(48) * t)
    between = slice(round(10.5 * HOP) - 300, round(10.5 * HOP) + 300)
    high = np.sin(2 * np.pi * librosa.midi_to_hz(95) * t[between])
    y[between] += high * np.hanning(600)
    once, twice = (
        features.HCQT(over_time=n).transform(y, SR)["hcqt.mag"][0, 10:12, 3 * 59, 1]
        for n in (1, 2)
    )
    assert (once == 0).all() and (twice > 40).all()


def test_silence_is_finite_and_even():
    levels = features.HCQT(dtype="float32").transform(np.zeros(SR), SR)["hcqt.mag"]
    assert levels.shape == (1, 10, 216, 2)
    assert np.isfinite(levels).all() and np.ptp(levels) == 0


@pytest.mark.parametrize("samples", [HOP, HOP + 1, 5000])
def test_the_shortest_audio(samples):
    levels = features.HCQT().transform(noise(samples), SR)["hcqt.mag"]
    assert levels.shape == (1, samples // HOP, 216, 2)


def test_less_than_a_frame_has_no_frames():
    for samples in (10, 1102, HOP - 1):
        levels = features.HCQT().transform(noise(samples), SR)["hcqt.mag"]
        assert levels.shape == (1, 0, 216, 2)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"hop_length": 100}, "hop_length 100 must be a multiple of 64"),
        ({"hop_length": 2049}, "hop_length 2049 must be a multiple of 64"),
        ({"n_octaves": 7, "sr": 44100, "hop_length": 64}, "a multiple of 128"),
        ({"sr": 8000}, "sample_rate 8000 is too low for octaves 6 from C1"),
        ({"sr": 0}, "sample_rate 0 is too low"),
        ({"n_octaves": 8}, "sample_rate 22050 is too low for octaves 8 from C1"),
        ({"harmonics": (1, 3)}, "must be powers of two"),
        ({"hop_length": 0}, "hop_length 0"),
        ({"hop_length": -2048}, "hop_length -2048"),
        ({"n_octaves": 0}, "octaves"),
        ({"n_octaves": -1}, "octaves"),
        ({"over_sample": 0}, "bins"),
        ({"over_time": 0}, "over_time"),
        ({"over_time": 2, "hop_length": 64}, "a multiple of 128"),
    ],
)
def test_settings_that_cannot_work(option, message):
    with pytest.raises(ConfigError, match=message) as caught:
        features.HCQT(**option)
    assert "\n" not in str(caught.value)


def test_settings_that_pass_the_schema_work():
    path = ROOT / "config" / "schemas" / "config.schema.yaml"
    schema = yaml.safe_load(path.read_text())["$defs"]["hcqt"]
    check = jsonschema.Draft202012Validator(schema)
    accepted = []
    for octaves, hop, rate in itertools.product(
        range(1, 9),
        (64, 100, 128, 256, 384, 512, 1984, 2048),
        (8000, 8800, 11025, 16000, 17600, 22050, 32000, 35200, 44100),
    ):
        settings = {"octaves": octaves, "hop_length": hop, "sample_rate": rate}
        if check.is_valid(settings):
            accepted.append(octaves)
            args = argparse.Namespace(**settings, bins_per_semitone=3)
            prepare.hcqt(args)
    assert set(accepted) == set(range(1, 9))


@pytest.mark.parametrize(("octaves", "hop"), [(6, 64), (6, 192), (4, 16)])
def test_settings_at_the_limit_work(octaves, hop):
    """librosa can compute everything that the checks accept."""
    harmonics = octaves + 1
    rate = int(np.ceil(2.1 * 2**harmonics * librosa.note_to_hz("C1")))
    settings = {"n_octaves": octaves, "hop_length": hop}
    levels = features.HCQT(sr=rate, **settings).transform(noise(rate, rate), rate)
    assert levels["hcqt.mag"].shape == (1, rate // hop, 36 * octaves, 2)
    with pytest.raises(ConfigError, match=f"must be at least {rate}"):
        features.HCQT(sr=rate - 1, **settings)


# --- chord tags -----------------------------------------------------------------------


def test_labels_are_in_the_order_of_the_classes(tags):
    assert len(set(tags.labels)) == len(tags.labels) == 170
    length = 4 * FRAME
    jam = chords(
        *((n * length, (n + 1) * length, label) for n, label in enumerate(tags.labels))
    )
    classes = tags.transform(jam)["chord_tag.chord"][0, :, 0]
    np.testing.assert_array_equal(classes[1::4][:170], np.arange(170))


def test_labels_cannot_be_changed_from_outside(tags):
    tags.labels.append("H")
    assert len(tags.labels) == 170


def test_labels_outside_the_vocabulary_are_x(tags):
    jam = chords((0, 1, "C:maj/3"), (1, 2, "Gb:min9"), (2, 3, "C:1"), (3, 4, "N"))
    classes = tags.transform(jam)["chord_tag.chord"][0, :, 0]
    found = [tags.labels[classes[int(t / FRAME)]] for t in (0.5, 1.5, 2.5, 3.5)]
    assert found == ["C:maj", "Gb:min7", "X", "N"]


def test_time_without_annotation_is_no_chord(tags):
    """Before, between and after the segments; all operators agree."""
    jam = chords((1, 2, "C:maj"), (3, 4, "G:maj"), duration=6)
    classes = tags.transform(jam)["chord_tag.chord"][0, :, 0]
    found = [tags.labels[classes[int(t / FRAME)]] for t in (0.5, 1.5, 2.5, 3.5, 5)]
    assert found[1::2] == ["C:maj", "G:maj"]
    assert set(found[::2]) <= {"X", "N"}
    roots = tasks.StructuredChord().transform(jam)["chord_struct.root"][0, :, 0]
    assert [roots[int(t / FRAME)] for t in (0.5, 1.5, 2.5, 3.5, 5)] == [
        12,
        0,
        12,
        7,
        12,
    ]


@pytest.mark.parametrize("seed", range(5))
def test_inverse_undoes_transform(tags, seed):
    draw = np.random.default_rng(seed)
    edges = np.concatenate([[0], np.cumsum(draw.uniform(3 * FRAME, 2, 25))])
    labels = [str(label) for label in draw.permutation(tags.labels)[:25]]
    segments = list(zip(edges[:-1].tolist(), edges[1:].tolist(), labels, strict=True))
    classes = tags.transform(chords(*segments))["chord_tag.chord"][0]
    found = tags.inverse(classes, duration=float(edges[-1]))
    assert found.namespace == "chord" and found.validate(strict=True)
    assert [observation.value for observation in found] == labels
    starts = np.array([observation.time for observation in found])
    assert np.abs(starts - edges[:-1]).max() <= FRAME / 2 + 1e-9
    assert {observation.confidence for observation in found} == {1.0}


def assert_covers(annotation, duration):
    end = 0.0
    for observation in annotation:
        assert observation.time == pytest.approx(end, abs=1e-9)
        assert observation.duration > 0
        end = observation.time + observation.duration
    assert end == pytest.approx(duration)
    assert (annotation.time, annotation.duration) == (0, pytest.approx(duration))


@pytest.mark.parametrize("n_frames", [1, 2, 7, 50])
@pytest.mark.parametrize("extra", [-0.9, 0, 0.4, 0.6, 3])
def test_inverse_leaves_no_gap_and_no_overlap(tags, n_frames, extra):
    """Whether there are fewer frames than the duration holds, or more."""
    draw = np.random.default_rng(n_frames)
    posterior = draw.dirichlet(np.full(170, 0.01), n_frames)
    duration = (n_frames + extra) * FRAME
    assert_covers(tags.inverse(posterior, duration=duration), duration)
    assert_covers(tags.inverse(posterior), n_frames * FRAME)
    same = np.full((n_frames, 1), 3)
    (observation,) = tags.inverse(same, duration=duration)
    assert observation.value == tags.labels[3]


def with_glitch():
    """Return posteriors of class 5, but for one frame of class 9."""
    posterior = np.full((21, 170), 0.4 / 168, dtype=np.float32)
    posterior[:, 5], posterior[:, 9] = 0.5, 0.1
    posterior[10, 5], posterior[10, 9] = 0.2, 0.4
    return posterior


def test_each_frame_by_itself_follows_a_glitch(tags):
    found = [observation.value for observation in tags.inverse(with_glitch())]
    assert found == [tags.labels[number] for number in (5, 9, 5)]


def smoothed(posterior, **kwargs):
    return segments.annotate("chord", posterior, range(170), 0.95, FRAME, **kwargs)


def test_transitions_smooth_a_glitch_away():
    (observation,) = smoothed(with_glitch(), power=0.65)
    assert observation.value == 5
    mean = with_glitch().mean(axis=0)
    expected = mean[5] ** 0.65 / (mean**0.65).sum()
    assert observation.confidence == pytest.approx(expected)


def test_a_change_that_lasts_survives_the_transitions():
    posterior = with_glitch()
    posterior[11:, 5], posterior[11:, 9] = 0.1, 0.5
    assert [observation.value for observation in smoothed(posterior)] == [5, 9]


def test_confidence_is_the_mean_posterior_to_a_power():
    posterior = np.array([[0.8, 0.2], [0.6, 0.4]])
    assert segments.confidence(posterior, 0) == pytest.approx(0.7)
    assert segments.confidence(posterior, 1) == pytest.approx(0.3)
    surer = segments.confidence(posterior, 0, power=2)
    assert surer == pytest.approx(0.49 / (0.49 + 0.09))


def test_a_change_lies_where_the_posteriors_cross():
    """The first frame of the new state can have begun at any time before it ends."""

    def change(before, after):
        posterior = np.array([[0.9, 0.1], [1 - before, before], [1 - after, after]])
        start, place, end = segments.edges(posterior, np.array([0, 0, 1]))
        assert (start, end) == (0, 3)
        return place

    assert change(0.2, 0.8) == pytest.approx(2.5)
    assert change(0.4, 0.99) == pytest.approx(2.081, abs=1e-3)
    assert change(0.01, 0.6) == pytest.approx(2.919, abs=1e-3)
    assert 2.99 < change(0.01, 0.5001) < 3
    # A path can change at another time than the posteriors.
    assert change(0.6, 0.8) == change(0.1, 0.3) == 2.5


def test_a_change_is_where_it_is_in_the_audio():
    """With posteriors of a change whose time is normally distributed."""
    task, hop = tasks.ChordTags(), 2048 / 22050
    for truth in np.arange(10, 11, 0.1):
        by_the_end = norm.cdf(np.arange(1, 21), truth, 0.3)
        posterior = np.zeros((20, 170))
        posterior[:, 2], posterior[:, 4] = 1 - by_the_end, by_the_end
        first, second = task.inverse(posterior)
        assert first.time + first.duration == second.time
        assert second.time / hop == pytest.approx(truth, abs=0.1)


def test_best_path_is_the_most_probable():
    """Compare with all possible paths."""
    draw = np.random.default_rng(2)
    paths = np.array(list(np.ndindex(*[3] * 5)))
    found = set()
    for scale, self_transition in itertools.product((1, 0.4), (0.4, 0.7, 0.9)):
        posterior = draw.dirichlet(np.ones(3), 5)
        transition = librosa.sequence.transition_loop(3, self_transition)
        heard = scale * np.log(posterior[np.arange(5), paths]).sum(axis=1)
        gone = np.log(transition[paths[:, :-1], paths[:, 1:]]).sum(axis=1)
        best = paths[np.argmax(heard + gone)]
        path = segments.best_path(posterior, self_transition, scale)
        np.testing.assert_array_equal(path, best)
        found.add(len(np.unique(path)))
    assert len(found) > 1
    np.testing.assert_array_equal(
        segments.best_path(posterior, None), posterior.argmax(axis=1)
    )


def test_the_path_is_that_of_librosa():
    posterior = np.random.default_rng(3).dirichlet(np.full(170, 0.05), 500)
    posterior[100:110] = 0
    posterior[100:110, 7] = 1
    transition = librosa.sequence.transition_loop(170, 0.96)
    theirs = librosa.sequence.viterbi_discriminative(posterior.T, transition)
    np.testing.assert_array_equal(segments.best_path(posterior, 0.96), theirs)
    assert len(list(segments.runs(theirs))) > 20


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (4, 1)])
def test_the_path_of_next_to_nothing(shape):
    path = segments.best_path(np.full(shape, 1 / shape[1]), 0.9)
    assert path.shape == shape[:1] and (path == 0).all()


def test_runs():
    assert list(segments.runs(np.array([7, 7, 1, 7]))) == [(0, 2), (2, 3), (3, 4)]
    assert list(segments.runs(np.array([7]))) == [(0, 1)]


# --- structure ------------------------------------------------------------------------


def test_pitches_root_and_bass():
    operator = tasks.StructuredChord()
    jam = chords(
        (0, 1, "C:maj/3"), (1, 2, "Bb:min7"), (2, 3, "N"), (3, 4, "X"), (4, 5, "B:sus4")
    )
    data = operator.transform(jam)
    frames = [int((second + 0.5) / FRAME) for second in range(5)]
    assert data["chord_struct.root"][0, frames, 0].tolist() == [0, 10, 12, 12, 11]
    assert data["chord_struct.bass"][0, frames, 0].tolist() == [4, 10, 12, 12, 11]
    pitches = [set(np.flatnonzero(row)) for row in data["chord_struct.pitch"][0]]
    known = [{0, 4, 7}, {10, 1, 5, 8}, set(), set(), {11, 4, 6}]
    assert [pitches[n] for n in frames] == known


# --- the file -------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    pump.save(chord_pump(), tmp_path / "pump.pkl")
    return tmp_path / "pump.pkl"


def test_a_loaded_pump_is_the_saved_one(saved):
    loaded, built = pump.load(saved), chord_pump()
    assert type(loaded) is pumpp.Pump and loaded.fields == built.fields
    jam, y = annotate(["C:maj", "A:min"]), noise(2 * SR)
    expected = built.transform(y=y, sr=SR, jam=jam)
    for name, values in loaded.transform(y=y, sr=SR, jam=jam).items():
        np.testing.assert_array_equal(values, expected[name])
    assert loaded["chord_tag"].labels == built["chord_tag"].labels
    assert [path.name for path in saved.parent.iterdir()] == ["pump.pkl"]


def test_the_error_of_a_damaged_pump_is_one_line(saved, monkeypatch):
    def fail(*_):
        raise ValueError("could not convert 'maj\nmin'")

    monkeypatch.setattr(pump._Unpickler, "load", fail)
    with pytest.raises(ModelError) as caught:
        pump.load(saved)
    assert "\n" not in str(caught.value) and str(saved) in str(caught.value)


def test_a_pump_with_transitions_and_dense_labels_loads(tmp_path):
    operators = pumpp.Pump(
        features.HCQT(dtype="float32"),
        tasks.ChordTags("other", vocab="3"),
        pumpp.feature.CQTMag("cqt"),
        pumpp.task.BeatTransformer("beat"),
        pumpp.task.ChordTagTransformer("dense"),
    )
    for name in ("other", "dense"):
        operators[name].set_transition(0.9)
    pump.save(operators, tmp_path / "p.pkl")
    loaded = pump.load(str(tmp_path / "p.pkl"))
    for name in ("other", "dense"):
        np.testing.assert_array_equal(
            loaded[name].transition, operators[name].transition
        )


def test_the_same_operators_are_the_same_bytes_in_any_process(saved, run_script):
    other = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    done = run_script(
        "-c",
        "import sys, pumpp; from crema import features, pump\n"
        "from crema.tasks import chord as tasks\n"
        "p = pumpp.Pump(features.HCQT(), tasks.ChordTags(), tasks.StructuredChord())\n"
        "pump.save(p, sys.argv[1])",
        saved.parent / "again.pkl",
        env={"PYTHONHASHSEED": other},
    )
    assert done.returncode == 0, done.stderr
    digests = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in saved.parent.glob("*.pkl")
    }
    assert len(digests) == 1


def refused(path):
    with pytest.raises(ModelError) as caught:
        pump.load(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text
    return text


def test_files_that_are_no_pump(tmp_path, saved):
    assert "make it with 01-prepare.py --pump-only" in refused(tmp_path / "missing.pkl")
    assert "cannot be read" in refused(tmp_path)
    whole = saved.read_bytes()
    for content in (b"", b"text", whole[:60], whole[:-1], whole[len(whole) // 2 :]):
        saved.write_bytes(content)
        assert "is not a usable pump" in refused(saved)
    for value in (1, [1.5], features.HCQT()):
        saved.write_bytes(pickle.dumps(value))
        assert "does not contain a pump" in refused(saved)


def test_a_pump_of_another_format_says_so(saved, monkeypatch):
    # Other readers still see a plain pickle, and without a number the format is 1.
    assert type(pickle.loads(saved.read_bytes())) is pumpp.Pump
    numbered = saved.read_bytes()
    saved.write_bytes(pickle.dumps(chord_pump()))
    assert pump.load(saved).fields == chord_pump().fields
    monkeypatch.setattr(stored, "FORMAT", 2)
    for content in (saved.read_bytes(), numbered):
        saved.write_bytes(content)
        text = refused(saved)
        assert "an older version of crema" in text and text.endswith(
            "run prepare again"
        )
    # A file of the next format need not unpickle here.
    saved.write_bytes(b"unknown\ncrema format 3\n")
    text = refused(saved)
    assert "a newer version of crema" in text and text.endswith("update crema")
    pump.save(chord_pump(), saved)
    assert pump.load(saved).fields == chord_pump().fields
    monkeypatch.undo()
    assert "a newer version of crema" in refused(saved)


def call(module, name, *args):
    """Return a pickle that calls ``module.name(*args)``."""
    packed = pickle.dumps(args, protocol=2)[2:-1]
    return (
        b"\x80\x04"
        + b"".join(
            b"\x8c" + bytes([len(text.encode())]) + text.encode()
            for text in (module, name)
        )
        + b"\x93"
        + packed
        + b"R."
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("subprocess", "getoutput"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        # Names that our modules and pumpp's import are not allowed.
        ("crema.features", "ConfigError"),
        ("crema.features", "librosa"),
        ("crema.features", "Dotted"),
        ("crema.tasks.chord", "pumpp"),
        ("crema.tasks.chord", "segments"),
        ("crema.pump", "pickle.loads"),
        ("crema.pump", "io.open"),
        ("pumpp.core", "jams"),
        ("pumpp.core", "jams.core.os.system"),
        ("pumpp.core", "librosa"),
        ("pumpp.task.chord", "mir_eval"),
        ("pumpp.task.chord", "BaseTaskTransformer"),
        ("pumpp.labels", "defaultdict"),
        # Neither are their functions.
        ("crema.pump", "load"),
        ("crema.segments", "best_path"),
        ("pumpp.task.chord", "_pad_nochord"),
        ("pumpp.core", "Pump.transform"),
        ("pumpp.task.chord", "ChordTransformer.__init__.__globals__"),
        ("crema.pump", "_Unpickler"),
        ("crema.program", "main"),
        ("numpy", "load"),
        ("numpy.lib.npyio", "load"),
        ("nowhere", "nothing"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_not_run(tmp_path, module, name):
    path = tmp_path / "pump.pkl"
    path.write_bytes(call(module, name, f"touch {tmp_path}/ran"))
    assert f"{module}.{name} is not part of a pump" in refused(path)
    assert [file.name for file in tmp_path.iterdir()] == ["pump.pkl"]


class Malicious:
    def __init__(self, directory):
        self.directory = directory

    def __reduce__(self):
        return os.system, (f"touch {self.directory}/ran",)


def test_an_ordinary_malicious_pickle_would_run_and_is_refused(tmp_path):
    path = tmp_path / "pump.pkl"
    path.write_bytes(pickle.dumps(Malicious(tmp_path)))
    refused(path)
    assert not (tmp_path / "ran").exists()
    # Unpickling the same file does run its code, so the refusal above matters.
    pickle.loads(path.read_bytes())
    assert (tmp_path / "ran").exists()


def test_malice_inside_a_pump_is_refused(tmp_path):
    operators = chord_pump()
    operators.extra = Malicious(tmp_path)
    path = tmp_path / "pump.pkl"
    pump.save(operators, path)
    refused(path)
    assert not (tmp_path / "ran").exists()


def test_a_description_makes_the_same_pump():
    before = chord_pump()
    description = pump.to_json(before)
    after = pump.from_json(description, "pump.json")
    assert pump.to_json(after) == description
    assert list(after.fields) == list(before.fields)
    for name, field in before.fields.items():
        assert (after.fields[name].shape, after.fields[name].dtype) == (
            field.shape,
            field.dtype,
        )
    other = pumpp.Pump(features.LogMel(n_mels=45))
    assert pump.from_json(pump.to_json(other), "").fields["mel.mag"].shape[1] == 45


@pytest.mark.parametrize(
    "description",
    [
        [{"class": "os.system", "name": "true"}],
        [{"class": "crema.features.librosa", "name": "x"}],
        [{"class": "crema.features.to_levels", "magnitude": 1}],
        [{"class": "crema.features.HCQT", "tuning": 3}],
        [{"class": "crema.features.HCQT", "n_octaves": 0}],
        [{"name": "hcqt"}],
        [{"class": 3}],
        "hcqt",
        None,
    ],
)
def test_a_description_names_operators_of_ours_alone(description):
    with pytest.raises(ModelError, match=r"here/pump\.json"):
        pump.from_json(description, "here/pump.json")
