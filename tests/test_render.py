"""Rendering: the right pitch at the right time, and edge cases."""

import shutil

import numpy as np
import pytest

from crema.corpus.render import DEFAULT_SOUNDFONT, PEAK, Note, Part, render
from crema.exceptions import ConfigError

SAMPLE_RATE = 44100


def level(y, start, end):
    return np.sqrt(np.mean(y[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] ** 2))


def chroma_peak(y, start, end):
    """Return the pitch class with the most energy between 100 Hz and 2 kHz."""
    y = y[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    frequency = np.fft.rfftfreq(len(y), 1 / SAMPLE_RATE)
    heard = (frequency > 100) & (frequency < 2000)
    pitch = np.round(69 + 12 * np.log2(frequency[heard] / 440)).astype(int) % 12
    return np.bincount(pitch, power[heard], 12).argmax()


@pytest.mark.parametrize("program", [0, 24, 32, 48, 73, 80])
def test_pitch(program):
    notes = [Note(i, i + 0.9, pitch, 90) for i, pitch in enumerate((57, 62, 64, 69))]
    y = render([Part(program, notes)])
    heard = [chroma_peak(y, i + 0.1, i + 0.9) for i in range(4)]
    assert heard == [9, 2, 4, 9]


@pytest.mark.parametrize("part", [(0, 60, False), (0, 38, True), (80, 72, False)])
def test_onset(part):
    program, pitch, is_drum = part
    onsets = [0.25, 1.1, 2.003]
    notes = [Note(t, t + 0.2, pitch, 100) for t in onsets]
    y = np.abs(render([Part(program, notes, is_drum)]))
    assert y[: int(onsets[0] * SAMPLE_RATE) - 50].max() < 1e-4
    for onset in onsets:
        start = int((onset - 0.02) * SAMPLE_RATE)
        after = y[start : start + SAMPLE_RATE // 5]
        heard = np.argmax(after > 0.1 * after.max()) / SAMPLE_RATE - 0.02
        assert -0.002 < heard < 0.010


def test_array_is_mono_float_and_peaks_at_minus_3_dbfs():
    y = render([Part(0, [Note(0, 1, 60, 20)])])
    assert y.ndim == 1 and y.dtype == np.float32
    assert np.abs(y).max() == pytest.approx(PEAK, rel=1e-5)


def test_loud_music_does_not_clip():
    part = Part(0, [Note(0, 1, pitch, 127) for pitch in (48, 55)])
    alone, together = (render([part] * n, duration=1) for n in (1, 14))
    assert np.allclose(alone, together, atol=0.02)


@pytest.mark.parametrize("duration", [0.25, 1.00001, 30])
def test_duration_is_exact(duration):
    y = render([Part(0, [Note(0, 1, 60, 90)])], duration=duration)
    assert len(y) == np.ceil(duration * SAMPLE_RATE)


def test_without_duration_the_release_is_kept_and_silence_is_not():
    y = render([Part(0, [Note(0, 1, 60, 90)])])
    assert 1.05 * SAMPLE_RATE < len(y) < 5 * SAMPLE_RATE
    assert 0 < np.abs(y[-100:]).max() < 0.01


def test_sample_rate():
    y = render([Part(0, [Note(0, 1, 69, 90)])], sample_rate=22050, duration=1)
    assert len(y) == 22050
    spectrum = np.abs(np.fft.rfft(y[2205:19845]))
    assert np.argmax(spectrum) * 22050 / 17640 == pytest.approx(440, abs=3)


def test_same_input_same_samples():
    parts = [Part(48, [Note(0, 1, 60, 90)]), Part(0, [Note(0, 1, 38, 90)], True)]
    assert np.array_equal(render(parts), render(parts))


def test_no_notes():
    assert not render([], duration=0.5).any()
    assert len(render([], duration=0.5)) == SAMPLE_RATE // 2
    assert len(render([Part(0, [])])) == 0


def test_more_parts_than_midi_channels_and_two_kits():
    parts = [Part(i, [Note(i / 2, i / 2 + 0.4, 60 + i % 12, 100)]) for i in range(40)]
    parts += [Part(0, [Note(20, 20.1, 36, 100)], True)]
    parts += [Part(25, [Note(21, 21.1, 36, 100)], True)]
    y = render(parts, duration=23)
    heard = [chroma_peak(y, i / 2 + 0.1, i / 2 + 0.4) for i in range(7)]
    assert heard == [0, 1, 2, 3, 4, 5, 6]
    sounding = [level(y, i / 2, i / 2 + 0.4) for i in [*range(40), 40, 42]]
    assert min(sounding) > 30 * level(y, 22.5, 23)


def test_groups_of_channels_that_differ_by_a_sample():
    melodic = [Part(0, [Note(i / 2, i / 2 + 0.4, 60, 100)]) for i in range(40)]
    kit = Part(0, [Note(i / 2, i / 2 + 0.1, 36, 110) for i in range(40)], True)
    assert len(render([*melodic, kit, kit], duration=21)) == 21 * SAMPLE_RATE


def test_drums_do_not_follow_the_program_of_the_channel_beside():
    kick = render([Part(0, [Note(0, 0.5, 36, 100)], True)], duration=1)
    piano = render([Part(0, [Note(0, 0.5, 36, 100)])], duration=1)
    assert np.corrcoef(kick, piano)[0, 1] < 0.5


def test_a_note_struck_again_sounds_until_its_own_end():
    once = [Note(0.0, 2.0, 60, 90)]
    again = [Note(0.0, 1.0, 60, 90), Note(0.5, 2.0, 60, 90)]
    y, z = (render([Part(16, notes)], duration=2) for notes in (once, again))
    assert level(z, 1.5, 1.9) == pytest.approx(level(y, 1.5, 1.9), rel=0.3)


@pytest.mark.parametrize(
    "note",
    [Note(1, 1, 60, 90), Note(-1, 1, 60, 90), Note(0, 1, 128, 90), Note(0, 1, 60, 0)],
)
def test_impossible_notes(note):
    with pytest.raises(ValueError):
        render([Part(0, [note])])


def test_missing_soundfont(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.sf2"):
        render([], tmp_path / "nowhere.sf2")


def test_what_is_no_soundfont(tmp_path):
    path = tmp_path / "text.sf2"
    path.write_text("a text")
    with pytest.raises(ConfigError, match=r"text\.sf2.*not a soundfont"):
        render([Part(0, [Note(0, 1, 60, 90)])], path)


def test_damaged_soundfont(tmp_path):
    path = tmp_path / "cut.sf2"
    path.write_bytes(DEFAULT_SOUNDFONT.read_bytes()[:5000])
    with pytest.raises(ConfigError, match=r"cut\.sf2"):
        render([Part(0, [Note(0, 1, 60, 90)])], path)


def test_soundfont_by_path_object_or_string(tmp_path):
    path = shutil.copy(DEFAULT_SOUNDFONT, tmp_path / "a b.sf2")
    parts = [Part(0, [Note(0, 0.5, 60, 90)])]
    assert np.array_equal(render(parts, str(path)), render(parts))
