"""Files are there whole or not at all, and damaged ones are named in one line."""

import glob
import json
import os
import re
import signal
import subprocess
import sys

import h5py
import jams
import numpy as np
import pytest
import soundfile
from conftest import ROOT, annotate

from crema.exceptions import AnnotationError, AudioError, CremaError, DataError
from crema.utils import containers, io, sampling

RATE = 22050


def tone(seconds=1.0, rate=RATE, frequency=440.0):
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def one_line(error, path):
    """Return the message of an error, which must be one line and name the file."""
    text = str(error.value)
    assert "\n" not in text and str(path) in text
    return text


# --- whole files ----------------------------------------------------------------------


def test_atomic_writes_and_makes_directories(tmp_path):
    path = tmp_path / "a" / "b" / "x.txt"
    with io.atomic(str(path)) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".txt"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), io.atomic(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_a_link_stays_one(tmp_path):
    target, link = tmp_path / "a" / "x.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    io.write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert names(target.parent) == ["x.txt"]


def test_a_device_stays_one(tmp_path):
    reader, terminal = os.openpty()
    link = tmp_path / "terminal.txt"
    link.symlink_to(os.ttyname(terminal))
    io.write_text(link, "text")
    assert os.read(reader, 9) == b"text" and names(tmp_path) == ["terminal.txt"]
    os.mkfifo(tmp_path / "pipe.txt")
    reader = os.open(tmp_path / "pipe.txt", os.O_RDONLY | os.O_NONBLOCK)
    io.write_text(tmp_path / "pipe.txt", "text")
    assert os.read(reader, 9) == b"text" and (tmp_path / "pipe.txt").is_fifo()


def test_a_pipe_without_a_name_is_written_to():
    reader, writer = os.pipe()
    io.write_text(f"/dev/fd/{writer}", "text")
    assert os.read(reader, 9) == b"text"


@pytest.mark.parametrize("letter", ["a", "é", "夜"])
def test_a_name_may_be_as_long_as_any(tmp_path, letter):
    path = tmp_path / f"{letter * (250 // len(letter.encode()))}.txt"
    with io.atomic(path) as temporary:
        temporary.write_text("text")
        assert temporary.name.startswith(f".{letter}")
        assert temporary.name.endswith(f".{os.getpid()}.txt")
    assert names(tmp_path) == [path.name]


@pytest.fixture
def listings(monkeypatch):
    """How often a directory was searched for the files of a track."""
    found = []
    remove = io.remove_track
    monkeypatch.setattr(io, "remove_track", lambda *a: (found.append(a), remove(*a)))
    return found


def write_track(directory, *numbers):
    with io.whole_track(directory, "a", ".json"):
        for number in numbers:
            (directory / f"a.{number}.flac").touch()
            yield number
        (directory / "a.json").touch()


def test_a_new_track_lists_no_directory(tmp_path, listings):
    list(write_track(tmp_path / "out", 0, 1))
    assert names(tmp_path / "out") == ["a.0.flac", "a.1.flac", "a.json"]
    assert not listings


def test_a_track_made_again_leaves_nothing_of_before(tmp_path, listings):
    list(write_track(tmp_path, 0, 1, 2))
    (tmp_path / "a.b").touch()
    (tmp_path / "ab.0.flac").touch()
    list(write_track(tmp_path, 0))
    assert names(tmp_path) == ["a.0.flac", "a.json", "ab.0.flac"]
    assert len(listings) == 1


def test_a_directory_is_kept_to_one(tmp_path):
    for _ in range(2):
        with io.alone(tmp_path / "d"):
            busy = pytest.raises(CremaError, match="d: another process writes there")
            with busy, io.alone(tmp_path / "d"):
                pass
            with io.alone(tmp_path / "other"):
                pass
    assert names(tmp_path / "d") == []


def test_what_a_killed_writer_left_of_a_track_goes(tmp_path):
    killed = write_track(tmp_path, 5, 6)
    next(killed)
    (tmp_path / ".a.6.flac.123.flac").touch()
    left = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    killed.close()
    assert names(tmp_path) == []  # who can, cleans up
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    list(write_track(tmp_path, 0))
    assert names(tmp_path) == ["a.0.flac", "a.json"]


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.txt"
    with pytest.raises(CremaError) as caught:
        io.write_text(path, "text")
    assert "cannot write" in one_line(caught, path)


def test_a_killed_write_leaves_nothing_that_is_taken_for_a_file(tmp_path, run_script):
    """Kill a process in the middle of two writes, of a new and of an old file."""
    (tmp_path / "old.h5").write_bytes(b"old")
    for name in ("old.h5", "a.h5", "a.0.h5"):
        done = run_script(
            "-c",
            "import os, sys; from crema.utils import io\n"
            "with io.atomic(sys.argv[1]) as temporary:\n"
            "    temporary.write_bytes(b'half')\n"
            "    os.kill(os.getpid(), 9)\n",
            tmp_path / name,
        )
        assert done.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 4
    assert (tmp_path / "old.h5").read_bytes() == b"old"
    assert glob.glob("*", root_dir=tmp_path) == ["old.h5"]
    assert not list(tmp_path.glob("a.*"))
    with pytest.raises(DataError, match="track a has no features"):
        sampling.copies(tmp_path, ["a"])
    io.write_text(tmp_path / "a.h5", "whole")
    assert (tmp_path / "a.h5").read_text() == "whole"


# Writes every kind of file with no room for more than so many bytes per file.
FULL_DISK = """
import json, pathlib, resource, sys
import numpy as np
from crema.exceptions import CremaError
from crema.utils import io

draw = np.random.default_rng(0)
y = draw.uniform(-0.1, 0.1, 200_000)
levels = draw.integers(0, 255, (1, 500, 216, 2)).astype("uint8")
directory, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
if "d.jams" in sys.argv:
    import jams
    jam = jams.JAMS()
    jam.file_metadata.duration = 3000
    annotation = jams.Annotation("chord", time=0, duration=3000)
    for time in range(3000):
        annotation.append(time, 1, "C:maj", draw.random())
    jam.annotations.append(annotation)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for name in sys.argv[3:]:
    path = directory / name
    try:
        if path.suffix in (".flac", ".ogg", ".wav"):
            io.write_audio(path, y, 44100)
        elif path.suffix in (".jams", ".jamz"):
            io.write_jams(path, jam)
        elif path.suffix == ".h5":
            io.write_features(path, {"x": levels}, {"track_id": "a"})
        else:
            io.write_json(path, list(range(10_000)))
    except CremaError as error:
        print(json.dumps(str(error)))
    else:
        print(json.dumps("no error"))
"""


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (15_000, ["a.flac", "b.ogg", "c.wav", "d.jams", "e.jamz", "f.json"]),
        (1000, ["x.h5"]),
        (15_000, ["x.h5"]),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_half_file(
    tmp_path, run_script, limit, files
):
    for name in files:
        (tmp_path / name).write_bytes(b"old")
    done = run_script("-c", FULL_DISK, tmp_path, limit, *files)
    assert done.returncode == 0, done.stderr[-2000:]
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) == len(files)
    for name, message in zip(files, messages, strict=True):
        assert message.startswith(f"cannot write {tmp_path / name}: ")
        assert "\n" not in message
        assert (tmp_path / name).read_bytes() == b"old"
    assert names(tmp_path) == sorted(files)
    assert "Traceback" not in done.stderr


# --- audio ----------------------------------------------------------------------------


@pytest.mark.parametrize(("ext", "tolerance"), [("flac", 1), ("wav", 1), ("ogg", 900)])
@pytest.mark.parametrize("shape", ["(samples,)", "(samples, 1)", "(samples, 2)"])
def test_audio_is_read_as_it_was_written(tmp_path, ext, tolerance, shape):
    path = tmp_path / f"a.{ext}"
    y = tone()
    if shape != "(samples,)":
        y = np.stack([y, -0.5 * y][: int(shape[-2])], axis=1)
    io.write_audio(path, y, RATE)
    info = soundfile.info(path)
    assert info.samplerate == RATE
    assert info.channels == (y.shape[1] if y.ndim == 2 else 1)
    found, rate = io.read_audio(path)
    assert rate == RATE and found.dtype == np.float32 and found.shape == (len(y),)
    mono = y.mean(axis=1) if y.ndim == 2 else y
    assert np.abs(found - mono).max() < tolerance / 2**15
    assert names(tmp_path) == [f"a.{ext}"]


def test_stereo_is_mixed_down_to_the_mean(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(), -tone()], axis=1), RATE, subtype="FLOAT")
    assert np.abs(io.read_audio(path)[0]).max() == 0
    soundfile.write(path, np.stack([tone(), tone()], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(io.read_audio(path)[0], tone(), atol=1e-7)


def test_minutes_of_ogg_are_written(tmp_path, run_script):
    # In a process of its own: an encoder that is given minutes at once crashes.
    path = tmp_path / "long.ogg"
    done = run_script(
        "-c",
        "import sys, numpy as np; from crema.utils import io\n"
        "y = np.sin(np.arange(240 * 44100, dtype=np.float32) * 0.05) / 2\n"
        "io.write_audio(sys.argv[1], y, 44100)\n",
        path,
    )
    assert done.returncode == 0, done.stderr
    assert soundfile.info(path).frames == 240 * 44100


def test_what_is_too_loud_is_clipped(tmp_path):
    io.write_audio(tmp_path / "a.flac", np.array([-3, -1, 0, 0.5, 1, 3]), RATE)
    found, _ = io.read_audio(tmp_path / "a.flac")
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
        io.write_audio(tmp_path / name, y, rate)
    one_line(caught, tmp_path / name)
    assert not names(tmp_path)


@pytest.mark.parametrize("target", [8000, 44100])
def test_audio_is_resampled_on_request(tmp_path, target):
    io.write_audio(tmp_path / "a.wav", tone(2), RATE)
    y, rate = io.read_audio(tmp_path / "a.wav", sample_rate=target)
    assert rate == target and y.dtype == np.float32
    assert len(y) == pytest.approx(2 * target, abs=1)
    middle = slice(target // 2, -target // 2)
    np.testing.assert_allclose(y[middle], tone(2, target)[middle], atol=2e-3)
    same, rate = io.read_audio(tmp_path / "a.wav", sample_rate=RATE)
    assert rate == RATE and len(same) == 2 * RATE


def test_mp3_is_read(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(2), RATE)
    y, rate = io.read_audio(tmp_path / "a.mp3")
    assert rate == RATE and len(y) == pytest.approx(2 * RATE, abs=2400)
    spectrum = np.abs(np.fft.rfft(y))
    assert np.argmax(spectrum) * RATE / len(y) == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    ("ext", "rate"), [("mp3", 22050), ("mp3", 24000), ("mp3", 48000), ("opus", 48000)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_as_the_whole(tmp_path, monkeypatch, ext, rate, channels):
    """The decoders of these go wrong where they are told to go where they are."""
    path = tmp_path / f"a.{ext}"
    draw = np.random.default_rng(0)
    y = tone(2, rate) + draw.uniform(-0.05, 0.05, 2 * rate)
    y = np.stack([y, -0.5 * y], axis=1)[:, :channels]
    coding = {"format": "OGG", "subtype": "OPUS"} if ext == "opus" else {}
    soundfile.write(path, y, rate, **coding)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    for block in (9001, len(y) - 1, len(y), io.BLOCK):
        monkeypatch.setattr(io, "BLOCK", block)
        found, _ = io.read_audio(path)
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
        io.read_audio(tmp_path / name)
    assert "convert it to WAV" in one_line(caught, tmp_path / name)


READ = """
import sys
from crema import exceptions
from crema.utils import io
exceptions.program(lambda: [io.read_audio(path) for path in sys.argv[1:]] and None)
"""


@pytest.mark.parametrize("content", [b"this is not audio\n", b"not audio " * 9999, b""])
def test_what_is_not_audio_is_one_line(tmp_path, run_script, content):
    """libmpg123 writes notes of its own to standard error."""
    path = tmp_path / "text.mp3"
    path.write_bytes(content)
    done = run_script("-c", READ, path)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {path}: cannot be read as audio (not a format that libsndfile knows); "
        "convert it to WAV, FLAC, Ogg or MP3, or leave it out\n"
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
    io.write_audio(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "b.mp3").write_text("not audio")
    io.read_audio(tmp_path / "a.wav")
    with pytest.raises(AudioError):
        io.read_audio(tmp_path / "b.mp3")
    with io.quiet():
        os.write(2, b"nobody sees this")
    os.write(2, b"this comes through")
    assert capfd.readouterr().err == "this comes through"
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        io.read_audio(tmp_path / "a.wav")
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_a_process_may_have_no_standard_error(tmp_path, run_script):
    io.write_audio(tmp_path / "a.wav", tone(), RATE)
    done = run_script("-c", f"import os; os.close(2){READ}", tmp_path / "a.wav")
    assert done.returncode == 0


def test_no_audio_there(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret.wav").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for path, message in (
        (tmp_path / "a.flac", "no such audio file; add it or"),
        (tmp_path, "is a directory; name the files in it"),
        (tmp_path / "pipe", "is no regular file; write"),
        (tmp_path / "secret.wav", "permission denied; make it readable"),
    ):
        with pytest.raises(AudioError) as caught:
            io.read_audio(path)
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
    rate = 24000  # which Opus has, too
    y = tone(4, rate) + draw.uniform(-0.01, 0.01, 4 * rate)
    y = np.stack([y, -0.5 * y], axis=1)[:, :channels]
    soundfile.write(path, y, rate, format=form, subtype=subtype)
    assert len(io.read_audio(path)[0]) == len(y)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(AudioError) as caught:
        io.read_audio(path)
    line = one_line(caught, path)
    assert "truncated" in line and "replace the file" in line
    assert "convert" not in line


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_with_a_hole_is_refused(tmp_path, subtype):
    """Its decoder leaves out what is missing, and all that follows is too early."""
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
            io.read_audio(path)
    # What some programs write after the end.
    path.write_bytes(whole + b"TAG of another format")
    assert len(io.read_audio(path)[0]) >= len(y)
    # libsndfile would read the first of several pieces.
    path.write_bytes(whole + whole)
    with pytest.raises(AudioError, match="holds several pieces.*take them apart"):
        io.read_audio(path)


def test_a_flac_with_a_tag_after_it_is_whole(tmp_path):
    path = tmp_path / "a.flac"
    io.write_audio(path, tone(), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole + b"TAG".ljust(128, b"\0"))
    assert len(io.read_audio(path)[0]) == RATE
    for damaged in (whole + whole, whole[: len(whole) // 2] + b"TAG".ljust(128, b" ")):
        path.write_bytes(damaged)
        with pytest.raises(AudioError, match="truncated or damaged"):
            io.read_audio(path)


def test_a_flac_that_does_not_tell_its_length_is_whole(tmp_path):
    """A program that writes to a pipe cannot go back to fill in the length."""
    path = tmp_path / "a.flac"
    io.write_audio(path, tone(), RATE)
    whole = bytearray(path.read_bytes())
    assert int.from_bytes(whole[21:26], "big") % 2**36 == RATE
    whole[21:26] = (int.from_bytes(whole[21:26], "big") >> 36 << 36).to_bytes(5, "big")
    path.write_bytes(whole)
    assert len(io.read_audio(path)[0]) == RATE


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\2\1" + bytes(257)])
def test_the_length_of_an_mp3_counts_where_it_is_told(tmp_path, tag):
    path = tmp_path / "a.mp3"
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * 24000)
    soundfile.write(path, y, 24000, format="MP3", bitrate_mode="VARIABLE")
    whole = path.read_bytes()
    path.write_bytes(tag + whole)
    assert containers.tells_length(path)
    assert len(io.read_audio(path)[0]) == len(y)
    path.write_bytes(tag + whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="truncated or damaged"):
        io.read_audio(path)
    # Without its first frame, libsndfile guesses, and may guess too long.
    frames = [m.start() for m in re.finditer(whole[:2], whole)]
    path.write_bytes(tag + whole[frames[len(frames) // 3] :])
    assert not containers.tells_length(path)
    assert len(io.read_audio(path)[0]) > 24000


def test_the_name_of_an_audio_file_need_not_be_text(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav")
    with open(path, "wb") as stream:
        soundfile.write(stream, tone(), RATE, format="WAV")
    assert len(io.read_audio(path)[0]) == RATE


@pytest.mark.parametrize("length", [0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_that_was_streamed_is_whole(tmp_path, length):
    """A program that writes to a pipe cannot go back to fill in the length."""
    path = tmp_path / "a.wav"
    io.write_audio(path, tone(), RATE)
    whole = bytearray(path.read_bytes())
    data = whole.index(b"data")
    whole[4:8] = whole[data + 4 : data + 8] = length.to_bytes(4, "little")
    path.write_bytes(whole)
    assert len(io.read_audio(path)[0]) == RATE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path, value):
    y = tone()
    y[5000] = value
    soundfile.write(tmp_path / "a.wav", y, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite.*leave it out") as caught:
        io.read_audio(tmp_path / "a.wav")
    one_line(caught, tmp_path / "a.wav")


def test_no_samples_at_all(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    with pytest.raises(AudioError, match="holds no audio"):
        io.read_audio(tmp_path / "a.wav")


# --- annotations ----------------------------------------------------------------------

LEAVE_OUT = "; correct it or leave it out"


@pytest.mark.parametrize("ext", ["jams", "jamz"])
def test_jams_are_read_as_they_were_written(tmp_path, ext):
    path = tmp_path / f"a.{ext}"
    jam = annotate(["C:maj", "Bb:min7/b3"])
    io.write_jams(path, jam)
    assert io.read_jams(path).dumps() == jam.dumps()
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (ext == "jamz")
    assert names(tmp_path) == [f"a.{ext}"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\x80\xff\x00" * 99,
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"unknown": 1}',
        b'{"annotations": [], "file_metadata": {"duration": -1}, "sandbox": {}}',
    ],
)
@pytest.mark.parametrize("ext", ["jams", "jamz", "txt"])
def test_garbage_is_not_jams(tmp_path, content, ext):
    path = tmp_path / f"a.{ext}"
    path.write_bytes(content)
    with pytest.raises(AnnotationError) as caught:
        io.read_jams(path)
    line = one_line(caught, path)
    assert "is not valid JAMS" in line and line.endswith(LEAVE_OUT)


def test_jams_that_break_the_schema(tmp_path):
    jam = annotate(["C:maj"])
    jam.annotations[0].append(0, 1, "Q:maj", None)
    path = tmp_path / "a.jams"
    jam.save(str(path), strict=False)
    reason = "'Q:maj' does not match the schema"
    with pytest.raises(AnnotationError) as caught:
        io.read_jams(path)
    assert one_line(caught, path) == f"{path}: is not valid JAMS ({reason}){LEAVE_OUT}"
    path.unlink()
    with pytest.raises(AnnotationError) as caught:
        io.write_jams(path, jam)
    line = one_line(caught, path)
    assert line == f"{path}: would not be valid JAMS: as chord, {reason}"
    assert not names(tmp_path)


def test_jams_without_duration_or_of_another_suffix(tmp_path):
    with pytest.raises(AnnotationError, match="a.jams"):
        io.write_jams(tmp_path / "a.jams", jams.JAMS())
    assert not names(tmp_path)
    for name, start in (("a.txt", b"{"), ("a", b"{"), ("a.JAMZ", b"\x1f\x8b")):
        io.write_jams(tmp_path / name, annotate(["C:maj"]))
        assert (tmp_path / name).read_bytes().startswith(start)


def test_no_annotation_there(tmp_path):
    for path in (tmp_path / "a.jams", tmp_path):
        with pytest.raises(AnnotationError, match="no such annotation file") as caught:
            io.read_jams(path)
        assert "add it or leave it out" in one_line(caught, path)


# --- JSON -----------------------------------------------------------------------------


def test_json_is_indented_and_ends_with_a_newline(tmp_path):
    path = tmp_path / "a.json"
    data = {"título": [1, 2.5, None], "b": {"c": True}}
    io.write_json(path, data)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "título" in text and '\n  "b"' in text
    assert io.read_json(path) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_numbers(tmp_path, value):
    path = tmp_path / "a.json"
    io.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        io.write_json(path, {"a": value})
    assert io.read_json(path) == {"a": 1} and names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_json_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "a.json"
    with pytest.raises(CremaError, match="no such file"):
        io.read_json(path)
    path.write_bytes(content)
    with pytest.raises(CremaError, match="is not valid JSON") as caught:
        io.read_json(path)
    one_line(caught, path)


# --- features -------------------------------------------------------------------------


@pytest.fixture
def features(tmp_path):
    draw = np.random.default_rng(0)
    data = {
        "hcqt.mag": draw.integers(0, 255, (1, 1000, 72, 2)).astype("uint8"),
        "hcqt.float": draw.random((1, 1000, 72, 2), dtype="float32"),
        "tag.chord": draw.integers(0, 170, (2, 1000, 1)),
        "struct.pitch": draw.random((2, 1000, 12)) > 0.5,
        "tag._valid": np.array([[0, 1000], [0, 900]]),
        "none": np.zeros((1, 0, 4)),
    }
    path = tmp_path / "a.h5"
    io.write_features(path, data, {"track_id": "a", "size": 3})
    return path, data


def test_features_are_read_as_they_were_written(features):
    path, data = features
    with io.open_features(path) as store:
        assert set(store) == set(data)
        assert dict(store.attrs) == {"track_id": "a", "size": 3}
        for field, values in data.items():
            assert store[field].dtype == values.dtype
            np.testing.assert_array_equal(store[field][:], values)


def test_a_patch_is_read_by_itself(features):
    path, data = features
    with io.open_features(path) as store:
        for field in ("hcqt.mag", "tag.chord", "struct.pitch"):
            shape = data[field].shape
            assert store[field].chunks == (1, 64, *shape[2:])
            assert store[field].compression == "gzip"
        patch = store["hcqt.mag"][0, 500:550]
    np.testing.assert_array_equal(patch, data["hcqt.mag"][0, 500:550])


def test_short_tracks_are_one_chunk(tmp_path):
    io.write_features(tmp_path / "a.h5", {"x": np.zeros((1, 5, 3))}, {})
    with io.open_features(tmp_path / "a.h5") as store:
        assert store["x"].chunks == (1, 5, 3)


def test_the_same_features_are_the_same_bytes(features, tmp_path):
    path, data = features
    again = tmp_path / "b.h5"
    shuffled = dict(reversed(data.items()))
    io.write_features(again, shuffled, {"track_id": "a", "size": 3})
    assert again.read_bytes() == path.read_bytes()


def read_everything(path):
    with io.open_features(path) as store:
        return {field: store[field][:] for field in store}


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "half", "end", "chunk"])
def test_damaged_features_are_named(features, damage):
    path, _ = features
    whole = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "chunk":
        with h5py.File(path) as store:
            place = store["hcqt.mag"].id.get_chunk_info(3)
        start = place.byte_offset
        whole[start : start + place.size] = b"\xa5" * place.size
        path.write_bytes(whole)
    else:
        size = {"half": len(whole) // 2, "end": len(whole) - 100}.get(damage, 0)
        path.write_bytes(b"no HDF5\n" * 50 if damage == "text" else whole[:size])
    with pytest.raises(DataError) as caught:
        read_everything(path)
    assert f"delete {path} and run prepare again" in one_line(caught, path)


def test_the_file_that_stands_for_a_damaged_copy_is_named(tmp_path):
    path = tmp_path / "a.0.h5"
    path.write_text("no HDF5")
    message = f"{path}: cannot be read .*; delete {tmp_path / 'a.h5'} and run prepare"
    with pytest.raises(DataError, match=message), io.open_features(path):
        pass


def test_a_field_that_is_not_there_is_named(features):
    path, _ = features
    with pytest.raises(DataError, match="another"), io.open_features(path) as store:
        store["another"][:]


def test_errors_of_others_pass_through(features):
    path, _ = features
    with pytest.raises(DataError, match="^mine$"), io.open_features(path):
        raise DataError("mine")
    with pytest.raises(ZeroDivisionError), io.open_features(path):
        raise ZeroDivisionError


def test_io_imports_nothing_heavy():
    """Programs that only look at files start at once."""
    code = (
        "import sys; from crema.utils import io\n"
        "print([m for m in ('jams', 'h5py', 'librosa', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "[]"
