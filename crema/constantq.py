"""The constant-Q transform of librosa, in a third of the time."""

import numpy as np
import scipy.fft

from crema import samples
from crema.compiled import librosa

#: Frames computed at a time, to bound memory.
BLOCK = 1024


def magnitudes(y, sr, hop_length, fmin, n_octaves, bins_per_octave, n_frames):
    """Compute the magnitudes of a constant-Q transform.

    They equal those of :func:`librosa.cqt` with its defaults, up to rounding errors.
    As in librosa, the filters of the highest octave serve all octaves: the audio is
    downsampled by two for each octave below.  librosa multiplies the Fourier transform
    of each frame by sparse spectra of the filters; here each frame takes one dense
    product with the filters, which reads memory in order.

    Parameters
    ----------
    y : np.ndarray, shape=(n_samples,), dtype=float32
        Audio; before and after it is silence.
    sr : int
        Sampling rate of `y` in Hz.
    hop_length : int
        Samples between frames, a multiple of ``2 ** (n_octaves - 1)``; frame ``i`` is
        centred on sample ``i * hop_length``.
    fmin : float
        Frequency of the lowest bin, in Hz.
    n_octaves, bins_per_octave : int
        Number of octaves, and of bins in each.
    n_frames : int
        Number of frames to compute.

    Returns
    -------
    np.ndarray, shape=(n_octaves * bins_per_octave, n_frames), dtype=float32

    References
    ----------
    C. Schörkhuber and A. Klapuri, "Constant-Q transform toolbox for music processing",
    SMC 2010.
    """
    top = fmin * 2.0 ** (n_octaves - 1 + np.arange(bins_per_octave) / bins_per_octave)
    # A lower rate suffices if the highest bin is far below the Nyquist frequency.
    cutoff, halved = librosa.filters.wavelet_lengths(freqs=top, sr=sr)[1], 0
    while sr > 8 * cutoff * 2**halved and hop_length % 2 ** (n_octaves + halved) == 0:
        halved += 1
    if halved:
        y = samples.resample(y, 2**halved, 1)
    bank = filters(top, sr / 2**halved)
    magnitude = np.empty((n_octaves * bins_per_octave, n_frames), dtype=np.float32)
    for down, octave in enumerate(reversed(np.split(magnitude, n_octaves)), halved):
        if down > halved:
            y = samples.resample(y, 2, 1)
        gain = 2 ** (down / 2)  # root of the filters' length ratio at the full rate
        for start in range(0, n_frames, BLOCK):
            stop = min(start + BLOCK, n_frames)
            response = frames(y, hop_length >> down, len(bank), start, stop) @ bank
            real, imaginary = np.split(response, 2, axis=1)
            octave[:, start:stop] = gain * np.hypot(real, imaginary).T
    return magnitude


def filters(frequencies, sr):
    """Return the filters of an octave.

    Parameters
    ----------
    frequencies : np.ndarray, shape=(n_bins,)
        Centre frequencies of the bins in Hz.
    sr : int
        Sampling rate in Hz.

    Returns
    -------
    np.ndarray, shape=(n_samples, 2 * n_bins), dtype=float32
        The real parts of all filters, then the imaginary parts.
    """
    wavelets, lengths = librosa.filters.wavelet(freqs=frequencies, sr=sr, gamma=0)
    size = wavelets.shape[1]
    wavelets *= np.sqrt(lengths)[:, np.newaxis] / size
    # librosa zeroes small values of a spectrum to make it sparse.  Near silence this
    # shows, so they are zeroed here too.
    spectra = scipy.fft.fft(wavelets)[:, : size // 2 + 1]
    spectra = librosa.util.sparsify_rows(spectra, quantile=0.01).toarray()
    # Filters of a frame's samples instead of its spectrum.
    bank = scipy.fft.fft(spectra, n=size).T
    return np.hstack([bank.real, bank.imag]).astype(np.float32)


def frames(y, hop_length, size, start, stop):
    """Return the frames `start` to `stop` of audio, shape=(stop - start, size)."""
    first = start * hop_length - size // 2
    last = (stop - 1) * hop_length + size - size // 2
    silence = max(0, -first), max(0, last - len(y))
    part = np.pad(y[max(0, first) : last], silence)[: last - first]
    windows = np.lib.stride_tricks.sliding_window_view(part, size)[::hop_length]
    return np.ascontiguousarray(windows)
