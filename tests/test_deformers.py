"""Pitch shift and time stretch: the labels still match the audio."""

import itertools

import jams
import mir_eval
import muda
import numpy as np
import pytest

from crema.deformers import PitchShift, TimeStretch, shift_pitch, stretch_time
from crema.exceptions import ConfigError
from crema.notes import PITCH_CLASSES, transpose

SR = 22050
SEMITONES = (-6, -1, 1, 5)


def tone(frequency, seconds=2.0, sr=SR):
    t = np.arange(round(seconds * sr)) / sr
    return (0.3 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def copies(jam, semitones, y=None):
    """Return the deformed copies of `jam`, all at once."""
    y = np.zeros(SR, np.float32) if y is None else y
    jam.file_metadata.duration = len(y) / SR
    muda.jam_pack(jam, _audio={"y": y, "sr": SR})
    return list(PitchShift(semitones).transform(jam))


def annotated(namespace, *values):
    jam = jams.JAMS()
    annotation = jams.Annotation(namespace, time=0, duration=len(values))
    for time, value in enumerate(values):
        annotation.append(time, 1, value, 0.5)
    jam.annotations.append(annotation)
    return jam


# --- labels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "semitones", "expected"),
    [
        ("C:maj", 3, "Eb:maj"),
        ("C", 1, "Db"),
        ("F#:min7/b3", 1, "G:min7/b3"),
        ("Bb:maj7(9)/5", 2, "C:maj7(9)/5"),
        ("B:sus4", 1, "C:sus4"),
        ("C:7/b7", -1, "B:7/b7"),
        ("Cb:maj", 0, "B:maj"),
        ("E#:dim", 0, "F:dim"),
        ("Gbb:min", 0, "F:min"),
        ("F##:min", 0, "G:min"),
        ("A:(1,b3,5)", 12, "A:(1,b3,5)"),
        ("Db:hdim7", -25, "C:hdim7"),
        ("N", 5, "N"),
        ("X", -5, "X"),
        ("Gb:minor", -6, "C:minor"),
        ("D:dorian", 4, "Gb:dorian"),
        ("", 1, ""),
    ],
)
def test_labels(label, semitones, expected):
    assert transpose(label, semitones) == expected


def test_every_chord_moves_by_so_many_semitones():
    roots = [f"{n}{a}" for n in "ABCDEFG" for a in ("", "b", "#", "bb", "##")]
    suffixes = ("", ":maj", ":min7/b3", ":sus4(b7)", "/5")
    for root, suffix, n in itertools.product(roots, suffixes, range(-12, 13)):
        moved = transpose(root + suffix, n)
        assert moved.isascii()
        before, after = (
            mir_eval.chord.encode(root + suffix),
            mir_eval.chord.encode(moved),
        )
        assert after[0] == (before[0] + n) % 12
        np.testing.assert_array_equal(after[1], before[1])
        assert after[2] == before[2]


def test_twelve_spellings():
    assert [transpose("C", n) for n in range(12)] == list(PITCH_CLASSES)


# --- annotations ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("namespace", "value", "expected"),
    [
        ("chord", "F#:min7/b3", "A:min7/b3"),
        ("chord", "N", "N"),
        ("chord_harte", "Bb:maj", "Db:maj"),
        ("chord_roman", {"tonic": "C", "chord": "V7"}, {"tonic": "Eb", "chord": "V7"}),
        ("key_mode", "Gb:minor", "A:minor"),
        ("key_mode", "N", "N"),
        ("pitch_class", {"tonic": "A", "pitch": 3}, {"tonic": "C", "pitch": 3}),
        ("note_midi", 60.0, 63.0),
        ("note_hz", 440.0, 523.2511306),
        ("pitch_midi", 60.0, 63.0),
        ("pitch_hz", 440.0, 523.2511306),
        (
            "pitch_contour",
            {"index": 0, "frequency": 440.0, "voiced": True},
            {"index": 0, "frequency": 523.2511306, "voiced": True},
        ),
        ("beat", 2, 2),
        ("tempo", 120.0, 120.0),
        ("segment_open", "A", "A"),
    ],
)
def test_what_has_a_pitch_is_transposed(namespace, value, expected):
    (copy,) = copies(annotated(namespace, value), [3])
    assert copy.validate(strict=True)
    (annotation,) = copy.annotations
    (observation,) = annotation
    assert (observation.time, observation.duration) == (0, 1)
    assert observation.confidence == 0.5
    if isinstance(value, dict):
        assert observation.value.keys() == expected.keys()
        for key, part in expected.items():
            assert observation.value[key] == (
                pytest.approx(part) if isinstance(part, float) else part
            )
    else:
        assert observation.value == (
            pytest.approx(expected) if isinstance(expected, float) else expected
        )


def test_every_annotation_of_a_track_is_transposed():
    jam = annotated("chord", "C:maj", "G:7")
    jam.annotations.append(annotated("chord", "A:min").annotations[0])
    jam.annotations.append(annotated("key_mode", "C:major").annotations[0])
    (copy,) = copies(jam, [-2])
    values = [[o.value for o in annotation] for annotation in copy.annotations]
    assert values == [["Bb:maj", "F:7"], ["G:min"], ["Bb:major"]]
    original = [[o.value for o in annotation] for annotation in jam.annotations]
    assert original == [["C:maj", "G:7"], ["A:min"], ["C:major"]]


def test_each_copy_keeps_its_own_state():
    """All copies exist before any is checked: none may share its state."""
    found = copies(annotated("chord", "C:maj"), [-1, 0, 2])
    histories = [copy.sandbox.muda.history for copy in found]
    assert [len(history) for history in histories] == [1, 1, 1]
    assert [h[0]["state"]["n_semitones"] for h in histories] == [-1, 0, 2]
    values = [copy.annotations[0].data[0].value for copy in found]
    assert values == ["B:maj", "C:maj", "D:maj"]


@pytest.mark.parametrize("semitones", [3, (3,), np.array([3]), [np.int64(3)]])
def test_one_or_many_semitones(semitones):
    (copy,) = copies(annotated("chord", "C:maj"), semitones)
    state = copy.sandbox.muda.history[0]["state"]
    assert state == {"tuning": 0.0, "n_semitones": 3}
    assert type(state["n_semitones"]) is int


# --- audio ----------------------------------------------------------------------------


def peak(y, sr=SR):
    """Return the frequency with the most energy, to a few cents."""
    n = 1 << 19
    y = y[sr // 5 : -sr // 5]
    return np.argmax(np.abs(np.fft.rfft(y * np.hanning(len(y)), n))) * sr / n


@pytest.mark.parametrize("semitones", SEMITONES)
@pytest.mark.parametrize("frequency", [65.4, 110.0, 220.0, 440.0, 1760.0])
def test_a_tone_moves_by_so_many_semitones(frequency, semitones):
    y = shift_pitch(tone(frequency), SR, semitones)
    assert y.dtype == np.float32 and y.shape == (2 * SR,)
    cents = 1200 * np.log2(peak(y) / frequency) - 100 * semitones
    assert abs(cents) < 10


@pytest.mark.parametrize("semitones", SEMITONES)
@pytest.mark.parametrize("frequency", [65.4, 110.0, 220.0])
def test_a_plucked_note_moves_by_so_many_semitones(frequency, semitones):
    """Nearly all energy near its fundamental moves along."""
    t = np.arange(2 * SR) / SR
    partials = [np.sin(2 * np.pi * frequency * k * t) / k for k in range(1, 8)]
    y = (0.2 * np.sum(partials, axis=0) * np.exp(-1.5 * t)).astype(np.float32)
    y = shift_pitch(y, SR, semitones)[SR // 5 :]
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)), 1 << 17)) ** 2
    cents = np.fft.rfftfreq(1 << 17, 1 / SR)[1:] / (frequency * 2 ** (semitones / 12))
    cents = np.abs(1200 * np.log2(cents))
    assert power[1:][cents < 50].sum() > 0.9 * power[1:][cents < 350].sum()


@pytest.mark.parametrize("sr", [22050, 44100])
@pytest.mark.parametrize("semitones", SEMITONES)
def test_time_stays_as_it_is(sr, semitones):
    y = np.zeros(sr, np.float32)
    y[sr // 2 : sr // 2 + 100] = 0.9
    shifted = shift_pitch(y, sr, semitones)
    energy = np.cumsum(shifted**2)
    onset = np.searchsorted(energy, energy[-1] / 2) / sr
    assert len(shifted) == sr and onset == pytest.approx(0.5, abs=0.025)


def test_no_shift_is_an_exact_copy():
    y = tone(440)
    same = shift_pitch(y, SR, 0)
    np.testing.assert_array_equal(same, y)
    same[0] = 1
    assert y[0] == 0


@pytest.mark.parametrize("samples", [0, 1, 100, 5000])
@pytest.mark.parametrize("semitones", [-6, 5])
def test_the_shortest_audio(samples, semitones):
    shifted = shift_pitch(tone(440)[:samples], SR, semitones)
    assert shifted.shape == (samples,) and np.isfinite(shifted).all()


def test_silence_stays_silent():
    assert not shift_pitch(np.zeros(SR, np.float32), SR, 4).any()


def test_the_same_audio_gives_the_same_samples():
    y = tone(330) + np.random.default_rng(0).normal(0, 0.05, 2 * SR).astype(np.float32)
    np.testing.assert_array_equal(shift_pitch(y, SR, 3), shift_pitch(y.copy(), SR, 3))


# --- time stretch ---------------------------------------------------------------------


def clicks(rate, seconds=20):
    """Return audio with a tone burst each half second, and the onset times."""
    times = np.arange(1, seconds - 1, 0.5)
    burst = tone(440, 0.15, rate) * np.exp(-np.arange(round(0.15 * rate)) / 0.03 / rate)
    y = np.zeros(seconds * rate, np.float32)
    for time in times:
        y[round(time * rate) :][: len(burst)] += burst
    return y, times


def onset(y, rate, time):
    """Return the onset of the sound near `time`."""
    first, width = round((time - 0.05) * rate), round(0.1 * rate)
    window = np.abs(y[first : first + width])
    return (first + np.argmax(window > 0.3 * window.max())) / rate


@pytest.mark.parametrize("rate", [0.794, 0.891, 1.122, 1.26])
@pytest.mark.parametrize("sr", [22050, 44100, 48000])
def test_events_are_where_the_annotation_says(sr, rate):
    y, times = clicks(sr)
    jam = annotated("beat", *([1] * len(times)))
    jam.annotations[0].pop_data()
    for time in times:
        jam.annotations[0].append(float(time), 0, 1, None)
    jam.file_metadata.duration = len(y) / sr
    muda.jam_pack(jam, _audio={"y": y, "sr": sr})
    (copy,) = TimeStretch([rate]).transform(jam)
    stretched = copy.sandbox.muda._audio["y"]
    assert len(stretched) == round(len(y) / rate)
    assert copy.file_metadata.duration == pytest.approx(len(y) / sr / rate)
    expected = [observation.time for observation in copy.annotations[0]]
    np.testing.assert_allclose(expected, times / rate)
    before = np.asarray([onset(y, sr, time) - time for time in times])
    after = np.asarray([onset(stretched, sr, time) - time for time in expected])
    assert abs(np.median(after - before)) < 0.002


def test_tempo_is_multiplied():
    jam = annotated("tempo", 120.0)
    jam.file_metadata.duration = 1.0
    muda.jam_pack(jam, _audio={"y": np.zeros(SR, np.float32), "sr": SR})
    slow, fast = TimeStretch([0.5, 2]).transform(jam)
    values = [copy.annotations[0].data[0].value for copy in (slow, fast)]
    assert values == [60.0, 240.0]


def test_pitch_stays_as_it_is():
    y = tone(440, 4.0)
    spectrum = np.abs(np.fft.rfft(stretch_time(y, SR, 0.8)))
    found = np.argmax(spectrum) * SR / (2 * (len(spectrum) - 1))
    # To a third of a semitone: onsets matter more here than steady tones.
    assert found == pytest.approx(440, rel=0.02)


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_the_shortest_audio_can_be_stretched(samples):
    assert len(stretch_time(np.zeros(samples, np.float32), SR, 0.5)) == 2 * samples


def test_a_rate_must_be_positive():
    with pytest.raises(ConfigError, match="must be positive"):
        TimeStretch([1.2, 0])
