"""The program crema and crema.analyze.analyze, on every kind of audio."""

import importlib
import os
import pathlib
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time

import jams
import numpy as np
import pytest
import soundfile
from conftest import ROOT, annotate, one_line

from crema import (
    analyze,
    batch,
    exceptions,
    formats,
    models,
    program,
    stored,
)
from crema.audio import Audio, as_mono
from crema.exceptions import AudioError, CremaError, ModelError
from crema.models import chord
from crema.record import RECORD, Record, state
from crema.utils import audiofile, disk, jamsfile, processes

RATE = 22050


@pytest.fixture(scope="module")
def model(trained):
    return models.load(trained)


def tone(seconds, rate=RATE):
    t = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


def assert_covers(jam, duration):
    assert jam.file_metadata.duration == pytest.approx(duration)
    annotation = jam.annotations["chord", 0]
    assert annotation.duration == pytest.approx(duration)
    end = 0.0
    for observation in annotation.data:
        assert observation.time == pytest.approx(end, abs=1e-6)
        assert observation.duration > 0
        assert 0 <= observation.confidence <= 1
        end = observation.time + observation.duration
    assert end == pytest.approx(duration)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_any_sampling_rate(model, rate):
    assert_covers(analyze.analyze(y=tone(3, rate), sr=rate, model=model), 3)


@pytest.mark.parametrize("ext", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_format(model, tmp_path, ext, channels):
    y = np.tile(tone(3)[:, np.newaxis], channels)
    soundfile.write(tmp_path / f"song.{ext}", y, RATE)
    jam = analyze.analyze(filename=tmp_path / f"song.{ext}", model=model)
    assert_covers(jam, jam.file_metadata.duration)
    assert jam.file_metadata.duration == pytest.approx(3, abs=0.1)
    assert jam.file_metadata.title == "song"


@pytest.mark.parametrize("seconds", [1.5 / RATE, 0.05, 0.5])
def test_short_audio(model, seconds):
    y = tone(seconds)
    assert_covers(analyze.analyze(y=y, sr=RATE, model=model), len(y) / RATE)


def test_silence(model):
    y = np.zeros(5 * RATE, np.float32)
    assert_covers(analyze.analyze(y=y, sr=RATE, model=model), 5)


def test_half_an_hour(model):
    assert_covers(analyze.analyze(y=np.tile(tone(60), 30), sr=RATE, model=model), 1800)


def test_integers_are_scaled(model):
    y = tone(2)
    expected = model.outputs(y=y, sr=RATE)
    for dtype, full in (("int16", 2**15), ("int32", 2**31)):
        whole = (y.astype(float) * full).astype(dtype)
        found = model.outputs(y=whole, sr=RATE)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, atol=0.05)
    unsigned = ((y + 1) * 127.5).astype("uint8")
    assert np.abs(as_mono(unsigned) - y).max() < 0.02


def test_stereo_is_mixed_down():
    left, right = tone(1), np.zeros(RATE, np.float32)
    np.testing.assert_allclose(as_mono(np.stack([left, right])), left / 2)


@pytest.mark.parametrize(
    ("y", "sr"),
    [
        ([], RATE),
        ([np.nan] * 9000, RATE),
        (["a", "b"], RATE),
        (np.zeros((2, 2, 2)), RATE),
        ([0.0] * 9000, None),
        (None, None),
    ],
)
def test_bad_audio_is_refused(model, y, sr):
    with pytest.raises(AudioError):
        analyze.analyze(y=y, sr=sr, model=model)


def test_outputs_have_names_and_are_posteriors(model):
    outputs = model.outputs(y=tone(3), sr=RATE)
    assert list(outputs)[0] == "chord_tag.chord"
    assert {len(array) for array in outputs.values()} == {32}
    np.testing.assert_allclose(outputs["chord_tag.chord"].sum(axis=1), 1, rtol=1e-4)
    assert outputs["chord_tag.chord"].shape[1] == 170
    assert set(model.inputs) | {model.output_names[0]} <= set(model.pump.fields)


def test_the_annotation_names_the_model(model, trained):
    metadata = model.predict(y=tone(2), sr=RATE).annotation_metadata
    assert metadata.version == (trained / "version.txt").read_text().strip()
    assert metadata.annotation_tools.startswith("crema ")


# --- decoding -------------------------------------------------------------------------


def decode(observations, bass):
    annotation = jams.Annotation("chord", time=0, duration=len(bass) * 0.1)
    for start, end, label in observations:
        annotation.append(time=start, duration=end - start, value=label, confidence=0.5)
    posterior = np.full((len(bass), 13), 0.01)
    posterior[np.arange(len(bass)), bass] = 0.88
    result = chord.add_inversions(annotation, posterior, 0.9, 0.1)
    return [
        (round(o.time, 3), round(o.time + o.duration, 3), o.value) for o in result.data
    ]


def test_inversions_split_a_segment():
    found = decode([(0, 2, "C:maj")], [0] * 10 + [4] * 10)
    assert found == [(0, 1.05, "C:maj"), (1.05, 2, "C:maj/3")]


def test_a_bass_outside_the_chord_is_no_inversion():
    assert decode([(0, 2, "C:maj")], [2] * 20) == [(0, 2, "C:maj")]


def test_no_chord_has_no_bass():
    found = decode([(0, 1, "N"), (1, 2, "A:min7")], [4] * 10 + [7] * 10)
    assert found == [(0, 1, "N"), (1, 2, "A:min7/b7")]


def test_a_glitch_of_the_bass_is_smoothed_away():
    assert decode([(0, 2, "C:maj")], [0] * 9 + [4] + [0] * 10) == [(0, 2, "C:maj")]


# --- models that cannot be used -------------------------------------------------------


def test_without_a_model_crema_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "RELEASED", tmp_path)
    with pytest.raises(ModelError, match="contains no trained model"):
        analyze.analyze(y=tone(1), sr=RATE)


@pytest.mark.parametrize("name", ["model.h5", "pump.pkl", "decoder.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_damaged_models_name_the_file(trained, tmp_path, name, damage):
    for path in trained.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    with pytest.raises(Exception, match=name) as caught:
        models.load(tmp_path)
    assert isinstance(caught.value, CremaError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({}, "an older version .*; train it again, or use that version of crema"),
        (
            {"format": 1},
            "an older version .*; train it again, or use that version of crema",
        ),
        ({"format": 3}, "a newer version .*; update crema"),
        ({"format": "x"}, "a newer version .*; update crema"),
    ],
)
def test_models_of_another_format_say_so(
    trained, tmp_path, monkeypatch, known, message
):
    settings = disk.read_json(trained / "settings.json")
    assert settings.pop("format") == stored.FORMAT
    disk.write_json(tmp_path / "settings.json", settings | known)
    monkeypatch.setattr(stored, "FORMAT", 2)
    for use in (models.load, models.find):
        with pytest.raises(ModelError) as caught:
            use(tmp_path)
        text = str(caught.value)
        assert re.fullmatch(f"{tmp_path}/settings.json: was made by {message}", text)


def test_models_without_a_number_are_of_the_first_format(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model")
    settings = disk.read_json(trained / "settings.json")
    del settings["format"]
    disk.write_json(tmp_path / "model" / "settings.json", settings)
    assert models.load(tmp_path / "model").name == "chord"


# --- the program ----------------------------------------------------------------------


def crema(*args):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "crema", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_program_annotates_many_and_goes_on_after_a_bad_one(trained, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2), RATE)
    soundfile.write(tmp_path / "c.flac", tone(2), RATE)
    (tmp_path / "b.mp3").write_text("this is not audio")
    files = [tmp_path / name for name in ("a.wav", "b.mp3", "c.flac")]
    out = tmp_path / "out"
    options = ["--model", trained, "--output-dir", out, "--jobs", 2, "--posteriors"]
    done = crema(*files, *options)
    assert done.returncode == 1
    made = ["a.jams", "a.npz", "c.jams", "c.npz", "crema.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == made
    lines = [line for line in done.stderr.splitlines() if line[0] in "[e "]
    assert [line[:5] for line in lines[:3]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert f"{tmp_path / 'b.mp3'} FAILED" in done.stderr
    assert lines[3] == "error: 1 of 3 files failed:"
    assert lines[4].startswith(f"  {tmp_path / 'b.mp3'}: cannot be read as audio")
    assert "Traceback" not in done.stderr
    assert_covers(jamsfile.read(out / "a.jams"), 2)


def test_one_file_to_each_output(trained, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", tone(2), RATE)
    common = [str(tmp_path / "a.wav"), "--model", str(trained)]
    target = tmp_path / "a.jamz"
    assert program.main([*common, "-o", str(target)]) == 0
    assert_covers(jamsfile.read(target), 2)
    assert program.main(common) == 0
    assert '"namespace": "chord"' in capsys.readouterr().out
    assert program.main([*common, "--format", "lab"]) == 0
    assert capsys.readouterr().out.startswith("0.000\t")
    extras = [
        "--posteriors",
        str(tmp_path / "p.npz"),
        "--plot",
        str(tmp_path / "p.png"),
    ]
    assert program.main([*common, *extras]) == 0
    assert capsys.readouterr().out == ""
    with np.load(tmp_path / "p.npz", allow_pickle=False) as data:
        expected = models.load(trained).outputs(filename=tmp_path / "a.wav")
        for name, array in expected.items():
            np.testing.assert_allclose(data[name], array, atol=1e-5)
            assert len(data[f"{name}.classes"]) == array.shape[-1]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["a.wav", "-o", "a.txt"], "must end in .jams, .jamz, .lab, .csv or .json"),
        (["a.wav", "-o", "a.csv", "--format", "lab"], "a.csv: does not match --format"),
        (["a.wav", "b.wav", "-o", "c.jams"], "need --output-dir"),
        (["a.wav", "-o", "-"], "leave out -o to write to standard output"),
        (
            [*("a.wav", "-o", "x.npz", "--format", "jams"), "--posteriors", "x.npz"],
            "x.npz, x.npz: name a file of its own for each output",
        ),
        (["."], "need --output-dir"),
        ([".", "--output-dir", "out"], ".: contains no audio that"),
        (["a.wav", "--model", "nowhere"], "nowhere: no such directory; train"),
        (["a.wav", "--posteriors"], "--posteriors needs a file name"),
        (["a.wav", "--output-dir", "out", "--plot", "a.png"], "--plot takes no name"),
    ],
)
def test_wrong_use_is_one_line(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        exceptions.program(lambda: program.main(args))
    text = str(caught.value.code)
    assert text.startswith("error: ") and message in text and "\n" not in text
    assert not list(pathlib.Path(tmp_path).iterdir())


@pytest.mark.parametrize("tasks", [["key"], ["beat", "chord"]])
def test_files_that_are_not_printed_say_what_to_do(tmp_path, capsys, tasks):
    audio = tmp_path / "a.wav"
    soundfile.write(audio, tone(1), RATE)
    words = [str(audio), "--format", "lab", "--tasks", ",".join(tasks)]
    assert program.main(words) == 1
    said = capsys.readouterr().err.rstrip()
    assert said.startswith("error: lab writes one file for each of ")
    assert said.endswith("choose one with --tasks") == (len(tasks) > 1)


def test_what_is_printed_is_utf_8():
    """Whatever the encoding of the terminal, as in files."""
    code = "from crema.exceptions import program; program(lambda: print(chr(0x591C)))"
    latin = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = os.environ | latin
    environment.pop("PYTHONIOENCODING", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True
    )
    assert done.stdout.decode() == f"{chr(0x591C)}\n"


def test_audio_of_unknown_full_scale_is_refused():
    for dtype in (np.int64, np.uint64):
        with pytest.raises(AudioError, match="int16 or int32"):
            as_mono(np.ones(100, dtype))
    with pytest.raises(AudioError, match="not both"):
        Audio("song.wav", np.zeros(100), 44100)


def test_a_missing_file_is_told_before_models_are_loaded(monkeypatch):
    monkeypatch.setattr(batch, "loaded", None)
    song = batch.Song("gone.wav", "gone")
    with pytest.raises(AudioError, match="no such audio file"):
        batch.annotate((), None, "jams", song)


@pytest.mark.parametrize("option", ["-o", "--posteriors", "--plot"])
def test_the_audio_is_not_written_over(option, tmp_path):
    audio = tmp_path / "a.wav"
    audio.write_text("audio")
    for name in ("a.json", "a.npz", "a.png"):
        (tmp_path / name).symlink_to(audio)
    output = {"-o": "a.json", "--posteriors": "a.npz", "--plot": "a.png"}[option]
    with pytest.raises(CremaError, match=f"{output}: is the audio file itself"):
        program.main([str(audio), option, str(tmp_path / output)])
    options = ["--output-dir", str(tmp_path), "--format", "json"]
    with pytest.raises(CremaError, match="a.json: is the audio file itself"):
        program.main([str(audio), *options])


@pytest.mark.parametrize("option", ["-o", "--posteriors", "--plot"])
def test_where_nothing_can_be_written_is_told_at_the_start(
    option, tmp_path, monkeypatch
):
    monkeypatch.setattr(batch, "run", None)
    name = {"-o": "a.json", "--posteriors": "a.npz", "--plot": "a.png"}[option]
    (tmp_path / "file").touch()
    (tmp_path / name).mkdir()
    for output in (tmp_path / "file" / "new" / name, tmp_path / name):
        with pytest.raises(CremaError) as caught:
            program.main([str(tmp_path / "a.wav"), option, str(output)])
        line = one_line(caught, output)
        assert "irectory; name another output" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "file"]


def test_whoever_reads_the_annotation_may_stop_before_the_end(tmp_path, monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError

    audiofile.write(tmp_path / "a.wav", tone(1), RATE)
    monkeypatch.setattr(batch, "loaded", lambda model, tasks: [])
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(BrokenPipeError):
        program.main([str(tmp_path / "a.wav")])


@pytest.mark.parametrize(
    "args", [["--posteriors", "a.wav"], ["a.wav", "--jobs", "0"], ["--format", "midi"]]
)
def test_wrong_options_are_refused(args, capsys):
    with pytest.raises(SystemExit):
        program.main(args)
    assert "error: argument --" in capsys.readouterr().err


def test_two_models_of_one_estimator_are_refused(trained):
    with pytest.raises(ModelError, match="two models are given for chord"):
        analyze.load_models([trained, trained])


def test_one_task_is_a_list_of_one():
    assert list(analyze.choose((), "key")) == ["key"]


def test_models_of_one_version_are_told_apart(trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    assert analyze.identify([trained]) == analyze.identify([other])
    (other / "decoder.json").write_text("{}")
    assert analyze.identify([trained]) != analyze.identify([other])


def test_a_file_name_that_is_no_text(tmp_path):
    title = b"caf\xe9".decode(errors="surrogateescape")
    jam = analyze.annotate(Audio(y=np.zeros(100), sr=RATE), [], title)
    assert jam.file_metadata.title == "caf?"


# --- many files, without models -------------------------------------------------------


@pytest.fixture
def batches(tmp_path, monkeypatch):
    """A function that annotates a.wav and b.wav, and returns those not done."""
    version, done = ["abc1234.0"], []

    def annotate(model, tasks, form, song):
        if song.audio.endswith("bad.wav"):
            raise AudioError(f"{song.audio}: is bad")
        done.append(pathlib.Path(song.audio).name)
        song.annotation.parent.mkdir(exist_ok=True)
        song.annotation.write_text("annotation")
        return {song.annotation: ""}, ""

    def run(*names, form="jams", status=0):
        done.clear()
        out = tmp_path / "out"
        songs = [
            batch.Song(str(tmp_path / name), name, out / f"{name}.{form}")
            for name in names
        ]
        assert batch.run(songs, [], None, form, directory=out) == status
        return [*done]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "annotate", annotate)
    monkeypatch.setattr(analyze, "identify", lambda model, tasks: {"chord": version[0]})
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_text("audio")
    run.version, run.directory = version, tmp_path
    return run


def test_what_is_done_is_left_out(batches, capsys):
    assert batches("a.wav") == ["a.wav"]
    assert batches("a.wav", "b.wav") == ["b.wav"]
    assert "1 of 2 files are already done\n[2/2]" in capsys.readouterr().err
    assert batches("a.wav", "b.wav") == []


def test_what_is_out_of_date_is_not_done(batches):
    batches("a.wav", "b.wav")
    out = batches.directory / "out"
    later = (out / "a.wav.jams").stat().st_mtime + 10
    os.utime(batches.directory / "a.wav", (later, later))
    assert batches("a.wav", "b.wav") == ["a.wav"]
    (out / "b.wav.jams").unlink()
    assert batches("a.wav", "b.wav") == ["b.wav"]


def test_what_was_replaced_is_not_done_whenever_it_was_made(batches):
    audio = batches.directory / "a.wav"
    now = time.time()
    for seconds in (now + 1e6, now - 1e6):
        os.utime(audio, (seconds, seconds))
        assert batches("a.wav") == ["a.wav"]
        assert batches("a.wav") == []
    audio.write_text("longer audio")
    os.utime(audio, (seconds, seconds))
    assert batches("a.wav") == ["a.wav"]


def test_what_changed_while_it_was_read_is_not_done(batches, monkeypatch):
    annotate = batch.annotate

    def slow(model, tasks, form, song):
        pathlib.Path(song.audio).write_text("other audio")
        return annotate(model, tasks, form, song)

    monkeypatch.setattr(batch, "annotate", slow)
    assert batches("a.wav") == batches("a.wav") == ["a.wav"]


def test_other_models_or_formats_do_it_again(batches):
    batches("a.wav")
    assert batches("a.wav", form="lab") == ["a.wav"]
    batches.version[0] = "abc1234.1"
    assert batches("a.wav", form="lab") == ["a.wav"]
    assert batches("a.wav", form="lab") == []


def test_one_process_at_a_time_writes_to_a_directory(batches):
    out = batches.directory / "out"
    with Record(out, {}), pytest.raises(CremaError, match="another crema"):
        batches("a.wav")
    assert batches("a.wav") == ["a.wav"]


def test_a_file_that_was_moved_is_done_and_another_of_its_name_is_not(tmp_path):
    out = tmp_path / "out"
    here, there = (tmp_path / place / "song.wav" for place in ("a", "b"))
    disk.write_text(here, "audio")
    with Record(out, {}) as record:
        (out / "song.jams").touch()
        record.add("song", here, {out / "song.jams": ""}, state(here))
    assert Record(out, {}).holds("song", here)
    assert not Record(out, {}).holds("a/song", here)
    # It has moved.
    there.parent.mkdir()
    os.rename(here, there)
    assert Record(out, {}).holds("song", there)
    disk.write_text(here, "other audio")
    assert not Record(out, {}).holds("song", here)


def test_what_is_done_in_one_format_is_not_undone_by_another(tmp_path):
    out, song = tmp_path / "out", tmp_path / "song.wav"
    disk.write_text(song, "audio")
    for form in ("lab", "csv"):
        with Record(out, {"made": [form]}) as record:
            assert not record.holds("song", song)
            (out / f"song.{form}").touch()
            record.add("song", song, {out / f"song.{form}": ""}, state(song))
    for form in ("lab", "csv"):
        record = Record(out, {"made": [form]})
        assert record.holds("song", song, None, None)
        assert not record.holds("song", song, None, out / "song.png")
    # Another model writes to the same files.
    with Record(out, {"made": ["csv"], "models": {}}) as record:
        record.add("song", song, {out / "song.csv": ""}, state(song))
    assert not Record(out, {"made": ["csv"]}).holds("song", song)
    assert Record(out, {"made": ["lab"]}).holds("song", song)


def test_what_was_written_over_is_not_done(tmp_path):
    out = tmp_path / "out"
    songs = [tmp_path / place / "song.wav" for place in ("a", "b")]
    with Record(out, {}) as record:
        (out / "song.jams").touch()
        for song in songs:
            disk.write_text(song, "audio")
            record.add("song", song, {out / "song.jams": ""}, state(song))
    record = Record(out, {})
    assert [record.holds("song", song) for song in songs] == [False, True]
    assert program.find_audio(out / "song.jams") == str(songs[1])


def test_a_record_that_was_cut_off_is_read(batches):
    batches("a.wav", "b.wav")
    record = batches.directory / "out" / RECORD
    record.write_text(record.read_text()[:-20])
    assert batches("a.wav", "b.wav") == ["b.wav"]
    assert batches("a.wav", "b.wav") == []


def test_a_record_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / RECORD).mkdir()
    record = Record(tmp_path, {})
    with pytest.raises(CremaError) as caught:
        record.claim("song", "song.wav", {tmp_path / "song.jams": ""})
    assert "cannot write" in one_line(caught, tmp_path / RECORD)
    with pytest.raises(CremaError, match="cannot write"), record:
        pass


def test_the_bad_are_listed_with_reasons(batches, capsys):
    assert batches("a.wav", "bad.wav", "b.wav", status=1) == ["a.wav", "b.wav"]
    lines = capsys.readouterr().err.splitlines()
    path = batches.directory / "bad.wav"
    assert lines[1] == f"[2/3] {path} FAILED"
    assert lines[3:] == ["error: 1 of 3 files failed:", f"  {path}: is bad"]
    assert batches("a.wav", "bad.wav", "b.wav", status=1) == []


def test_a_bad_model_ends_it(batches, monkeypatch):
    def annotate(model, tasks, form, song):
        raise ModelError("model.h5: is damaged")

    monkeypatch.setattr(batch, "annotate", annotate)
    with pytest.raises(ModelError, match="is damaged"):
        batches("a.wav", "b.wav")


@pytest.fixture
def annotated(tmp_path, monkeypatch):
    """A function that runs the program on song.wav, with a stub model."""

    class Model:
        names = ("chord", "key")

    def run(*options, label="C:maj", status=0):
        monkeypatch.setattr(analyze, "identify", lambda *_: {"chord": label})
        monkeypatch.setattr(analyze, "annotate", lambda *_: annotate([label]))
        words = [str(tmp_path / "song.wav"), "--output-dir", str(tmp_path / "out")]
        assert program.main([*words, *options]) == status

    audiofile.write(tmp_path / "song.wav", tone(2), RATE)
    monkeypatch.setattr(batch, "loaded", lambda model, tasks: [Model()])
    monkeypatch.setattr(formats, "posteriors", lambda *_: b"")
    run.out, run.audio = tmp_path / "out", tmp_path / "song.wav"
    return run


@pytest.mark.parametrize("form", ["jams", "lab"])
def test_what_was_corrected_stays(annotated, capsys, form):
    annotated("--format", form)
    path = annotated.out / {"jams": "song.jams", "lab": "song.chord.lab"}[form]
    mine = path.read_text().replace("C:maj", "C:min")
    path.write_text(mine)
    annotated("--format", form)
    assert "1 of 1 files are already done" in capsys.readouterr().err
    for options, label in ((["--posteriors"], "C:maj"), ([], "D:maj")):
        annotated("--format", form, *options, label=label, status=1)
        text = capsys.readouterr().err
        assert f"error: {path}: was edited, or made by another program or" in text
    os.utime(annotated.audio, (1, 1))
    annotated("--format", form, status=1)
    assert path.read_text() == mine
    path.unlink()
    annotated("--format", form, "--posteriors", label="D:maj")
    assert "D:maj" in path.read_text()


def test_what_crema_wrote_is_written_over(annotated):
    path = annotated.out / "song.jams"
    for label in ("C:maj", "D:maj", "C:maj"):
        annotated(label=label)
        assert label in path.read_text()
        os.utime(path, (1, 1))  # a new time, as after copying
    annotated("--posteriors", "--plot")
    assert (annotated.out / "song.npz").exists() and (
        annotated.out / "song.png"
    ).exists()
    # A file of another song of the same name is crema's own, too.
    other = annotated.out.with_name("elsewhere") / "song.wav"
    other.parent.mkdir()
    annotated.audio.rename(other)
    assert program.main([str(other), "--output-dir", str(annotated.out)]) == 0


def test_a_song_of_the_same_name_is_not_written_over(annotated, capsys):
    annotated()
    path, options = annotated.out / "song.jams", ["--output-dir", str(annotated.out)]
    before = path.read_bytes()
    other, link = (annotated.out.parent / name / "song.wav" for name in ("b", "c"))
    audiofile.write(other, tone(1), RATE)
    link.parent.symlink_to(annotated.audio.parent)
    assert program.main([str(link), *options]) == 0
    capsys.readouterr()
    for form in ("jams", "lab"):
        assert program.main([str(other), *options, "--format", form]) == 1
        said = capsys.readouterr().err
        assert f"{other}: would have the same outputs as {annotated.audio}; " in said
        assert "directory that contains both" in said
    assert path.read_bytes() == before
    path.unlink()
    assert program.main([str(other), *options]) == 0


def test_a_directory_is_annotated_with_its_subdirectories(annotated, capsys):
    annotated()
    music = annotated.out.parent / "Music"
    songs = ["song.wav", "A/1/01.a.flac", "A/2/01.a.flac", "B/x.wav", "B/x.flac"]
    for name in (*songs, ".hidden/y.wav", "B/._x.wav"):
        audiofile.write(music / name, tone(1), RATE)
    (music / "A/2/01.a.flac").rename(music / "A/2/01.a.FLAC")
    (music / "A" / "cover.jpg").touch()
    # Beside the audio, with pictures; of two files of one name, the first.
    words = [str(music), "--output-dir", str(music), "--plot"]
    assert program.main(words) == 1
    said = capsys.readouterr().err
    assert (
        f"  {music}/B/x.wav: would have the same outputs as {music}/B/x.flac; " in said
    )
    assert "directory that contains both" not in said
    made = sorted(map(str, (path.relative_to(music) for path in music.rglob("*.jams"))))
    assert made == ["A/1/01.a.jams", "A/2/01.a.jams", "B/x.jams", "song.jams"]
    assert (music / "A/2/01.a.png").exists()
    assert program.main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("4 of 5 files are already done\n[5/5] ")
    # The same song by itself has another place.
    assert program.main([f"{music}/A/1/01.a.flac", "--output-dir", str(music)]) == 0
    assert (music / "01.a.jams").exists()
    (music / "A/1/01.a.jams").write_text("mine")
    os.utime(music / "A/1/01.a.flac", (1, 1))
    assert program.main([str(music), "--output-dir", str(music)]) == 1
    assert "01.a.jams: was edited, or made by" in capsys.readouterr().err
    # An album is added whose song has the name of one that is done.
    audiofile.write(music / "A/2/01.a.mp3", tone(2), RATE)
    assert program.main([str(music), "--output-dir", str(music)]) == 1
    said = capsys.readouterr().err
    assert f"{music}/A/2/01.a.mp3: would have the same outputs as" in said
    assert "A/2/01.a.FLAC:" not in said


def test_what_cannot_be_searched_stops_no_other(annotated, capsys, monkeypatch):
    annotated()
    music = annotated.out.parent / "Music"
    for name in ("A/1.wav", "B/2.wav", "C/3.wav"):
        audiofile.write(music / name, tone(1), RATE)
    for name in ("A/x.m4a", "A/y.M4A", "z.wma", "notes.txt"):
        (music / name).touch()
    (music / "empty").mkdir()
    audiofile.write(annotated.out.parent / "elsewhere" / "4.wav", tone(1), RATE)
    (music / "D").symlink_to(annotated.out.parent / "elsewhere")
    (music / "again").symlink_to(music / "A")
    (music / "A" / "back").symlink_to(music)
    scandir = os.scandir

    def scan(path):
        if str(path).endswith("/B"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    out = ["--output-dir", str(annotated.out)]
    assert program.main([str(music), str(music / "empty"), *out]) == 1
    said = capsys.readouterr().err
    assert "libsndfile does not read are skipped: m4a (2), wma (1)\n" in said
    assert f"error: 1 of 4 files failed:\n  {music}/B: " in said
    made = {
        str(path.relative_to(annotated.out)) for path in annotated.out.rglob("*.j*s")
    }
    assert made == {"song.jams", "A/1.jams", "C/3.jams", "D/4.jams"}


@pytest.mark.parametrize("name", ["song.jams", "song.npz", "song.png"])
def test_what_others_wrote_stays(annotated, capsys, name):
    """For example, a reference or a picture beside its audio."""
    annotated.out.mkdir()
    path = annotated.out / name
    path.write_text("mine")
    annotated("--posteriors", "--plot", status=1)
    assert f"{path}: was edited, or made by" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert {file.name for file in annotated.out.iterdir()} == {name, RECORD}


@pytest.mark.parametrize("form", ["jams", "lab"])
def test_what_crema_wrote_before_it_was_stopped_is_its_own(
    annotated, monkeypatch, form
):
    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Record, "add", stopped)
        with pytest.raises(KeyboardInterrupt):
            annotated("--format", form)
    name = {"jams": "song.jams", "lab": "song.chord.lab"}[form]
    assert (annotated.out / name).exists()
    annotated("--format", form)
    (annotated.out / name).write_text("mine")
    annotated("--format", form, label="D:maj", status=1)


def test_what_was_corrected_stays_after_a_run_that_failed_to_write(
    annotated, monkeypatch
):
    annotated()

    def broken(*_):
        raise CremaError("cannot write")

    with monkeypatch.context() as context:
        context.setattr(disk, "write_bytes", broken)
        annotated(label="D:maj", status=1)
    path = annotated.out / "song.jams"
    assert "C:maj" in path.read_text()
    path.write_text("mine")
    annotated(label="D:maj", status=1)
    assert path.read_text() == "mine"


def test_what_is_corrected_meanwhile_stays(annotated, monkeypatch):
    annotated()
    path = annotated.out / "song.jams"

    def encode(*_):
        path.write_text("mine")
        return {path: b"new"}

    monkeypatch.setattr(formats, "files", encode)
    annotated(label="D:maj", status=1)
    assert path.read_text() == "mine"


def test_what_was_taken_back_stays(annotated):
    annotated()
    path = annotated.out / "song.jams"
    before = path.read_bytes()
    annotated(label="D:maj")
    path.write_bytes(before)
    annotated(label="E:maj", status=1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_written_before_a_kill_is_its_own(annotated, monkeypatch, cut):
    if cut:  # of the record, by an earlier power failure
        annotated.out.mkdir()
        (annotated.out / RECORD).write_text('{"song": "ano')
    write = disk.write_bytes

    def killed(path, content):
        write(path, content)
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(disk, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            annotated()
    annotated(label="D:maj")
    assert "D:maj" in (annotated.out / "song.jams").read_text()


def test_what_a_killed_process_wrote_is_its_own(annotated, monkeypatch):
    """It is tried again with the arguments of the first time."""
    annotate = batch.annotate

    def twice(*args):
        annotate(*args)
        return annotate(*args)

    monkeypatch.setattr(batch, "annotate", twice)
    annotated("--posteriors")


# --- processes ------------------------------------------------------------------------


def test_each_process_has_its_share_of_threads(monkeypatch):
    for name in processes.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr(processes, "n_cpus", lambda: 7)
    names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS"]
    found = {name: value for name, value, _ in processes.attempts(os.getenv, names, 2)}
    assert found == dict(zip(names, ["7", "3", "3"], strict=True))
    assert [name for name in processes.THREADS if name in os.environ] == [names[0]]


def test_where_all_processes_are_killed_is_one_line():
    with pytest.raises(CremaError, match="a process was killed.*1, 2; use fewer"):
        list(processes.attempts(os._exit, [1, 2, 3], 2))


def test_a_track_whose_process_is_killed_costs_no_other():
    """Not even the track that another process was working on."""
    bad = "import os; os._exit(1)"
    tracks = ["1 + 1", bad, "import time; time.sleep(1)", "2 + 2"]
    found = {track: error for track, _, error in processes.attempts(exec, tracks, 2)}
    assert set(found) == set(tracks)
    assert bad in str(found.pop(bad)) and set(found.values()) == {None}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_package_that_is_missing_ends_all_tracks(jobs):
    with pytest.raises(ModuleNotFoundError) as caught:
        list(processes.attempts(importlib.import_module, ["no_such", "no_such"], jobs))
    assert caught.value.name == "no_such"


SLOW = """\
import sys, time
from crema import exceptions
from crema.utils import audiofile, cli, disk, jamsfile, processes

def write(path):
    with disk.atomic(path) as temporary:
        temporary.write_text("unfinished")
        time.sleep(600)

if __name__ == "__main__":
    exceptions.program(lambda: list(processes.attempts(write, sys.argv[1:], 2)))
"""


@pytest.mark.parametrize("to", ["the group", "the parent"])
def test_ctrl_c_ends_at_once_and_leaves_nothing(tmp_path, to):
    (tmp_path / "slow.py").write_text(SLOW)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, tmp_path / "slow.py", *(out / name for name in "abcdef")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert within(60, lambda: len(list(out.glob(".*"))) == 2)
    (os.killpg if to == "the group" else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
    assert not list(out.iterdir())

    def gone():
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True

    assert within(10, gone)


def within(seconds, condition):
    """Return whether `condition` becomes true in time."""
    for _ in range(10 * seconds):
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("factor", "sr", "message"),
    [
        (1e30, 22050, "samples as large as 1e\\+30, but full scale is 1"),
        (-1e30, 22050, "samples as large as 1e\\+30"),
        (1, 1, "rate of 1 Hz is not usable"),
        (1, True, "a number, sr=44100"),
    ],
)
def test_audio_beyond_all_music_is_refused(tmp_path, factor, sr, message):
    y = factor * np.linspace(0, 1, 100, dtype=np.float32)
    with pytest.raises(AudioError, match=message):
        Audio(y=y, sr=sr)
    path = tmp_path / "a.wav"
    soundfile.write(path, y, int(sr), subtype="FLOAT")
    with pytest.raises(AudioError, match="a.wav"):
        Audio(path)


def test_models_go_to_other_processes():
    (loaded,) = analyze.load_models(tasks="key")
    sent = pickle.loads(pickle.dumps(loaded))
    assert type(sent) is type(loaded) and sent.origin == loaded.origin
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * 22050)
    for name, values in loaded.outputs(y=y, sr=22050).items():
        np.testing.assert_array_equal(sent.outputs(y=y, sr=22050)[name], values)


def test_no_task_is_an_error():
    with pytest.raises(ModelError, match="no task is named; choose from beat, chord"):
        analyze.load_models(tasks=[])
