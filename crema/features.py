"""Feature extractors, which compute the inputs of models.

Log magnitudes are stored as 8-bit levels over 80 dB, a quarter of the size of float32.
"""

import numpy as np
import scipy.ndimage
import scipy.signal

from crema import constantq
from crema.compiled import librosa, pumpp
from crema.exceptions import ConfigError
from crema.pump import Dotted

#: Range of the log magnitudes, in dB below the loudest value of the track.
DYNAMIC_RANGE = 80.0
#: Magnitudes up to this are silence, as in librosa.
SILENCE = 1e-5
#: Highest level of a feature; ``level / LEVELS * DYNAMIC_RANGE - DYNAMIC_RANGE`` is dB.
LEVELS = 255
#: Frames computed at a time, to bound memory.
BLOCK = 4096


class HCQT(Dotted, pumpp.feature.HCQTMag):
    """Log-magnitude harmonic constant-Q transform in 8-bit levels.

    The harmonics share one transform: harmonic ``2 ** k`` is the same filter bank ``k``
    octaves up, so ``n_octaves`` plus the largest ``k`` octaves are computed once and
    sliced.  As in :class:`pumpp.feature.HCQTMag`, each harmonic is in dB below its own
    maximum.

    Parameters
    ----------
    name : str
        Prefix of the field ``name.mag``, shape ``(None, bins, harmonics)``.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames; times `hold`, a multiple of
        ``over_time * 2 ** (n_octaves - 1 + k)``, with ``2 ** k`` the highest harmonic.
    n_octaves : int
        Octaves per harmonic, up from C1 (32.7 Hz).
    over_sample : int
        Bins per semitone.
    harmonics : sequence of int
        Powers of two.
    hold : int
        Frames for which each value is repeated (a step): harmony changes more slowly
        than beats, and a network that uses both needs them at one frame rate.
    over_time : int
        Transforms per step.  The windows of high bins are much shorter than a step, so
        a single transform misses most of the audio between two steps.  With several,
        each value is the mean, in dB, of those less than a step away, weighted by a
        triangular window.
    dtype : {'uint8', 'float32'}
        Whether levels are rounded to integers, as they are stored and trained on.

    References
    ----------
    R. M. Bittner et al., "Deep salience representations for F0 estimation in
    polyphonic music", ISMIR 2017.
    """

    over_time = 1  # for a pump.pkl from before this parameter existed

    def __init__(
        self,
        name="hcqt",
        sr=22050,
        hop_length=2048,
        n_octaves=6,
        over_sample=3,
        harmonics=(1, 2),
        hold=1,
        over_time=1,
        dtype="uint8",
    ):
        super().__init__(
            name,
            sr,
            hop_length,
            n_octaves=n_octaves,
            over_sample=over_sample,
            harmonics=harmonics,
            log=True,
            dtype=dtype,
        )
        for option, value in (
            ("hop_length", hop_length),
            ("octaves", n_octaves),
            ("bins_per_semitone", over_sample),
            ("hold", hold),
            ("over_time", over_time),
        ):
            if value < 1:
                raise ConfigError(f"{option} {value} must be at least 1")
        if any(h & (h - 1) for h in self.harmonics):
            raise ConfigError(f"harmonics {harmonics} must be powers of two")
        octaves = n_octaves + max(harmonics).bit_length() - 1
        self.hold, self.over_time = hold, over_time
        least = over_time * 2 ** (octaves - 1)
        if self.step % least:
            held = f" times hold {hold}" if hold > 1 else ""
            raise ConfigError(
                f"hop_length {hop_length}{held} must be a multiple of {least} for a "
                f"transform of {octaves} octaves"
            )
        if 2.0**octaves * self.fmin * 1.05 > sr / 2:
            raise ConfigError(
                f"sample_rate {sr} is too low for octaves {n_octaves} from C1 and "
                f"their harmonic {max(harmonics)}; it must be at least "
                f"{2.1 * 2**octaves * self.fmin:.0f}"
            )

    @property
    def step(self):
        """Samples between two computed values."""
        return self.hop_length * self.hold

    def transform_audio(self, y):
        """Compute the transform.

        Parameters
        ----------
        y : np.ndarray, shape=(n_samples,)
            Audio at this operator's sampling rate.

        Returns
        -------
        data : dict
            ``data['mag']`` : np.ndarray, shape=(n_frames, n_bins, n_harmonics)
        """
        bins = 12 * self.over_sample
        octaves = [h.bit_length() - 1 for h in self.harmonics]
        n_frames = self.n_frames(librosa.get_duration(y=y, sr=self.sr))
        size = -(-n_frames // self.hold)
        magnitude = constantq.magnitudes(
            y,
            self.sr,
            self.step // self.over_time,
            self.fmin,
            self.n_octaves + max(octaves),
            bins,
            size * self.over_time,
        )
        levels = [
            self.mean(magnitude[bins * k : bins * (k + self.n_octaves)])
            for k in octaves
        ]
        values = np.stack(levels, axis=-1).swapaxes(0, 1)
        return {"mag": np.repeat(values, self.hold, axis=0)[:n_frames]}

    def mean(self, magnitude):
        """Return the levels of each step, averaged over its transforms."""
        if self.over_time == 1:
            return to_levels(magnitude, self.dtype)
        window = scipy.signal.windows.triang(2 * self.over_time - 1) / self.over_time
        levels = to_levels(magnitude, np.dtype(np.float32))
        mean = scipy.ndimage.correlate1d(levels, window, axis=-1, mode="nearest")
        mean = mean[:, :: self.over_time]
        whole = np.issubdtype(self.dtype, np.integer)
        return (np.rint(mean) if whole else mean).astype(self.dtype)


class LogMel(Dotted, pumpp.feature.Mel):
    """Log-magnitude mel spectrogram in 8-bit levels.

    Parameters
    ----------
    name : str
        Prefix of the field ``name.mag``, shape ``(None, n_mels)``.
    sr : int
        Sampling rate of the analysis, in Hz.
    hop_length : int
        Samples between frames; frame ``i`` is centred on sample ``i * hop_length``.
    n_fft : int
        Length of the window in samples.
    n_mels : int
        Mel bands between 0 Hz and the Nyquist frequency.
    dtype : {'uint8', 'float32'}
        Whether levels are rounded to integers, as they are stored and trained on.
    """

    def __init__(
        self,
        name="mel",
        sr=22050,
        hop_length=220,
        n_fft=1024,
        n_mels=81,
        dtype="uint8",
    ):
        super().__init__(
            name, sr, hop_length, n_fft=n_fft, n_mels=n_mels, log=True, dtype=dtype
        )
        for option, value, least in (
            ("sample_rate", sr, 8000),
            ("hop_length", hop_length, 1),
            ("window", n_fft, 64),
            ("mel_bands", n_mels, 9),
        ):
            if value < least:
                raise ConfigError(f"{option} {value} must be at least {least}")

    def transform_audio(self, y):
        """Compute the spectrogram.

        Parameters
        ----------
        y : np.ndarray, shape=(n_samples,)
            Audio at this operator's sampling rate.

        Returns
        -------
        data : dict
            ``data['mag']`` : np.ndarray, shape=(n_frames, n_mels)
        """
        n_fft, hop = self.n_fft, self.hop_length
        filters = librosa.filters.mel(sr=self.sr, n_fft=n_fft, n_mels=self.n_mels)
        padded = np.pad(y, n_fft // 2)
        n_frames = self.n_frames(librosa.get_duration(y=y, sr=self.sr))
        magnitude = np.zeros((self.n_mels, n_frames), dtype=np.float32)
        # In blocks, because a spectrum is ten times as large as its mel bands.
        for start in range(0, n_frames, BLOCK):
            stop = min(start + BLOCK, n_frames)
            part = padded[start * hop : (stop - 1) * hop + n_fft]
            spectrum = librosa.stft(part, n_fft=n_fft, hop_length=hop, center=False)
            magnitude[:, start:stop] = np.sqrt(filters @ np.abs(spectrum) ** 2)
        return {"mag": to_levels(magnitude, self.dtype).T}


def to_levels(magnitude, dtype):
    """Map magnitudes to levels.

    Parameters
    ----------
    magnitude : np.ndarray
        Magnitudes of a whole track.
    dtype : np.dtype
        Levels are rounded if it is an integer type.

    Returns
    -------
    np.ndarray
        255 for the maximum, 0 for 80 dB or more below it, linear in dB between.
    """
    if not magnitude.size:
        return magnitude.astype(dtype)
    loudest = magnitude.max()
    levels = np.empty(magnitude.shape, dtype)
    # In blocks, because decibels take several times the memory of the magnitudes.
    for start in range(0, magnitude.shape[-1], BLOCK):
        part = magnitude[..., start : start + BLOCK]
        decibels = librosa.amplitude_to_db(part, ref=loudest, top_db=None)
        decibels = np.maximum(decibels, -DYNAMIC_RANGE)
        # In a silent track, the maximum itself is silence and must have level 0.
        decibels[part <= SILENCE] = -DYNAMIC_RANGE
        scaled = (decibels + DYNAMIC_RANGE) * (LEVELS / DYNAMIC_RANGE)
        if np.issubdtype(dtype, np.integer):
            scaled = np.rint(scaled)
        levels[..., start : start + BLOCK] = scaled
    return levels
