"""Mixing: effects keep the timing and have their effect, and stems are balanced."""

import librosa
import numpy as np
import pytest

from crema.corpus import mix, voice
from crema.corpus.arrange import Stem
from crema.corpus.render import DEFAULT_SOUNDFONT, Note, Part

SR = 22050
EFFECTS = [mix.amplifier, *(effect for _, effect in (*mix.TRAINING, *mix.TEST))]


@pytest.fixture(scope="module")
def plucks():
    """Twenty seconds of plucked tones at irregular times."""
    y = np.zeros(20 * SR, np.float32)
    rng = np.random.default_rng(0)
    tone = np.exp(-np.arange(4000) / 600) * np.sin(0.2 * np.arange(4000))
    for start in np.cumsum(rng.uniform(0.2, 0.8, size=36)):
        place = y[int(start * SR) :][:4000]
        place += 0.5 * tone[: len(place)].astype(np.float32)
    return y


def onsets(y):
    """Return the rise of the energy, every 16 samples."""
    energy = np.sqrt(np.convolve(y.astype(float) ** 2, np.ones(64), "same")[::16])
    return np.maximum(np.diff(energy), 0)


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_effects_change_the_sound_and_not_the_time(effect, seed, plucks):
    before = plucks.copy()
    y = effect(plucks, SR, np.random.default_rng(seed))
    assert np.array_equal(plucks, before)
    assert y.shape == plucks.shape and y.dtype == np.float32
    assert np.isfinite(y).all() and np.abs(y).max() <= 1.001
    assert not np.allclose(y, plucks, atol=1e-4)
    assert np.array_equal(y, effect(plucks, SR, np.random.default_rng(seed)))
    a, b = onsets(y), onsets(plucks)
    lags = np.fft.irfft(
        np.fft.rfft(a, 2 * len(a)) * np.conj(np.fft.rfft(b, 2 * len(b)))
    )
    lag = (np.argmax(lags) + len(a)) % (2 * len(a)) - len(a)
    assert abs(lag) * 16 / SR < 0.005


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_effects_bear_silence(effect):
    y = effect(np.zeros(SR, np.float32), SR, np.random.default_rng(0))
    assert y.shape == (SR,) and np.isfinite(y).all()


def test_test_effects_are_not_those_of_training():
    train, test = ({effect for _, effect in e} for e in (mix.TRAINING, mix.TEST))
    assert train & test == {mix.level}


def fundamental(y):
    f0, voiced, _ = librosa.pyin(y, fmin=100, fmax=800, sr=SR)
    return f0, voiced, librosa.times_like(f0, sr=SR)


MELODY = [Note(0.5 + i, 1.4 + i, 60 + 2 * i, 100) for i in range(5)]


@pytest.mark.parametrize("seed", range(3))
def test_the_voice_sings_the_notes(seed):
    y = voice.sing(MELODY, 6.0, SR, np.random.default_rng(seed))
    assert y.shape == (6 * SR,) and y.dtype == np.float32
    assert np.abs(y).max() == pytest.approx(1)
    f0, voiced, times = fundamental(y)
    for note in MELODY:
        inside = (times > note.start + 0.2) & (times < note.end - 0.05) & voiced
        assert inside.any()
        assert abs(np.median(librosa.hz_to_midi(f0[inside])) - note.pitch) < 0.35
    assert np.abs(y[: int(0.4 * SR)]).max() < 0.1
    assert np.abs(y[int(5.6 * SR) :]).max() < 0.1


def test_a_voice_sings_one_note_at_a_time():
    chord = [Note(0.0, 2.0, 60, 90), Note(0.01, 2.0, 67, 90), Note(1.0, 3.0, 72, 90)]
    sung = voice._melody(chord, 2.5)
    assert [(n.start, n.end, n.pitch) for n in sung] == [
        (0.01, 1.0, 67),
        (1.0, 2.5, 72),
    ]
    assert not voice.sing([], 1.0, SR, np.random.default_rng(0)).any()


STEMS = [
    Stem("chords", [Part(0, [Note(1.0, 2.0, 69, 90), Note(3.0, 4.0, 69, 90)])]),
    Stem("drums", [Part(0, [Note(i, i + 0.1, 36, 100) for i in range(1, 4)], True)]),
    Stem("guitar", [Part(30, [Note(1.0, 4.0, 45, 90)])]),
    Stem("voice", [Part(0, [Note(2.0, 3.0, 69, 90)])]),
]
FONTS = {None: [DEFAULT_SOUNDFONT]}


def test_a_mix_repeats_and_tells_what_was_drawn():
    def record(seed):
        return mix.record(STEMS, FONTS, SR, np.random.default_rng(seed), mix.TRAINING)

    (y, drawn), (again, _), (other, _) = record(3), record(3), record(4)
    assert np.array_equal(y, again)
    assert y.shape != other.shape or not np.allclose(y, other)
    assert y.dtype == np.float32 and 5.4 <= len(y) / SR <= 8.1
    assert set(drawn) == {"soundfonts", "cents", "effects"}
    assert set(drawn["soundfonts"]) == {"chords", "drums", "guitar"}
    assert set(drawn["effects"]) <= {effect.__name__ for _, effect in mix.TRAINING}


def test_detuned_music_is_not_late():
    seen = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y, drawn = mix.record(STEMS[:1], FONTS, SR, rng, ())
        start = np.argmax(np.abs(y) > 0.02) / SR
        assert start == pytest.approx(1.0, abs=0.01)
        part = y[int(3.2 * SR) : int(3.9 * SR)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18))
        near = slice(int(400 / SR * (1 << 18)), int(480 / SR * (1 << 18)))
        peak = (near.start + spectrum[near].argmax()) * SR / (1 << 18)
        assert 1200 * np.log2(peak / 440) == pytest.approx(drawn["cents"], abs=6)
        assert abs(drawn["cents"]) <= mix.OUT_OF_TUNE
        seen.append(drawn["cents"])
    assert 0 in seen and max(np.abs(seen)) > 10
