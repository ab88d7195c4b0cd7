"""Mix stems to one recording: levels, effects, tuning, room, noise, codec.

Every effect is a function ``effect(y, sample_rate, rng)`` that draws its own settings
and preserves length and timing (a test checks each).  :data:`TRAINING` gives the
probability of each effect in training recordings.  :data:`TEST` has others, apart from
:func:`level`, so that tests use effects that do not occur in training.

muda's deformers make copies of an annotated track; these effects shape the original.
They use pedalboard, which is already required for pitch shifting.
"""

import io

import numpy as np

from crema.corpus.arrange import Stem
from crema.corpus.render import PEAK, render
from crema.corpus.voice import sing
from crema.samples import fix_length

#: Lowest and highest level of the stems in dB.
LEVELS = {
    "chords": (-6, 0),
    "melody": (-4, 3),
    "voice": (-3, 5),
    "bass": (-6, 1),
    "guitar": (-8, 0),
    "pad": (-14, -6),
    "drums": (-6, 4),
}
#: Standard deviation and limit of detuning in cents; half of the pieces are in tune.
TUNING, OUT_OF_TUNE = 20, 50
#: Probability that a stem draws a soundfont of its own.
OWN_FONT = 0.25
#: Shortest and longest time after the last note, in seconds.
TAIL = (1.5, 4.0)


def record(stems, soundfonts, sample_rate, rng, effects):
    """Render, mix and master stems.

    Parameters
    ----------
    stems : list of Stem
        Stems returned by :func:`crema.corpus.arrange.arrange`.
    soundfonts : dict of str to list of path-like
        Soundfonts by name of the stem; the key None is for all other stems.  These
        share one drawn for the piece, except that some draw their own.
    sample_rate : int
        Samples per second of the result.
    rng : np.random.Generator
        Draws all random settings.
    effects : sequence of (float, callable)
        :data:`TRAINING` or :data:`TEST`.

    Returns
    -------
    y : np.ndarray, shape=(samples,), dtype=float32
        Mono audio.
    settings : dict
        The values drawn: ``soundfonts``, ``cents``, ``effects``.
    """
    import soxr

    cents = float(np.clip(rng.normal(scale=TUNING), -OUT_OF_TUNE, OUT_OF_TUNE))
    cents *= rng.random() < 0.5
    # Stretching the notes and then resampling shifts the pitch but not the timing.
    ratio = 2 ** (cents / 1200)
    stems = [_slower(stem, ratio) for stem in stems]
    end = max(note.end for s in stems for part in s.parts for note in part.notes)
    duration = end + rng.uniform(*TAIL)
    shared = soundfonts[None][rng.integers(len(soundfonts[None]))]
    mixed, fonts = 0.0, {}
    for stem in stems:
        choice = soundfonts.get(stem.name, soundfonts[None])
        own = choice[rng.integers(len(choice))]
        uses_own = stem.name in soundfonts or rng.random() < OWN_FONT
        fonts[stem.name] = own if uses_own else shared
        y = _sound(stem, fonts[stem.name], sample_rate, duration, rng)
        mixed = mixed + 10 ** (rng.uniform(*LEVELS[stem.name]) / 20) * y
    if ratio != 1:
        mixed = soxr.resample(mixed, sample_rate * ratio, sample_rate)
    y = _normalised(mixed)
    names = []
    for share, effect in effects:
        if rng.random() < share:
            y = effect(y, sample_rate, rng)
            names.append(effect.__name__)
    fonts = {name: font.name for name, font in fonts.items() if name != "voice"}
    return y, {"soundfonts": fonts, "cents": round(cents, 1), "effects": names}


def _slower(stem, ratio):
    parts = [
        part._replace(
            notes=[
                note._replace(start=note.start * ratio, end=note.end * ratio)
                for note in part.notes
            ]
        )
        for part in stem.parts
    ]
    return Stem(stem.name, parts)


def _sound(stem, soundfont, sample_rate, duration, rng):
    """Render one stem, scaled so that its loud frames have power 0.01."""
    if stem.name == "voice":
        notes = [note for part in stem.parts for note in part.notes]
        if rng.random() < 0.4:  # a male voice, an octave lower
            notes = [note._replace(pitch=note.pitch - 12) for note in notes]
        y = sing(notes, duration, sample_rate, rng)
    else:
        y = render(stem.parts, soundfont, sample_rate, duration)
    if stem.name == "guitar":
        y = amplifier(y, sample_rate, rng)
    frames = y[: len(y) // 1024 * 1024].reshape(-1, 1024)
    power = np.percentile(np.mean(frames**2, axis=1), 80) if len(frames) else 0
    return y * (0.1 / np.sqrt(power)) if power > 0 else y


def _normalised(y):
    peak = np.abs(y).max(initial=0)
    return (y * (PEAK / peak) if peak > 0 else y).astype(np.float32)


def _apply(y, sample_rate, *plugins):
    from pedalboard import Pedalboard

    return Pedalboard(list(plugins))(y[np.newaxis], sample_rate)[0]


def _decibels(rng, low, high):
    """Draw a gain in dB and return it as a factor."""
    return 10 ** (rng.uniform(low, high) / 20)


def amplifier(y, sample_rate, rng):
    """Distort like a guitar amplifier and its loudspeaker."""
    from pedalboard import Distortion, HighpassFilter, LowpassFilter

    plugins = (
        HighpassFilter(rng.uniform(70, 120)),
        Distortion(rng.uniform(15, 40)),
        LowpassFilter(rng.uniform(2500, 5000)),
        LowpassFilter(rng.uniform(3500, 6000)),
    )
    return _apply(y, sample_rate, *plugins)


def equaliser(y, sample_rate, rng):
    """Apply two shelving and two peak filters."""
    from pedalboard import HighShelfFilter, LowShelfFilter, PeakFilter

    bells = (
        PeakFilter(np.exp(rng.uniform(*np.log((150, 5000)))), rng.normal(0, 4), q)
        for q in rng.uniform(0.5, 2, size=2)
    )
    low = LowShelfFilter(rng.uniform(80, 300), rng.normal(0, 4))
    high = HighShelfFilter(rng.uniform(1500, 6000), rng.normal(0, 5))
    return _normalised(_apply(y, sample_rate, low, high, *bells))


def compressor(y, sample_rate, rng):
    """Compress, as in mastering."""
    from pedalboard import Compressor

    plugin = Compressor(
        rng.uniform(-35, -12),
        rng.uniform(2, 8),
        attack_ms=rng.uniform(1, 30),
        release_ms=rng.uniform(50, 400),
    )
    return _normalised(_apply(y, sample_rate, plugin))


def saturation(y, sample_rate, rng):
    """Overdrive a preamplifier."""
    from pedalboard import Distortion

    return _normalised(_apply(y, sample_rate, Distortion(rng.uniform(3, 18))))


def chorus(y, sample_rate, rng):
    """Add a slow chorus with a delay of a few milliseconds."""
    from pedalboard import Chorus

    plugin = Chorus(
        rate_hz=rng.uniform(0.2, 1.5),
        depth=rng.uniform(0.05, 0.2),
        centre_delay_ms=rng.uniform(4, 8),
        mix=rng.uniform(0.1, 0.4),
    )
    return _apply(y, sample_rate, plugin)


def reverb(y, sample_rate, rng):
    """Add reverberation with comb and all-pass filters."""
    from pedalboard import Reverb

    wet = rng.uniform(0.03, 0.35)
    plugin = Reverb(
        room_size=rng.uniform(0.1, 0.9),
        damping=rng.uniform(0.1, 0.9),
        wet_level=wet,
        dry_level=1 - wet,
    )
    return _normalised(_apply(y, sample_rate, plugin))


def narrow(y, sample_rate, rng):
    """Remove lows and highs, like a small loudspeaker or an old recording."""
    from pedalboard import HighpassFilter, LowpassFilter

    low = HighpassFilter(rng.uniform(60, 250))
    high = [LowpassFilter(cutoff) for cutoff in rng.uniform(2500, 8000, size=2)]
    return _normalised(_apply(y, sample_rate, low, *high))


def noise(y, sample_rate, rng):
    """Add white to brown noise, and sometimes mains hum."""
    from scipy.fft import next_fast_len

    # An FFT of arbitrary length can take seconds.
    n, longer = len(y), next_fast_len(len(y), real=True)
    spectrum = np.fft.rfft(rng.standard_normal(longer))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** rng.uniform(0, 1)
    spectrum[0] = 0
    added = np.fft.irfft(spectrum, longer)[:n]
    if rng.random() < 0.2:
        phase = 2 * np.pi * rng.choice((50, 60)) * np.arange(n) / sample_rate
        added += added.std() * (np.sin(phase) + 0.5 * np.sin(3 * phase))
    level = _decibels(rng, -50, -15) * y.std() / max(added.std(), 1e-12)
    return (y + level * added).astype(np.float32)


def mp3(y, sample_rate, rng):
    """Encode as MP3, down to very low bit rates."""
    from pedalboard import MP3Compressor

    return _apply(y, sample_rate, MP3Compressor(rng.uniform(2, 9.5)))


def clipping(y, sample_rate, rng):
    """Clip at full scale."""
    return np.clip(y * _decibels(rng, 3, 10), -1, 1)


def level(y, sample_rate, rng):
    """Lower the level."""
    return y * np.float32(_decibels(rng, -24, 0))


def hall(y, sample_rate, rng):
    """Add a room whose impulse response is exponentially decaying noise."""
    from scipy.signal import oaconvolve

    seconds = rng.uniform(0.3, 1.5)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    response = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    response *= times > rng.uniform(0.005, 0.03)
    response *= rng.uniform(0.2, 0.6) / np.sqrt(np.sum(response**2))
    response[0] = 1
    return _normalised(oaconvolve(y, response)[: len(y)])


def phaser(y, sample_rate, rng):
    """Add a slow phaser."""
    from pedalboard import Phaser

    return _apply(
        y, sample_rate, Phaser(rng.uniform(0.1, 1), mix=rng.uniform(0.1, 0.4))
    )


def vorbis(y, sample_rate, rng):
    """Encode as Ogg Vorbis at a low bit rate."""
    import soundfile

    buffer = io.BytesIO()
    quality = rng.uniform(0.4, 1)
    with soundfile.SoundFile(
        buffer, "w", sample_rate, 1, format="OGG", compression_level=quality
    ) as stream:
        # libsndfile overflows its stack if it encodes minutes of Vorbis at once.
        for block in np.array_split(y, len(y) // 65536 + 1):
            stream.write(block)
    buffer.seek(0)
    decoded = soundfile.read(buffer, dtype="float32")[0]
    return fix_length(decoded, len(y))


#: Probabilities and effects, in order of application.
TRAINING = (
    (0.15, chorus),
    (0.6, reverb),
    (0.6, equaliser),
    (0.5, compressor),
    (0.1, saturation),
    (0.15, narrow),
    (0.4, noise),
    (0.3, mp3),
    (0.05, clipping),
    (0.5, level),
)
TEST = ((0.5, hall), (0.2, phaser), (0.3, vorbis), (0.5, level))
