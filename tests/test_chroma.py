"""Chroma: one frame per hop, at any rate and length."""

import warnings

import numpy as np
import pytest

from crema import chroma


@pytest.mark.parametrize(("sr", "seconds"), [(44100, 3), (8000, 3), (44100, 0.1)])
def test_chroma_has_a_frame_each_hop_at_any_rate_and_length(sr, seconds):
    y = np.sin(2 * np.pi * 440 * np.arange(int(sr * seconds)) / sr).astype(np.float32)
    found = chroma.chromagram(y, sr, norm=np.inf)
    assert found.shape == (12, 1 + int(max(1, seconds) / chroma.FRAME))
    assert found[:, 0].argmax() == 9 and found.max() == pytest.approx(1)
    assert chroma.chromagram(y, sr).max() != pytest.approx(1)


def test_long_audio_is_computed_in_blocks(monkeypatch):
    draw = np.random.default_rng(0)
    tones = 220 * 2 ** (draw.integers(0, 12, 20) / 12)
    phase = np.cumsum(np.repeat(tones, chroma.RATE)) / chroma.RATE
    y = np.sin(2 * np.pi * phase).astype(np.float32)
    whole = chroma.chromagram(y, chroma.RATE, norm=np.inf)
    monkeypatch.setattr(chroma, "BLOCK", 6)
    blocks = chroma.chromagram(y, chroma.RATE, norm=np.inf)
    assert blocks.shape == whole.shape
    assert (blocks.argmax(axis=0) == whole.argmax(axis=0)).mean() > 0.98


def test_silence_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert not chroma.chromagram(np.zeros(chroma.RATE), chroma.RATE).any()
