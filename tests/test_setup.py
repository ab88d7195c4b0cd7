"""Stage 0: copies are complete, correct and reproducible."""

import json

import numpy as np
import pytest
import soundfile
from conftest import CHORD, SAMPLE_RATE, annotate, run_main, synthesise, write_pair

from crema.deformers import TimeStretch
from crema.exceptions import AnnotationError, AudioError, ConfigError, CremaError
from crema.utils import audiofile, disk, index, jamsfile, setup

SCRIPT = CHORD / "00-setup.py"
CHORDS = ["C:maj", "F#:min7/b3"]


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def augment(source, target, *options, track="a", semitones=(-1, 2)):
    run_main(
        SCRIPT,
        *("--corpus", source, "--output-dir", target, "--track", track),
        *("--semitones", *semitones),
        *options,
    )


@pytest.fixture
def source(tmp_path):
    directory = tmp_path / "corpus"
    write_pair(directory, "a", CHORDS)
    return directory


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The copies of a track whose annotation has the wrong duration."""
    directory = tmp_path_factory.mktemp("made")
    jam = annotate(CHORDS)
    jam.file_metadata.duration = 100.0
    audiofile.write(directory / "in" / "a.flac", synthesise(CHORDS), SAMPLE_RATE)
    jamsfile.write(directory / "in" / "a.jams", jam)
    augment(directory / "in", directory / "out", semitones=(-2, 0, 1, 4))
    return directory / "out"


def history(path):
    return jamsfile.read(path).sandbox["muda"]["history"]


# --- what is made ---------------------------------------------------------------------


def test_the_copies_and_their_record(made):
    copies = [f"a.{number}.{ext}" for number in range(4) for ext in ("flac", "jams")]
    assert names(made) == sorted([*copies, "a.json"])
    record = json.loads((made / "a.json").read_text())
    assert record["track_id"] == "a"
    assert [copy["augment_id"] for copy in record["copies"]] == ["0", "1", "2", "3"]
    semitones = [copy["state"]["n_semitones"] for copy in record["copies"]]
    assert semitones == [-2, 0, 1, 4]
    assert [copy["duration"] for copy in record["copies"]] == [3.0] * 4
    assert setup.copies_of(made, "a") == ["0", "1", "2", "3"]


def test_each_copy_tells_how_it_was_made(made):
    for number, semitones in enumerate((-2, 0, 1, 4)):
        (step,) = history(made / f"a.{number}.jams")
        assert step["state"]["n_semitones"] == semitones
        assert step["transformer"]["__class__"] == "PitchShift"


def test_labels_of_a_copy(made):
    for number, expected in [
        (0, ["Bb:maj", "E:min7/b3"]),
        (1, CHORDS[:1] + ["Gb:min7/b3"]),
        (2, ["Db:maj", "G:min7/b3"]),
        (3, ["E:maj", "Bb:min7/b3"]),
    ]:
        path = made / f"a.{number}.jams"
        jam = jamsfile.read(path)
        assert path.read_text().isascii()
        assert [o.value for o in jam.annotations["chord", 0]] == expected
        assert [o.value for o in jam.annotations["beat", 0]] == [1, 2, 3, 4, 1, 2]
    assert jam.annotations["key_mode", 0].data[0].value == "E:major"


def test_the_duration_is_that_of_the_audio(made):
    for number in range(4):
        jam = jamsfile.read(made / f"a.{number}.jams")
        info = soundfile.info(made / f"a.{number}.flac")
        assert jam.file_metadata.duration == info.frames / info.samplerate == 3.0
        assert info.samplerate == SAMPLE_RATE


def chroma(path):
    """Return the energy of each pitch class in the first chord."""
    y, sr = audiofile.read(path)
    y = y[: int(1.4 * sr)]
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    frequency = np.fft.rfftfreq(len(y), 1 / sr)
    heard = (frequency > 100) & (frequency < 1000)
    pitch = np.round(69 + 12 * np.log2(frequency[heard] / 440)).astype(int) % 12
    return np.bincount(pitch, power[heard], 12)


def test_the_audio_of_a_copy_plays_its_labels(made):
    for number, semitones in enumerate((-2, 0, 1, 4)):
        loudest = np.argsort(chroma(made / f"a.{number}.flac"))[-3:]
        assert set(loudest) == {(tone + semitones) % 12 for tone in (0, 4, 7)}


def test_the_audio_is_not_in_the_annotation(made):
    for path in made.glob("*.jams"):
        assert "_audio" not in path.read_text() and path.stat().st_size < 20_000


@pytest.mark.parametrize("audio_format", ["ogg", "wav"])
@pytest.mark.parametrize("jams_ext", ["jams", "jamz"])
def test_other_formats(tmp_path, audio_format, jams_ext):
    source, target = tmp_path / "in", tmp_path / "out"
    audiofile.write(source / "a.ogg", synthesise(CHORDS), SAMPLE_RATE)
    jamsfile.write(source / f"a.{jams_ext}", annotate(CHORDS))
    options = ("--audio-ext", "ogg", "--jams-ext", jams_ext)
    augment(source, target, *options, "--format", audio_format, semitones=(1,))
    expected = {f"a.0.{audio_format}", f"a.0.{jams_ext}", "a.json"}
    assert set(names(target)) == expected
    assert soundfile.info(target / f"a.0.{audio_format}").frames == 3 * SAMPLE_RATE
    (step,) = history(target / f"a.0.{jams_ext}")
    assert step["state"]["n_semitones"] == 1


def test_stereo_becomes_one_channel_at_its_own_rate(tmp_path, source):
    y = np.stack([synthesise(CHORDS)] * 2, axis=1)
    audiofile.write(source / "a.flac", y, 44100)
    augment(source, tmp_path / "out", semitones=(0,))
    info = soundfile.info(tmp_path / "out" / "a.0.flac")
    assert (info.channels, info.samplerate) == (1, 44100)
    expected, found = (
        audiofile.read(path)[0]
        for path in (source / "a.flac", tmp_path / "out" / "a.0.flac")
    )
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_no_copies_at_all(tmp_path, source):
    augment(source, tmp_path / "out", semitones=())
    assert names(tmp_path / "out") == ["a.json"]
    assert setup.copies_of(tmp_path / "out", "a") == []
    setup.augment("a", index.Corpus(source), tmp_path / "none", "flac", None)
    assert names(tmp_path / "none") == ["a.json"]


# --- running again --------------------------------------------------------------------


def test_fewer_semitones_leave_no_stale_copies(tmp_path, source):
    target = tmp_path / "out"
    augment(source, target, semitones=(-1, 1, 2))
    augment(source, target, "--format", "wav", semitones=(3,))
    assert names(target) == ["a.0.jams", "a.0.wav", "a.json"]
    assert setup.copies_of(target, "a") == ["0"]


def test_a_track_removes_its_own_copies_only(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    tracks = ["a", "ab", "a[1] b", "a1 b", "a*", "it's"]
    for track in tracks:
        write_pair(source, track, ["C:maj"])
        augment(source, target, track=track, semitones=(1, 2))
    for track in tracks:
        augment(source, target, track=track, semitones=(1,))
        shortened = tracks[: tracks.index(track) + 1]
        for other in tracks:
            count = 1 if other in shortened else 2
            assert setup.copies_of(target, other) == ["0", "1"][:count]
            there = {name for name in names(target) if name.startswith(f"{other}.")}
            assert len(there) == 1 + 2 * count


def test_the_same_seed_gives_the_same_bytes(tmp_path, source):
    for run in ("one", "two"):
        augment(source, tmp_path / run, "--seed", 1, semitones=(3,))
    assert names(tmp_path / "one") == names(tmp_path / "two")
    for name in names(tmp_path / "one"):
        contents = {(tmp_path / run / name).read_bytes() for run in ("one", "two")}
        assert len(contents) == 1, name


class AtRandom(TimeStretch):
    """Draws its rates from NumPy's global state, as muda's random deformers do."""

    def states(self, jam):
        for rate in np.random.uniform(0.8, 1.2, 2):
            yield {"rate": float(rate)}


def test_what_is_drawn_belongs_to_the_track(tmp_path):
    """It does not depend on the earlier tracks of the process, or on their order."""
    source = tmp_path / "corpus"
    for track in ("a", "b"):
        write_pair(source, track, CHORDS)

    def rates(run, tracks, seed=1):
        for track in tracks:
            setup.augment(
                track, index.Corpus(source), tmp_path / run, "flac", AtRandom(), seed
            )
        records = [disk.read_json(tmp_path / run / f"{track}.json") for track in "ab"]
        return [[c["state"]["rate"] for c in r["copies"]] for r in records]

    first = rates("one", "ab")
    assert rates("two", "ba") == first
    assert first[0] != first[1] and first[0][0] != first[0][1]
    assert rates("three", "ab", seed=2) != first


def test_the_originals_are_never_removed(source):
    """Not even if the copies go to the same directory, as their names suggest."""
    try:
        augment(source, source, semitones=(1,))
    except CremaError as error:
        assert str(source) in str(error)
    assert {"a.flac", "a.jams"} <= set(names(source))


def test_the_record_is_written_last(tmp_path, source, monkeypatch):
    target = tmp_path / "out"
    augment(source, target, semitones=(1, 2))
    written = []
    writers = ((audiofile, "write"), (jamsfile, "write"), (disk, "write_json"))
    for module, name in writers:
        original = getattr(module, name)

        def spy(path, *args, original=original):
            assert not (target / "a.json").exists()
            written.append(path.name)
            original(path, *args)

        monkeypatch.setattr(module, name, spy)
    augment(source, target, semitones=(1, 2))
    assert written[-1] == "a.json" and written.count("a.json") == 1
    assert len(written) == 5


def test_a_run_that_fails_leaves_no_record(tmp_path, source):
    target = tmp_path / "out"
    augment(source, target, semitones=(1,))
    whole = (source / "a.flac").read_bytes()
    (source / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="a.flac"):
        augment(source, target, semitones=(1,))
    assert not (target / "a.json").exists()
    with pytest.raises(CremaError, match="a.json"):
        setup.copies_of(target, "a")


# --- errors ---------------------------------------------------------------------------


def test_a_pair_that_is_not_whole(tmp_path, source):
    (source / "a.jams").unlink()
    with pytest.raises(AnnotationError, match="a.jams: no such annotation file"):
        augment(source, tmp_path / "out")
    (source / "a.flac").unlink()
    with pytest.raises(AudioError, match="a.flac: no such audio file"):
        augment(source, tmp_path / "out")


def test_no_tracks_to_work_on(tmp_path, source):
    with pytest.raises(ConfigError, match="--index or --track"):
        run_main(SCRIPT, "--corpus", source, "--output-dir", tmp_path / "out")


@pytest.mark.parametrize("track", ["a.b", "../a", "a/b", ""])
def test_a_track_that_is_no_track_id(tmp_path, source, track):
    with pytest.raises(CremaError, match="--track: track_id .* cannot be used"):
        augment(source, tmp_path / "out", track=track)
    assert names(source) == ["a.flac", "a.jams"]


def test_a_format_that_is_not_supported(tmp_path, source):
    with pytest.raises(ConfigError, match="'mp3' is not one of flac, ogg, wav"):
        setup.augment("a", index.Corpus(source), tmp_path / "out", "mp3", None)


@pytest.fixture
def several(tmp_path):
    """Arguments for three tracks, the second of which is bad."""
    source = tmp_path / "in"
    for track in ("first", "second", "third"):
        write_pair(source, track, ["C:maj"])
    (source / "second.jams").write_text("garbage")
    records = [{"track_id": name} for name in ("first", "second", "third")]
    index.write_index(tmp_path / "index.json", records)
    return [
        *("--corpus", source, "--index", tmp_path / "index.json"),
        *("--output-dir", tmp_path / "out", "--semitones", 1),
    ]


DONE = [f"{t}.{e}" for t in ("first", "third") for e in ("0.flac", "0.jams", "json")]


def test_one_bad_track_stops_no_other(several, tmp_path, capsys):
    with pytest.raises(CremaError, match="^1 of 3 tracks failed, see above$"):
        run_main(SCRIPT, *several)
    assert names(tmp_path / "out") == DONE
    errors = capsys.readouterr().err
    progress, _, faults = errors.partition("[3/3] third\n")
    assert "[2/3] second FAILED" in progress
    assert faults.startswith("error: ") and "second.jams: is not valid JAMS" in faults


def test_one_bad_track_stops_no_other_job(several, tmp_path, run_script):
    done = run_script(SCRIPT, *several, "--jobs", 2)
    assert done.returncode == 1
    assert names(tmp_path / "out") == DONE
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert "second.jams: is not valid JAMS" in errors[0] and len(errors) == 2
    assert errors[1] == lines[-1] == "error: 1 of 3 tracks failed, see above"
    assert "Traceback" not in done.stderr
    # A library warning would add a line for each process.
    progress = [line for line in lines if line.startswith("[")]
    assert len(progress) == 3 and len(lines) <= 5


def test_several_bad_tracks_are_counted(several, tmp_path):
    (tmp_path / "in" / "third.flac").unlink()
    with pytest.raises(CremaError, match="^2 of 3 tracks failed"):
        run_main(SCRIPT, *several)
    assert names(tmp_path / "out") == DONE[:3]
