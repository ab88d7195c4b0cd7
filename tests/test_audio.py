"""Computations that the estimators share for one piece of audio."""

import concurrent.futures
import time
import warnings

import librosa
import numpy as np
import pytest

from crema import audio as module
from crema import features
from crema.audio import Audio
from crema.exceptions import AudioError, ConfigError
from crema.features import HCQT, LogMel

SR = 44100


def noise(seconds=2):
    draw = np.random.default_rng(0)
    return draw.uniform(-0.5, 0.5, seconds * SR).astype(np.float32)


def test_each_rate_is_resampled_once(monkeypatch):
    calls = []
    resample = module.samples.resample

    def counted(y, sample_rate, target):
        if sample_rate == SR:  # a transform halves the rate of its input
            calls.append(target)
        return resample(y, sample_rate, target)

    monkeypatch.setattr(module.samples, "resample", counted)
    audio = Audio(y=noise(), sr=SR)
    assert audio.duration == 2
    assert len(audio.at(SR)) == 2 * SR
    for _ in range(2):
        audio.features(HCQT("hcqt"))
        audio.features(LogMel("mel"))
        assert len(audio.at(22050)) == SR
        assert len(audio.at(8000)) == 16000
    assert calls == [22050, 8000]


def test_equal_operators_compute_once_and_others_do_not(monkeypatch):
    calls = []
    transform = HCQT.transform_audio

    def counted(self, y):
        calls.append(self.hop_length)
        return transform(self, y)

    monkeypatch.setattr(HCQT, "transform_audio", counted)
    audio = Audio(y=noise(), sr=SR)
    first = audio.features(HCQT("hcqt"))
    assert audio.features(HCQT("hcqt")) is first
    audio.features(HCQT("hcqt", hop_length=1024))
    assert list(audio.features(HCQT("other"))) == ["other.mag"]
    assert calls == [2048, 1024, 2048]


def test_features_are_those_that_training_saw():
    y = noise()
    for operator in (HCQT("hcqt"), LogMel("mel")):
        expected = operator.transform(y, SR)
        found = Audio(y=y, sr=SR).features(operator)
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)


def test_levels_of_a_tone_and_of_silence():
    t = np.arange(2 * 22050) / 22050
    tone = np.where(t < 1, np.sin(2 * np.pi * 1000 * t), 0)
    (levels,) = LogMel("mel").transform(tone, 22050)["mel.mag"]
    assert levels.dtype == np.uint8 and levels.shape == (200, 81)
    assert levels[50].max() == 255
    assert (levels[150:] == 0).all()
    assert (LogMel("mel").transform(np.zeros(22050), 22050)["mel.mag"] == 0).all()


def test_frames_are_centred_on_their_time():
    y = np.zeros(22050, np.float32)
    y[11000] = 1
    (levels,) = LogMel("mel").transform(y, 22050)["mel.mag"]
    assert levels.astype(int).sum(axis=1).argmax() == pytest.approx(50, abs=1)


def test_nothing_to_analyse():
    with pytest.raises(AudioError, match="nothing to analyse"):
        Audio()


@pytest.mark.parametrize(
    ("sr", "message"),
    [
        *((sr, "needs its sampling rate") for sr in (None, "44100", [SR], True)),
        *((sr, "Hz is not usable") for sr in (0, -1, 100, np.nan, np.inf)),
    ],
)
def test_a_sampling_rate_is_a_number(sr, message):
    with pytest.raises(AudioError, match=message):
        Audio(y=noise(), sr=sr)


@pytest.mark.parametrize("sr", [SR, float(SR), np.int64(SR), np.float32(SR)])
def test_a_number_may_be_of_any_type(sr):
    assert Audio(y=noise(), sr=sr).duration == 2


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_come_first(channels):
    y = np.tile(noise()[:, np.newaxis], channels)
    with pytest.raises(AudioError, match=r"give y\.T"):
        Audio(y=y, sr=SR)
    np.testing.assert_allclose(Audio(y=y.T, sr=SR).at(SR), noise(), atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 1100, 5000, 11025])
def test_short_audio_is_nothing_to_warn_of(n_samples):
    audio = Audio(y=noise()[:n_samples], sr=22050)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for operator in (HCQT("hcqt"), LogMel("mel")):
            audio.features(operator)


def test_blocks_are_as_the_whole():
    """More frames than a block holds, against librosa's own spectrogram."""
    draw = np.random.default_rng(1)
    y = draw.normal(0, 0.1, 50 * 22050).astype(np.float32)
    operator = LogMel("mel", dtype="float32")
    (found,) = operator.transform(y, 22050)["mel.mag"]
    assert len(found) > features.BLOCK
    power = librosa.feature.melspectrogram(
        y=y, sr=22050, n_fft=1024, hop_length=220, n_mels=81
    )
    expected = features.to_levels(np.sqrt(power), np.dtype("float32")).T[: len(found)]
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize(
    "option",
    [{"sr": 0}, {"hop_length": 0}, {"n_fft": 0}, {"n_mels": 8}],
)
def test_parameters_that_cannot_work(option):
    with pytest.raises(ConfigError, match="must be at least"):
        LogMel("mel", **option)


def test_threads_share_what_is_computed():
    audio, calls = Audio(y=np.zeros(1000, np.float32), sr=1000), []

    def compute():
        time.sleep(0.05)
        calls.append(None)
        return len(calls)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: audio.once("key", compute), range(4)))
    assert results == [1] * 4
