"""Render notes with a SoundFont, in process and without system packages.

A piece is a list of :class:`Part` objects, each with a General MIDI instrument and its
notes in seconds.  :func:`render` plays them through a SoundFont 2 bank:

>>> from crema.corpus.render import Note, Part, render
>>> triad = [Note(0.0, 1.0, pitch, 90) for pitch in (60, 64, 67)]
>>> y = render([Part(0, triad)], duration=2.0)
>>> y.shape
(88200,)

The synthesizer is RustySynth, from the ``midirenderer`` wheel.  It is the only one that
pip installs without a system library and that plays SoundFont 2 in tune.  symusic (up
to 0.5.9, its issue 55) does not transpose samples as the bank specifies: an A4 can
sound as an F#5.  tinysoundfont needs PortAudio to install, and pyfluidsynth the
FluidSynth library.  RustySynth supports neither SoundFont 3 (compressed samples) nor
more than sixteen channels; this module lifts the second limit.

The program ``timidity``, if installed, plays the configuration of a bank of Gravis
patches (``.cfg``), such as Debian's freepats.
"""

import functools
import io
import subprocess
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crema.exceptions import ConfigError
from crema.samples import fix_length
from crema.utils import hashes

# Locate pretty_midi without importing it, which would be slow.
_pretty_midi = find_spec("pretty_midi")
#: The General MIDI bank in the wheel of pretty_midi.
DEFAULT_SOUNDFONT = Path(_pretty_midi.origin if _pretty_midi else "?").with_name(
    "TimGM6mb.sf2"
)

#: Peak of rendered audio, relative to full scale.
PEAK = 10 ** (-3 / 20)

_TAIL = 6.0  # seconds after the last note for its release
_SILENCE = 10 ** (-60 / 20)  # relative to the peak; softer audio ends the tail
_TICKS = 10_000  # per second
_SYNTH_RATE = 48_000  # fixed by midirenderer
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = [c for c in range(16) if c != _DRUM_CHANNEL]


class Note(NamedTuple):
    """One note: start and end in seconds, MIDI pitch, velocity 1 to 127."""

    start: float
    end: float
    pitch: int
    velocity: int


class Part(NamedTuple):
    """The notes of one instrument: a General MIDI program (0 to 127) or a drum kit."""

    program: int
    notes: list[Note]
    is_drum: bool = False


def render(parts, soundfont=DEFAULT_SOUNDFONT, sample_rate=44100, duration=None):
    """Play parts through a SoundFont.

    Parameters
    ----------
    parts : sequence of Part
        Any number of melodic and drum parts.  If two notes of the same pitch overlap
        within a part, the later one cuts off the earlier one.
    soundfont : path-like
        A SoundFont 2 (``.sf2``) file, or a configuration (``.cfg``) of timidity.
    sample_rate : int
        Samples per second of the result.
    duration : float, optional
        Length of the result in seconds, rounded up to whole samples: longer music is
        cut, shorter music is padded with silence.  By default the release of the last
        note is kept until it is 60 dB below the peak.

    Returns
    -------
    np.ndarray, shape=(samples,), dtype=float32
        Mono audio whose peak is 3 dB below full scale (all zeros without notes).

    Raises
    ------
    ConfigError
        The soundfont is missing or not a SoundFont 2 file, or timidity is needed and
        missing.
    ValueError
        A note ends before it starts or a value is outside MIDI's range.
    """
    import soxr

    end = max((note.end for part in parts for note in part.notes), default=0.0)
    y = _synthesize(_load_soundfont(soundfont), _channel_groups(parts), end + _TAIL)
    if sample_rate != _SYNTH_RATE:
        y = soxr.resample(y, _SYNTH_RATE, sample_rate)
    if duration is not None:
        n_samples = int(np.ceil(round(duration * sample_rate, 6)))
        y = fix_length(y, n_samples)
    peak = np.abs(y).max(initial=0.0)
    if peak > 0:
        y *= PEAK / peak
    if duration is None:
        sounding = np.flatnonzero(np.abs(y) > PEAK * _SILENCE)
        last = sounding[-1] + 1 if len(sounding) else 0
        y = y[: max(last, int(np.ceil(end * sample_rate)))]
    return y.astype(np.float32)


def identify(soundfont):
    """Return the name of a soundfont and a hash of its content, after a trial.

    Parameters
    ----------
    soundfont : pathlib.Path
        A SoundFont 2 file, or a configuration of timidity.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        As :func:`render`.
    """
    render([Part(0, [Note(0.0, 0.1, 60, 64)])], soundfont, duration=0.1)
    return f"{soundfont.name} {hashes.of(soundfont)[:16]}"


def _load_soundfont(path):
    """Return a function that renders a MIDI file at the synthesizer's rate.

    A SoundFont 2 file is read, and rejected if its RIFF header is wrong.
    """
    if Path(path).suffix == ".cfg":
        return functools.partial(_timidity, path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the soundfont ({error.strerror}); "
            "give the path of a SoundFont 2 (.sf2) file"
        ) from error
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ConfigError(f"{path}: not a soundfont; give a SoundFont 2 (.sf2) file")
    return functools.partial(_rustysynth, path, data)


def _rustysynth(path, data, midi):
    import soundfile
    from midirenderer import render_wave_from

    try:
        wave = render_wave_from(data, midi)
    except BaseException as error:
        # A damaged font can cause a panic in Rust, which is not an Exception.
        if type(error).__name__ not in {"RuntimeError", "PanicException"}:
            raise
        raise ConfigError(
            f"{path}: the soundfont cannot be used ({error}); "
            "give a SoundFont 2 (.sf2) file"
        ) from error
    left, right = soundfile.read(io.BytesIO(wave), dtype="float32")[0].T
    return (left + right) / 2


def _timidity(path, midi):
    # timidity cannot write a WAV header to a pipe.
    raw = ("-Or", "--output-16bit", "--output-signed", "--output-mono")
    options = ("-c", str(path), "-s", str(_SYNTH_RATE), "--preserve-silence")
    try:
        done = subprocess.run(
            ["timidity", *options, *raw, "-o", "-", "-"],
            input=midi,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            f"{path}: timidity cannot play with this configuration ({error}); install "
            "it, or give a SoundFont 2 (.sf2) file"
        ) from error
    samples = np.frombuffer(done.stdout[: len(done.stdout) // 2 * 2], dtype="<i2")
    return samples.astype(np.float32) / 2**15


def _channel_groups(parts):
    """Split parts into groups that fit one MIDI file: 15 melodic parts and a kit."""
    drums = [[part] for part in parts if part.is_drum]
    melodic = [part for part in parts if not part.is_drum]
    n = len(_MELODIC_CHANNELS)
    chunks = [melodic[i : i + n] for i in range(0, len(melodic), n)]
    return [a + b for a, b in zip_longest(chunks, drums, fillvalue=[])]


def _synthesize(play, groups, end):
    """Render and sum all groups, shape=(samples,), at the synthesizer's rate."""
    # The synthesizer returns 16-bit samples: use the highest volume that does not clip.
    # Channel volume acts by its square, so each step is 6 dB.
    for volume in (127, 90, 64, 45, 32):
        mixes = [play(_midi_file(group, volume, end)) for group in groups]
        if all(np.abs(mix).max(initial=0) < 0.999 for mix in mixes):
            break
    # Because the synthesizer sums event times, lengths can differ by a sample.
    n_samples = min(map(len, mixes), default=0)
    return sum((mix[:n_samples] for mix in mixes), np.zeros(n_samples, np.float32))


def _midi_file(parts, volume, end):
    """Encode parts as a Standard MIDI File of `end` seconds, one channel each."""
    import mido

    midi = mido.MidiFile(ticks_per_beat=_TICKS)
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    conductor.append(mido.MetaMessage("end_of_track", time=round(end * _TICKS)))
    midi.tracks.append(conductor)
    channels = iter(_MELODIC_CHANNELS)
    for part in parts:
        channel = _DRUM_CHANNEL if part.is_drum else next(channels)
        track = mido.MidiTrack()
        track.append(
            mido.Message("program_change", channel=channel, program=part.program)
        )
        track.append(
            mido.Message("control_change", channel=channel, control=7, value=volume)
        )
        now = 0
        for tick, velocity, pitch in _events(part.notes):
            track.append(
                mido.Message(
                    "note_on",
                    channel=channel,
                    note=pitch,
                    velocity=velocity,
                    time=tick - now,
                )
            )
            now = tick
        midi.tracks.append(track)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def _events(notes):
    """List (tick, velocity, pitch) in playing order; velocity 0 ends a note.

    A note-off ends every note of its pitch on the channel, so a note is cut when its
    pitch is struck again.
    """
    events, struck = [], {}
    for note in sorted(notes, reverse=True):
        if not 0 <= note.start < note.end or not 1 <= note.velocity <= 127:
            raise ValueError(f"not a playable note: {note}")
        start = round(note.start * _TICKS)
        end = min(round(note.end * _TICKS), struck.get(note.pitch, np.inf))
        if end > start:
            events += [(start, note.velocity, note.pitch), (end, 0, note.pitch)]
            struck[note.pitch] = start
    return sorted(events)
