"""Charts of rhythm games: beats, audio, and rejected charts."""

import sys

import jams
import mido
import numpy as np
import pytest
import soundfile

from crema import exceptions
from crema.corpus import charts
from crema.exceptions import AnnotationError, CorpusError

RATE = 8000


def write_chart(directory, tracks, tempi=((0, 500_000),), seconds=10.0, ini=None):
    """Write notes.mid, from events (tick, note) by track name, and two parts."""
    directory.mkdir(parents=True)
    midi = mido.MidiFile(ticks_per_beat=480)
    changes, now = mido.MidiTrack(), 0
    for tick, tempo in tempi:
        changes.append(mido.MetaMessage("set_tempo", tempo=tempo, time=tick - now))
        now = tick
    midi.tracks.append(changes)
    for name, events in tracks.items():
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for tick, note in events:
            track.append(mido.Message("note_on", note=note, time=tick - now))
            now = tick
        midi.tracks.append(track)
    midi.save(directory / "notes.mid")
    click = np.zeros(int(seconds * RATE), np.float32)
    click[3 * RATE] = 0.5
    soundfile.write(directory / "song.ogg", click, RATE)
    soundfile.write(directory / "guitar.wav", np.full(RATE, 0.25), RATE)
    soundfile.write(directory / "preview.wav", np.ones(RATE), RATE)
    if ini is not None:
        (directory / "song.ini").write_text(ini)
    return directory


def quarters(*beats):
    return [(480 * beat, 96) for beat in beats]


def times(output, track_id):
    (annotation,) = jams.load(str(output / f"{track_id}.jams")).annotations
    return [(round(beat.time, 4), beat.value) for beat in annotation.data]


def test_a_beat_is_a_quarter_of_the_tempo_map(tmp_path):
    notes = {"PART GUITAR": quarters(4, 8, 10)}
    # From the eighth quarter, at 4 s, a quarter lasts 0.25 s.
    write_chart(tmp_path / "band/song", notes, [(0, 500_000), (8 * 480, 250_000)])
    assert charts.main([str(tmp_path), str(tmp_path / "out")]) == 0
    # The audio begins one second before the first note.
    expected = [(1 + 0.5 * n, None) for n in range(5)] + [(3.25, None), (3.5, None)]
    assert times(tmp_path / "out", "band_song") == [*expected, (3.75, None)]
    y, rate = soundfile.read(tmp_path / "out/band_song.flac")
    assert (rate, len(y)) == (RATE, int(4.5 * RATE))
    # The parts are summed, without files that are not part of the song.
    assert y[2 * RATE] == pytest.approx(0.5, abs=0.1)
    assert y[:100].max() < 0.1


def test_a_beat_track_tells_bars_and_a_delay_moves_them(tmp_path):
    beats = [(480 * n, 12 if n % 3 == 1 else 13) for n in range(8)]
    tracks = {"PART GUITAR": quarters(0, 7), "BEAT": beats}
    ini = "[Song]\nname = 100% loud\ndelay = 250\n"
    write_chart(tmp_path / "band/song", tracks, ini=ini)
    assert charts.main([str(tmp_path), str(tmp_path / "out")]) == 0
    positions = [None, 1, 2, 3, 1, 2, 3, 1]
    expected = [(0.25 + 0.5 * n, place) for n, place in enumerate(positions)]
    assert times(tmp_path / "out", "band_song") == expected


def test_parts_are_added(tmp_path):
    chart = write_chart(tmp_path / "band/song", {"PART GUITAR": quarters(0, 1)})
    y, rate = charts.read_parts(chart)
    assert (len(y), rate) == (10 * RATE, RATE)
    assert y[:RATE].mean() == pytest.approx(0.25, abs=0.02)
    assert y[3 * RATE] == pytest.approx(0.5, abs=0.1)


def test_bad_charts_are_named_and_lose_no_other(tmp_path, capsys):
    songs = tmp_path / "songs"
    for name in ("good", "silent", "damaged", "empty", "ini"):
        ini = "[song]\ndelay = soon\n" if name == "ini" else None
        notes = {} if name == "empty" else {"PART GUITAR": quarters(2, 6)}
        write_chart(songs / name, notes, ini=ini, seconds=4.0)
    for name in ("song.ogg", "guitar.wav"):
        (songs / "silent" / name).unlink()
    (songs / "damaged/notes.mid").write_bytes(b"MThd nonsense")
    write_chart(songs / "late", {"PART GUITAR": quarters(100, 104)}, seconds=4.0)
    assert charts.main([str(songs), str(tmp_path / "out"), "--jobs", "2"]) == 1
    told = capsys.readouterr().err
    for name in ("silent", "damaged", "empty", "ini", "late"):
        assert f"songs_{name} left out" in told
    assert "1 charts converted" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("songs_good.flac", "songs_good.jams")
    }


def test_without_mido_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    for name in ("a", "b"):
        write_chart(tmp_path / "band" / name, {"PART GUITAR": quarters(0, 4)})
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(SystemExit) as caught:
        exceptions.program(lambda: charts.main([str(tmp_path), str(tmp_path / "out")]))
    advice = "error: mido is not installed; install it: python -m pip install mido"
    assert caught.value.code == advice
    assert capsys.readouterr().err == ""


def test_nothing_to_convert(tmp_path):
    with pytest.raises(CorpusError, match=r"no notes\.mid"):
        charts.find(tmp_path)
    for name in ("a b", "a_b"):
        write_chart(tmp_path / "band" / name, {"PART GUITAR": quarters(0)})
    with pytest.raises(CorpusError, match="would get the track id band_a_b"):
        charts.find(tmp_path)


def test_what_others_made_is_not_overwritten(tmp_path):
    write_chart(tmp_path / "band/song", {"PART GUITAR": quarters(0, 4)})
    found = charts.find(tmp_path)
    other = tmp_path / "band_song.jams"
    other.write_text("{}")
    with pytest.raises(AnnotationError, match="was not made by"):
        charts.convert(tmp_path, found, "band_song")
    assert other.read_text() == "{}" and not (tmp_path / "band_song.flac").exists()


def test_a_release_that_was_added_is_kept(tmp_path):
    write_chart(tmp_path / "band/song", {"PART GUITAR": quarters(0, 7)})
    assert charts.main([str(tmp_path), str(tmp_path / "out")]) == 0
    path = tmp_path / "out/band_song.jams"
    jam = jams.load(str(path))
    jam.file_metadata.release = "An album"
    jam.save(str(path))
    assert charts.main([str(tmp_path), str(tmp_path / "out")]) == 0
    kept = jams.load(str(path)).file_metadata
    assert (kept.artist, kept.release) == ("band", "An album")
