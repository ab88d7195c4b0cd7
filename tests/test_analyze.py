"""The program crema and crema.analyze.analyze, on every kind of audio."""

import pathlib
import subprocess
import sys

import jams
import numpy as np
import pytest
import soundfile

from crema import analyze, models
from crema.audio import as_mono
from crema.exceptions import AudioError, ModelError
from crema.models import chord
from crema.utils import io

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


def test_without_a_model_crema_says_so():
    with pytest.raises(ModelError, match="--model training/chord/resources"):
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
    assert isinstance(caught.value, models.ModelError | io.CremaError)
    assert "\n" not in str(caught.value)


# --- the program ----------------------------------------------------------------------


def crema(*args):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "crema.analyze", *map(str, args)],
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
    done = crema(*files, "--model", trained, "--output-dir", out)
    assert done.returncode == 1
    assert sorted(path.name for path in out.iterdir()) == ["a.jams", "c.jams"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert len(errors) == 2 and "b.mp3: cannot be read as audio" in errors[0]
    assert "Traceback" not in done.stderr
    assert_covers(io.read_jams(out / "a.jams"), 2)


def test_one_file_to_one_output(model, trained, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", tone(2), RATE)
    target = tmp_path / "a.jamz"
    assert analyze.run([tmp_path / "a.wav"], target, None, [str(trained)]) == 0
    assert_covers(io.read_jams(target), 2)
    assert analyze.run([tmp_path / "a.wav"], None, None, [str(trained)]) == 0
    assert '"namespace": "chord"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["a.wav"], "--model training/chord/resources"),
        (["a.wav", "-o", "a.txt"], "must end in .jams or .jamz"),
        (["a.wav", "b.wav", "-o", "c.jams"], "need --output-dir"),
        (["x/a.wav", "y/a.wav", "--output-dir", "out"], "two audio files would be"),
        (["a.wav", "--model", "nowhere"], "nowhere: holds no trained model"),
    ],
)
def test_wrong_use_is_one_line(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        from crema import exceptions

        exceptions.program(lambda: analyze.main(args))
    text = str(caught.value.code)
    assert text.startswith("error: ") and message in text and "\n" not in text
    assert not list(pathlib.Path(tmp_path).iterdir())
