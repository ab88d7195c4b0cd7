"""Data sets of mirdata as corpora, with synthetic files in their layout."""

import json
import os
import pathlib
import sys
import types

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from crema.corpus import mirdata as tool
from crema.exceptions import AnnotationError, ConfigError, CorpusError
from crema.utils import jamsfile

RATE = 8000


def write_audio(path, seconds=4.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE))
    soundfile.write(path, y, RATE, format="MP3" if path.suffix == ".mp3" else None)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def beatles(home):
    """Chords, beats, keys; no artist."""
    tracks = {}
    for track, album in (("0101", "01_-_One"), ("0102", "01_-_One"), ("10CD1", "10")):
        name = f"{album}/{track}_-_Song"
        files = {
            "audio": f"audio/{name}.wav",
            "beat": f"annotations/beat/The Beatles/{name}.txt",
            "chords": f"annotations/chordlab/The Beatles/{name}.lab",
            "keys": f"annotations/keylab/The Beatles/{name}.lab",
            "sections": f"annotations/seglab/The Beatles/{name}.lab",
        }
        write_audio(home / files["audio"])
        write(home / files["beat"], "0.5\t3\n1.0\t4\n1.5\t1\n2.0\t2\n5.0\t3\n")
        write(home / files["chords"], "0.0 0.5 N\n0.5 2.5 D:min/b3\n3.0 6.0 G\n")
        write(home / files["keys"], "0\t0.5\tSilence\n0.5\t9\tKey\tD:minor\n")
        write(home / files["sections"], "0\t9\t0\tverse\n")
        tracks[track] = files
    return tracks


def giantsteps_key(home):
    """A key without times, as a str; several artists; MP3."""
    tracks = {}
    for track, key in (("1", "Eb minor"), ("2", "Q sharp")):
        name = f"{track}00 Some - Title (Mix)"
        files = {
            "audio": f"audio/{name}.mp3",
            "key": f"keys_gs+/{name}.txt",
            "meta": f"meta/{name}.json",
        }
        write_audio(home / files["audio"])
        write(home / files["key"], key)
        artists = [{"name": "One"}, {"name": "Two"}]
        write(home / files["meta"], json.dumps({"artists": artists}))
        tracks[track] = files
    return tracks


def gtzan_genre(home):
    """Beats with and without positions; ids with a dot."""
    tracks = {}
    for track, beats in (("jazz.00000", "0.5 4\n1 1\n"), ("jazz.00001", "0.5\n1\n")):
        files = {
            "audio": f"gtzan_genre/genres/jazz/{track}.wav",
            "beats": f"gtzan_tempo_beat-main/beats/{track}.beats",
            "tempo": f"gtzan_tempo_beat-main/tempo/{track}.bpm",
        }
        write_audio(home / files["audio"])
        write(home / files["beats"], beats)
        tracks[track] = files
    return tracks


def billboard(home):
    """Chords in five reductions; artist and title in a table."""
    files = {"audio": "audio/0003.flac", "salami": "McGill-Billboard/0003/s.txt"}
    for name in ("full", "majmin7", "majmin7inv", "majmin", "majmininv"):
        files[f"lab_{name}"] = f"McGill-Billboard/0003/{name}.lab"
        label = "A:min7/b3" if name == "full" else "A:min"
        write(home / files[f"lab_{name}"], f"0.0\t2.0\t{label}\n")
    files |= {"bothchroma": "b.csv", "tuning": "t.csv"}
    write_audio(home / files["audio"])
    header = "id,chart_date,target_rank,actual_rank,title,artist,peak_rank,weeks\n"
    write(home / "billboard-2.0-index.csv", header + "0003,,,,A Song,An Artist,,\n")
    return {"0003": files}


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Lay out a data set; return its directory, the output and the command."""
    core = pytest.importorskip("mirdata.core")
    monkeypatch.setattr(core.Index, "get_path", lambda _: str(tmp_path / "index.json"))

    def lay_out(make):
        home, output = tmp_path / "home", tmp_path / "corpus"
        tracks = {
            track: {key: [path, "no checksum"] for key, path in files.items()}
            for track, files in make(home).items()
        }
        index = {"version": "1.0", "tracks": tracks}
        write(tmp_path / "index.json", json.dumps(index))

        def run(*options):
            arguments = [make.__name__, output, "--data-home", home, *options]
            return tool.main([str(argument) for argument in arguments])

        return home, output, run

    return lay_out


def contents(path):
    """Return the rows of each annotation, by namespace."""
    return {
        annotation.namespace: [
            (round(o.time, 4), round(o.time + o.duration, 4), o.value)
            for o in annotation.data
        ]
        for annotation in jamsfile.read(path).annotations
    }


def test_chords_beats_and_keys(dataset, capsys):
    home, output, run = dataset(beatles)
    assert run() == 0
    assert sorted(path.name for path in output.iterdir()) == [
        f"{track}.{ext}"
        for track in ("0101", "0102", "10CD1")
        for ext in ("jams", "wav")
    ]
    source = home / "audio" / "10" / "10CD1_-_Song.wav"
    assert os.path.samefile(output / "10CD1.wav", source)
    jam = jamsfile.read(output / "10CD1.jams")
    assert jam.file_metadata.duration == 4.0
    assert jam.file_metadata.title == "10CD1_-_Song"
    assert jam.file_metadata.artist == ""
    assert jam.sandbox.mirdata["dataset"] == "beatles"
    assert jam.sandbox.mirdata["track_id"] == "10CD1"
    assert contents(output / "10CD1.jams") == {
        "chord": [(0, 0.5, "N"), (0.5, 2.5, "D:min/b3"), (3, 4, "G")],
        "beat": [(0.5, 0.5, 3), (1, 1, 4), (1.5, 1.5, 1), (2, 2, 2)],
        "key_mode": [(0.5, 4, "D:minor")],
    }
    for annotation in jam.annotations:
        assert (annotation.time, annotation.duration) == (0, 4)
        assert annotation.annotation_metadata.corpus == "beatles"
    assert "chords: used in 3 tracks" in capsys.readouterr().err


def test_key_as_text_and_artists(dataset, capsys):
    _, output, run = dataset(giantsteps_key)
    assert run() == 1
    assert sorted(path.name for path in output.iterdir()) == ["1.jams", "1.mp3"]
    jam = jamsfile.read(output / "1.jams")
    assert jam.file_metadata.artist == "One, Two"
    duration = jam.file_metadata.duration
    assert duration == pytest.approx(4.0, abs=0.1)
    rows = contents(output / "1.jams")
    assert rows == {"key_mode": [(0, round(duration, 4), "Eb:minor")]}
    errors = capsys.readouterr().err.splitlines()
    assert errors[-1].startswith(
        "2 left out: key cannot be used: 'Q sharp' is not a key"
    )


def test_positions_and_ids(dataset):
    _, output, run = dataset(gtzan_genre)
    assert run() == 0
    assert contents(output / "jazz_00000.jams")["beat"] == [(0.5, 0.5, 4), (1, 1, 1)]
    rows = contents(output / "jazz_00001.jams")["beat"]
    assert rows == [(0.5, 0.5, None), (1, 1, None)]


def test_one_of_several_properties(dataset, capsys):
    _, output, run = dataset(billboard)
    assert run() == 0
    assert contents(output / "0003.jams") == {"chord": [(0, 2, "A:min7/b3")]}
    metadata = jamsfile.read(output / "0003.jams").file_metadata
    assert (metadata.artist, metadata.title) == ("An Artist", "A Song")
    assert run("--property", "chords_majmin") == 0
    assert contents(output / "0003.jams") == {"chord": [(0, 2, "A:min")]}
    assert "chords_majmin: used in 1 tracks" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="no chord_full; choose from .*chords_full"):
        run("--property", "chord_full")


def test_bad_tracks_are_listed_and_lose_no_other(dataset, capsys):
    home, output, run = dataset(beatles)
    labels = home / "annotations" / "chordlab" / "The Beatles"
    write(labels / "01_-_One" / "0101_-_Song.lab", "0.0 0.5 N\n0.5 2.5 H:min\n")
    (home / "audio" / "01_-_One" / "0102_-_Song.wav").unlink()
    assert run() == 1
    assert sorted(path.name for path in output.iterdir()) == ["10CD1.jams", "10CD1.wav"]
    first, second = (
        line for line in capsys.readouterr().err.splitlines() if "left out" in line
    )
    assert (
        first.startswith("0101 left out: chords cannot be read (") and "H:min" in first
    )
    assert second.startswith("0102 left out: there is no audio file ")
    assert "0102_-_Song.wav" in second


def test_metadata_that_was_not_downloaded_is_missed(dataset, capsys):
    home, _, run = dataset(billboard)
    (home / "billboard-2.0-index.csv").unlink()
    assert run() == 1
    assert "title cannot be read (Metadata not found" in capsys.readouterr().err


def test_second_run_and_files_of_others(dataset, capsys):
    _, output, run = dataset(billboard)
    assert run() == run() == 0
    (output / "0003.jams").write_text("{}")
    (output / "0003.flac").unlink()
    assert run() == 1
    assert not (output / "0003.flac").exists()
    assert (output / "0003.jams").read_text() == "{}"
    assert "0003.jams: already exists" in capsys.readouterr().err


def test_colliding_ids(dataset):
    def gtzan_genre_twice(home):
        tracks = gtzan_genre(home)
        return tracks | {"jazz_00000": tracks["jazz.00000"]}

    gtzan_genre_twice.__name__ = "gtzan_genre"
    _, output, run = dataset(gtzan_genre_twice)
    with pytest.raises(CorpusError, match="'jazz.00000' and 'jazz_00000' would both"):
        run()
    assert not output.exists()


def test_safe_ids():
    ids = ["plain", "a.b/c", "-x", "trailing.", "a\\b", "..", "Ünï code (1)"]
    expected = ["plain", "a_b_c", "_x", "trailing_", "a_b", "_", "Ünï code (1)"]
    assert tool.safe_ids(ids) == dict(zip(ids, expected, strict=True))
    with pytest.raises(CorpusError, match="'a.b' and 'a/b' would both be named a_b"):
        tool.safe_ids(["a.b", "a/b"])


def test_place_links_or_copies(tmp_path, monkeypatch):
    source, target = tmp_path / "source.wav", tmp_path / "new" / "target.wav"
    source.write_bytes(b"one")
    (tmp_path / "link.wav").symlink_to(source)
    tool.place(tmp_path / "link.wav", target)
    assert os.path.samefile(source, target) and not target.is_symlink()
    tool.place(source, target)
    other = tmp_path / "other.wav"
    other.write_bytes(b"two")
    tool.place(other, target)
    assert target.read_bytes() == b"two" and source.read_bytes() == b"one"

    def refuse(*_):
        raise OSError("across file systems")

    monkeypatch.setattr(os, "link", refuse)
    tool.place(source, target)
    assert target.read_bytes() == b"one" and not os.path.samefile(source, target)
    assert sorted(path.name for path in target.parent.iterdir()) == ["target.wav"]


@pytest.fixture
def annotations():
    return pytest.importorskip("mirdata.annotations")


def test_units(annotations):
    times = np.array([500.0, 1000.0])
    beats = annotations.BeatData(times, "ms", np.array([0, 1]), "bar_index")
    assert tool.observe("beat", beats) == [(0.5, None), (1.0, 1)]
    beats = annotations.BeatData(times / 1000, "s", np.array([7, 8]), "global_index")
    assert tool.observe("beat", beats) == [(0.5, None), (1.0, None)]
    intervals = np.array([[3.0, 5.0], [0.0, 3.0]])
    chords = annotations.ChordData(intervals, "s", ["C", "D:9"], "harte")
    assert tool.observe("chord", chords) == [(0.0, 3.0, "D:9"), (3.0, 5.0, "C")]
    keys = annotations.KeyData(intervals, "ticks", ["C", "D"], "key_mode")
    with pytest.raises(ValueError, match="times are in ticks"):
        tool.observe("key_mode", keys)


def test_find_recognises_types_not_data_sets(annotations):
    times, intervals = np.array([1.0]), np.array([[0.0, 1.0]])
    beats = annotations.BeatData(times, "s", np.array([1]), "bar_index")
    chords = annotations.ChordData(intervals, "s", ["C"], "harte")

    class Track:
        mode = "minor"  # not a property

        def __init__(self):
            self.beats_path = "a str, not beats"

        onsets_b = property(lambda self: beats)
        downbeats = property(lambda self: "no BeatData")
        tactus_beats = property(lambda self: beats)
        inferred_chords = property(lambda self: chords)
        leadsheet_chords = property(lambda self: chords)
        key_number = property(lambda self: 3)
        key = property(lambda self: "F#")
        audio = property(lambda self: 1 / 0)

        def load_chords(self):
            return chords

    found = tool.find(Track())
    assert found == {
        "chord": ("inferred_chords", chords),
        "beat": ("tactus_beats", beats),
        "key_mode": ("key", "F# minor"),
    }
    found = tool.find(Track(), ["leadsheet_chords"])
    assert found["chord"] == ("leadsheet_chords", chords)
    assert found["beat"] == ("tactus_beats", beats)

    # The plain name is preferred, then the fullest.
    Track.beats = property(lambda self: beats)
    Track.chords_full = property(lambda self: chords)
    found = tool.find(Track())
    assert (found["beat"][0], found["chord"][0]) == ("beats", "chords_full")

    Track.key = property(lambda self: ["F minor", "Ab major"])
    assert tool.find(Track())["key_mode"] == ("key", "F minor | Ab major")
    Track.key = property(lambda self: None)
    assert "key_mode" not in tool.find(Track())
    Track.key = property(lambda self: 1 / 0)
    with pytest.raises(AnnotationError, match=r"key cannot be read \(division"):
        tool.find(Track())


def test_without_mirdata(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(ConfigError, match="pip install 'mirdata>=1.0'"):
        tool.main(["beatles", str(tmp_path)])


def test_wrong_arguments(dataset, tmp_path):
    home, output, run = dataset(beatles)
    with pytest.raises(ConfigError, match="no audio_mic_path; .*--audio .*audio_path"):
        run("--audio", "audio_mic_path")
    with pytest.raises(
        ConfigError, match="beatles: mirdata cannot load this .*Invalid"
    ):
        run("--version", "7")
    with pytest.raises(
        ConfigError, match="no data set beetles; choose from .* beatles"
    ):
        tool.main(["beetles", str(output), "--data-home", str(home)])
    with pytest.raises(ConfigError, match="nowhere: no such directory"):
        tool.main(["beatles", str(output), "--data-home", str(tmp_path / "nowhere")])
    (tmp_path / "index.json").unlink()
    with pytest.raises(ConfigError, match=r"no index of beatles yet; .*'index'"):
        run()
    assert not output.exists()


def test_a_package_that_a_data_set_needs(annotations, monkeypatch, tmp_path):
    import mirdata

    def initialize(*_, **__):
        raise ImportError("No module named 'music21'")

    monkeypatch.setattr(mirdata, "initialize", initialize)
    with pytest.raises(ConfigError, match=r"music21.*'mirdata\[haydn_op20\]'"):
        tool.load("haydn_op20", tmp_path)


def test_a_data_set_without_tracks(annotations, monkeypatch, tmp_path):
    empty = types.SimpleNamespace(track_ids=[])
    monkeypatch.setattr(tool, "load", lambda *_: empty)
    with pytest.raises(CorpusError, match="lists no tracks"):
        tool.convert("slakh", tmp_path)


def test_the_module_of_the_same_name_is_not_in_the_way(annotations, run_script):
    # Wherever mirdata is installed.
    site = pathlib.Path(annotations.__file__).parents[1]
    path = os.pathsep.join(map(str, (ROOT, site)))
    arguments = ("-m", "crema.corpus.mirdata", "beetles", "output")
    done = run_script(*arguments, env={"PYTHONPATH": path})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: mirdata ")
    assert "no data set beetles" in done.stderr
