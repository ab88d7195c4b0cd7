"""The constant-Q transform equals that of librosa."""

import numpy as np
import pytest

from crema import constantq
from crema.compiled import librosa

SR, C1 = 22050, librosa.note_to_hz("C1")


def both(y, hop, octaves, bins):
    """Return our magnitudes and librosa's, in dB below the loudest."""
    theirs = librosa.cqt(
        y,
        sr=SR,
        hop_length=hop,
        fmin=C1,
        n_bins=octaves * bins,
        bins_per_octave=bins,
    )
    n_frames = theirs.shape[1]
    ours = constantq.magnitudes(y, SR, hop, C1, octaves, bins, n_frames)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    both = ours, np.abs(theirs)
    return [librosa.amplitude_to_db(one, ref=both[1].max(), top_db=80) for one in both]


@pytest.mark.parametrize(
    ("hop", "octaves", "bins"),
    [(64, 7, 12), (1024, 7, 36), (1760, 6, 36), (96, 6, 24), (2048, 5, 36)],
)
def test_it_is_that_of_librosa(hop, octaves, bins):
    y = np.random.default_rng(0).standard_normal(4 * SR).astype(np.float32)
    y[SR : 2 * SR] *= 1e-3
    ours, theirs = both(y, hop, octaves, bins)
    assert theirs.min() < -60
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@pytest.mark.parametrize("samples", [1, 100, 5000])
def test_audio_shorter_than_a_window(samples):
    y = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    ours, theirs = both(y, 64, 7, 12)
    assert ours.shape == (84, 1 + samples // 64)
    np.testing.assert_allclose(ours, theirs, atol=0.05)


def test_frames_do_not_depend_on_the_block_that_they_are_in(monkeypatch):
    y = np.random.default_rng(0).standard_normal(SR).astype(np.float32)
    whole = constantq.magnitudes(y, SR, 512, C1, 7, 36, 44)
    monkeypatch.setattr(constantq, "BLOCK", 7)
    np.testing.assert_allclose(
        constantq.magnitudes(y, SR, 512, C1, 7, 36, 44), whole, rtol=1e-3, atol=1e-5
    )


def test_beyond_the_end_is_silence():
    y = np.ones(100, dtype=np.float32)
    assert constantq.magnitudes(y, SR, 64, C1, 1, 12, 0).shape == (12, 0)
    far = constantq.magnitudes(y, SR, 64, C1, 1, 12, 1000)
    assert far.shape == (12, 1000) and (far[:, -1] == 0).all()
