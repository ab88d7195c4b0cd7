"""Audio is read exactly, and errors name damaged files in one line."""

import os
import re

import numpy as np
import pytest
import soundfile
from conftest import one_line

from crema.exceptions import AudioError, CremaError
from crema.utils import audiofile, containers, processes

RATE = 22050


def tone(seconds=1.0, rate=RATE, frequency=440.0):
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(("ext", "tolerance"), [("flac", 1), ("wav", 1), ("ogg", 900)])
@pytest.mark.parametrize("shape", ["(samples,)", "(samples, 1)", "(samples, 2)"])
def test_audio_is_read_as_it_was_written(tmp_path, ext, tolerance, shape):
    path = tmp_path / f"a.{ext}"
    y = tone()
    if shape != "(samples,)":
        y = np.stack([y, -0.5 * y][: int(shape[-2])], axis=1)
    audiofile.write(path, y, RATE)
    info = soundfile.info(path)
    assert info.samplerate == RATE
    assert info.channels == (y.shape[1] if y.ndim == 2 else 1)
    found, rate = audiofile.read(path)
    assert rate == RATE and found.dtype == np.float32 and found.shape == (len(y),)
    mono = y.mean(axis=1) if y.ndim == 2 else y
    assert np.abs(found - mono).max() < tolerance / 2**15
    assert names(tmp_path) == [f"a.{ext}"]


def test_stereo_is_mixed_down_to_the_mean(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(), -tone()], axis=1), RATE, subtype="FLOAT")
    assert np.abs(audiofile.read(path)[0]).max() == 0
    soundfile.write(path, np.stack([tone(), tone()], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(audiofile.read(path)[0], tone(), atol=1e-7)


def test_minutes_of_ogg_are_written(tmp_path, run_script):
    # In a process of its own: an encoder crashes if it gets minutes at once.
    path = tmp_path / "long.ogg"
    done = run_script(
        "-c",
        "import sys, numpy as np; from crema.utils import audiofile\n"
        "y = np.sin(np.arange(240 * 44100, dtype=np.float32) * 0.05) / 2\n"
        "audiofile.write(sys.argv[1], y, 44100)\n",
        path,
    )
    assert done.returncode == 0, done.stderr
    assert soundfile.info(path).frames == 240 * 44100


def test_what_is_too_loud_is_clipped(tmp_path):
    audiofile.write(tmp_path / "a.flac", np.array([-3, -1, 0, 0.5, 1, 3]), RATE)
    found, _ = audiofile.read(tmp_path / "a.flac")
    np.testing.assert_allclose(found, [-1, -1, 0, 0.5, 1, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "y", "rate"),
    [
        ("a.mp4", tone(), RATE),
        ("a", tone(), RATE),
        ("a.flac", tone(), 0),
        ("a.flac", np.zeros((100, 9)), RATE),
        ("a.flac", np.full(100, np.nan), RATE),
    ],
)
def test_audio_that_cannot_be_written(tmp_path, name, y, rate):
    with pytest.raises(CremaError) as caught:
        audiofile.write(tmp_path / name, y, rate)
    one_line(caught, tmp_path / name)
    assert not names(tmp_path)


@pytest.mark.parametrize("target", [8000, 44100])
def test_audio_is_resampled_on_request(tmp_path, target):
    audiofile.write(tmp_path / "a.wav", tone(2), RATE)
    y, rate = audiofile.read(tmp_path / "a.wav", sample_rate=target)
    assert rate == target and y.dtype == np.float32
    assert len(y) == pytest.approx(2 * target, abs=1)
    middle = slice(target // 2, -target // 2)
    np.testing.assert_allclose(y[middle], tone(2, target)[middle], atol=2e-3)
    same, rate = audiofile.read(tmp_path / "a.wav", sample_rate=RATE)
    assert rate == RATE and len(same) == 2 * RATE


def test_mp3_is_read(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(2), RATE)
    y, rate = audiofile.read(tmp_path / "a.mp3")
    assert rate == RATE and len(y) == pytest.approx(2 * RATE, abs=2400)
    spectrum = np.abs(np.fft.rfft(y))
    assert np.argmax(spectrum) * RATE / len(y) == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    ("ext", "rate"), [("mp3", 22050), ("mp3", 24000), ("mp3", 48000), ("opus", 48000)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_as_the_whole(tmp_path, monkeypatch, ext, rate, channels):
    """The decoders of these formats fail when they seek to their current position."""
    path = tmp_path / f"a.{ext}"
    draw = np.random.default_rng(0)
    y = tone(2, rate) + draw.uniform(-0.05, 0.05, 2 * rate)
    y = np.stack([y, -0.5 * y], axis=1)[:, :channels]
    coding = {"format": "OGG", "subtype": "OPUS"} if ext == "opus" else {}
    soundfile.write(path, y, rate, **coding)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    for block in (9001, len(y) - 1, len(y), audiofile.BLOCK):
        monkeypatch.setattr(audiofile, "BLOCK", block)
        found, _ = audiofile.read(path)
        assert len(found) == len(y)
        np.testing.assert_allclose(found, expected.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.mp3", b"this is not audio, whatever its name says\n" * 99),
        ("text.flac", b"nor is this"),
        ("text.wav", b"RIFF"),
        ("empty.mp3", b""),
        ("empty.ogg", b""),
    ],
)
def test_what_is_not_audio(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError) as caught:
        audiofile.read(tmp_path / name)
    assert "convert it to WAV" in one_line(caught, tmp_path / name)


READ = """
import sys
from crema import exceptions
from crema.utils import audiofile, disk, hdf5, jamsfile, processes
exceptions.program(lambda: [audiofile.read(path) for path in sys.argv[1:]] and None)
"""


@pytest.mark.parametrize("content", [b"this is not audio\n", b"not audio " * 9999, b""])
def test_what_is_not_audio_is_one_line(tmp_path, run_script, content):
    """libmpg123 writes its own messages to standard error."""
    path = tmp_path / "text.mp3"
    path.write_bytes(content)
    done = run_script("-c", READ, path)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {path}: cannot be read as audio (not a format that libsndfile "
        "supports); convert it to WAV, FLAC, Ogg or MP3, or leave it out\n"
    )


@pytest.mark.parametrize("rest", [b"", bytes(500)])
def test_a_damaged_mp3_is_one_line(tmp_path, run_script, rest):
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(4), RATE)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + rest + whole[middle + 500 :] * bool(rest))
    (line,) = run_script("-c", READ, path).stderr.splitlines()
    assert line.startswith(f"error: {path}: truncated or damaged")


def test_standard_error_is_there_again(tmp_path, capfd):
    audiofile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "b.mp3").write_text("not audio")
    audiofile.read(tmp_path / "a.wav")
    with pytest.raises(AudioError):
        audiofile.read(tmp_path / "b.mp3")
    with processes.quiet():
        os.write(2, b"nobody sees this")
    os.write(2, b"this comes through")
    assert capfd.readouterr().err == "this comes through"
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        audiofile.read(tmp_path / "a.wav")
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_a_process_may_have_no_standard_error(tmp_path, run_script):
    audiofile.write(tmp_path / "a.wav", tone(), RATE)
    done = run_script("-c", f"import os; os.close(2){READ}", tmp_path / "a.wav")
    assert done.returncode == 0


def test_no_audio_there(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret.wav").touch()
    with pytest.raises(AudioError, match="is a directory; name the files in it"):
        audiofile.read(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for path, message in (
        (tmp_path / "a.flac", "no such audio file; add it or"),
        (tmp_path, "the directory cannot be read (permission denied)"),
        (tmp_path / "pipe", "is not a regular file; write"),
        (tmp_path / "secret.wav", "permission denied; make it readable"),
    ):
        with pytest.raises(AudioError) as caught:
            audiofile.read(path)
        assert message in one_line(caught, path)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("FLAC", None), ("WAV", None), ("WAVEX", None), ("MP3", None)),
        *(("OGG", "VORBIS"), ("OGG", "OPUS")),
        *(("AIFF", None), ("W64", None), ("RF64", None), ("AU", None)),
    ],
)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_audio_is_refused(tmp_path, form, subtype, channels, kept):
    path = tmp_path / "a.audio"
    draw = np.random.default_rng(0)
    rate = 24000  # Opus supports it, too
    y = tone(4, rate) + draw.uniform(-0.01, 0.01, 4 * rate)
    y = np.stack([y, -0.5 * y], axis=1)[:, :channels]
    soundfile.write(path, y, rate, format=form, subtype=subtype)
    assert len(audiofile.read(path)[0]) == len(y)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(AudioError) as caught:
        audiofile.read(path)
    line = one_line(caught, path)
    assert "truncated" in line and "replace the file" in line
    assert "convert" not in line


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_with_a_hole_is_refused(tmp_path, subtype):
    """Its decoder skips missing pages, so that everything after them is too early."""
    path = tmp_path / "a.ogg"
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * 24000)
    soundfile.write(path, y, 24000, format="OGG", subtype=subtype)
    whole = path.read_bytes()
    pages = [match.start() for match in re.finditer(b"OggS", whole)]
    third = pages[len(pages) // 2]
    flipped = bytearray(whole)
    flipped[third + 100] ^= 1
    for damaged in (
        whole[:third] + whole[pages[len(pages) // 2 + 1] :],
        whole[: third + 50] + whole[third + 60 :],
        bytes(flipped),
    ):
        path.write_bytes(damaged)
        with pytest.raises(AudioError, match="truncated or damaged"):
            audiofile.read(path)
    # Some programs write this after the end.
    path.write_bytes(whole + b"TAG of another format")
    assert len(audiofile.read(path)[0]) >= len(y)
    # libsndfile would read only the first of several chained streams.
    path.write_bytes(whole + whole)
    with pytest.raises(AudioError, match="contains several chained streams; split it"):
        audiofile.read(path)


def test_a_flac_with_a_tag_after_it_is_whole(tmp_path):
    path = tmp_path / "a.flac"
    audiofile.write(path, tone(), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole + b"TAG".ljust(128, b"\0"))
    assert len(audiofile.read(path)[0]) == RATE
    for damaged in (whole + whole, whole[: len(whole) // 2] + b"TAG".ljust(128, b" ")):
        path.write_bytes(damaged)
        with pytest.raises(AudioError, match="truncated or damaged"):
            audiofile.read(path)


def test_a_flac_that_does_not_tell_its_length_is_whole(tmp_path):
    """A program that writes to a pipe cannot go back to fill in the length."""
    path = tmp_path / "a.flac"
    audiofile.write(path, tone(), RATE)
    whole = bytearray(path.read_bytes())
    assert int.from_bytes(whole[21:26], "big") % 2**36 == RATE
    whole[21:26] = (int.from_bytes(whole[21:26], "big") >> 36 << 36).to_bytes(5, "big")
    path.write_bytes(whole)
    assert len(audiofile.read(path)[0]) == RATE


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\2\1" + bytes(257)])
def test_the_length_of_an_mp3_counts_where_it_is_told(tmp_path, tag):
    path = tmp_path / "a.mp3"
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * 24000)
    soundfile.write(path, y, 24000, format="MP3", bitrate_mode="VARIABLE")
    whole = path.read_bytes()
    path.write_bytes(tag + whole)
    assert containers.tells_length(path)
    assert len(audiofile.read(path)[0]) == len(y)
    path.write_bytes(tag + whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="truncated or damaged"):
        audiofile.read(path)
    # Without its first frame, libsndfile guesses, and may guess too long.
    frames = [m.start() for m in re.finditer(whole[:2], whole)]
    path.write_bytes(tag + whole[frames[len(frames) // 3] :])
    assert not containers.tells_length(path)
    assert len(audiofile.read(path)[0]) > 24000


@pytest.mark.parametrize(
    "rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]
)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_the_frames_of_an_mp3_tell_its_duration(tmp_path, rate, channels, mode):
    path = tmp_path / "a.mp3"
    draw = np.random.default_rng(0)
    y = tone(3, rate) * draw.uniform(0, 1, 3 * rate)
    y = np.stack([y, -0.5 * y], axis=1)[:, :channels]
    soundfile.write(path, y, rate, bitrate_mode=mode)
    whole = path.read_bytes()
    # An ID3v2 tag with a picture; an ID3v1 tag, text, and what only looks like a frame.
    before = b"ID3\3\0\0\0\1\0\0" + draw.bytes(1 << 14)
    after = b"TAG".ljust(128, b"\0") + b"free text" + b"\xff\xfb\x90\0" * 9999
    for tagged in (whole, before + whole + after):
        path.write_bytes(tagged)
        assert abs(len(audiofile.read(path)[0]) - len(y)) < 2400
        assert 3 <= containers.mp3_extent(path)[0] < 3.4


def test_an_mp3_of_which_only_the_beginning_is_read_is_refused(tmp_path):
    path = tmp_path / "a.mp3"
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 8 * 24000)
    y[24000:] *= 1e-3
    soundfile.write(path, y, 24000, bitrate_mode="VARIABLE")
    whole = path.read_bytes()
    first, _ = containers.mp3_frames()[0][whole[:3]]
    # libsndfile guesses its length by frames that are larger than most.
    path.write_bytes(whole[first:])
    assert not containers.tells_length(path)
    with pytest.raises(AudioError, match=r"only the first [1-6] of 8 s could be read"):
        audiofile.read(path)
    # Of several pieces, it reads the first.
    for between in (b"", b"TAG".ljust(128, b"\0") + b"ID3\3\0\0\0\0\0\0"):
        path.write_bytes(whole + between + whole)
        with pytest.raises(AudioError) as caught:
            audiofile.read(path)
        line = one_line(caught, path)
        assert "only the first 8 of 16 s" in line and "convert it to FLAC" in line


def test_what_libsndfile_takes_for_an_mp3_has_its_frames(tmp_path):
    """Of an AAC that is named .mp3, it may read a few hundredths of a second."""
    path = tmp_path / "a.mp3"
    path.write_bytes(np.random.default_rng(1).bytes(100000))
    with pytest.raises(AudioError, match="a.mp3: is not an MP3 or is damaged; convert"):
        containers.check_mp3(path, 0.02, 30)
    soundfile.write(path, np.zeros(48000), 24000)
    # What is not an MP3 but all read, such as layer II, and a length guessed too long.
    containers.check_mp3(path, 2.0, 30)


def test_the_name_of_an_audio_file_need_not_be_text(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav")
    with open(path, "wb") as stream:
        soundfile.write(stream, tone(), RATE, format="WAV")
    assert len(audiofile.read(path)[0]) == RATE


@pytest.mark.parametrize("length", [0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_that_was_streamed_is_whole(tmp_path, length):
    """A program that writes to a pipe cannot go back to fill in the length."""
    path = tmp_path / "a.wav"
    audiofile.write(path, tone(), RATE)
    whole = bytearray(path.read_bytes())
    data = whole.index(b"data")
    whole[4:8] = whole[data + 4 : data + 8] = length.to_bytes(4, "little")
    path.write_bytes(whole)
    assert len(audiofile.read(path)[0]) == RATE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path, value):
    y = tone()
    y[5000] = value
    soundfile.write(tmp_path / "a.wav", y, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite.*leave it out") as caught:
        audiofile.read(tmp_path / "a.wav")
    one_line(caught, tmp_path / "a.wav")


def test_no_samples_at_all(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    with pytest.raises(AudioError, match="contains no audio"):
        audiofile.read(tmp_path / "a.wav")
