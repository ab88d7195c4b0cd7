"""POP909: selection and split of songs, arrangement, and annotation."""

import itertools
import json
import shutil

import jams
import numpy as np
import pretty_midi
import pytest
import soundfile

from crema import notes
from crema.corpus import arrange, idioms, pop909
from crema.corpus.render import DEFAULT_SOUNDFONT
from crema.exceptions import AnnotationError, ConfigError, CorpusError

CHORDS = [[0.0, 1.0, "N"], [1.0, 3.0, "C:maj/3"], [3.0, 5.0, "X"], [5.0, 7.0, "A:min7"]]


def write_song(source, name, barred=True, tempo=120.0):
    """Write a song of 7 seconds: a scale on MELODY, chords on PIANO."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=tempo)
    for track, pitches in (("MELODY", range(60, 72)), ("PIANO", [48] * 12)):
        instrument = pretty_midi.Instrument(0, name=track)
        for i, pitch in enumerate(pitches):
            note = pretty_midi.Note(90, pitch, 1 + i / 2, 1.4 + i / 2)
            instrument.notes.append(note)
        midi.instruments.append(instrument)
    for folder in ("midi", "labels"):
        (source / folder).mkdir(parents=True, exist_ok=True)
    midi.write(str(source / "midi" / f"{name}.mid"))
    beats = [[i / 2, 1 + i % 4 if barred else None] for i in range(14)]
    labels = {
        "chords": CHORDS,
        "keys": [[0.0, 7.0, "Gb:major"]],
        "beats": beats,
        "sections": [[1.0, 7.0, "A"]] if barred else [],
        "duration": 7.0,
    }
    (source / "labels" / f"{name}.json").write_text(json.dumps(labels))


@pytest.fixture
def source(tmp_path):
    source = tmp_path / "source"
    rows = ["id\tartist\tdownbeat_ok\tsections\tduration"]
    for i in range(9):
        write_song(source, f"00{i}", barred=i % 2 == 0)
        rows.append(f"00{i}\tartist{i // 2}\t1\t1\t7.0")
    (source / "tracks.tsv").write_text("\n".join(rows) + "\n")
    return source


@pytest.fixture
def run(source, tmp_path):
    other = shutil.copy(DEFAULT_SOUNDFONT, tmp_path / "other.sf2")

    def run(*options, output=tmp_path / "corpus"):
        fonts = ["--soundfont", str(DEFAULT_SOUNDFONT), "--test-soundfont", str(other)]
        status = pop909.main([str(source), str(output), *fonts, *options])
        return status, output

    return run


def split(output):
    return [
        {row["track_id"]: row["group"] for row in json.loads(path.read_text())}
        for path in (output / "index_train.json", output / "index_test.json")
    ]


ROWS = [(f"{i:03}", f"artist{int(i**0.7)}") for i in range(300)]


def test_a_longer_choice_begins_with_the_shorter():
    assert pop909.choose(ROWS, 80, 0.2, 0)[:40] == pop909.choose(ROWS, 40, 0.2, 0)
    assert pop909.choose(ROWS, 40, 0.2, 0) == pop909.choose(ROWS[::-1], 40, 0.2, 0)
    assert pop909.choose(ROWS, 40, 0.2, 1) != pop909.choose(ROWS, 40, 0.2, 0)


@pytest.mark.parametrize("n_tracks", [10, 40, 300, 1000])
def test_artists_do_not_cross_and_the_share_is_kept(n_tracks):
    chosen = pop909.choose(ROWS, n_tracks, 0.2, 0)
    assert len(chosen) == len({song for song, *_ in chosen}) == min(n_tracks, 300)
    sides = {}
    for _, artist, is_test in chosen:
        assert sides.setdefault(artist, is_test) == is_test
    assert np.mean([is_test for *_, is_test in chosen]) == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_chords_do_not_overlap_by_rounding(seed):
    times = np.cumprod(np.random.default_rng(seed).uniform(1, 4, 8))
    chords = [[a, b, "C:maj"] for a, b in itertools.pairwise(times)]
    labels = {"chords": chords, "beats": [], "keys": [], "sections": []}
    song = pop909.Song("1", "a", False, [], [], {})
    jam = pop909.annotate(song, labels, times[-1] + 0.123456789)
    intervals, _ = jam.annotations[0].to_interval_values()
    assert np.array_equal(intervals[1:, 0], intervals[:-1, 1])


def test_tempo_map_is_obeyed(tmp_path):
    path = tmp_path / "tempo.mid"
    midi = pretty_midi.PrettyMIDI(initial_tempo=60)
    piano = pretty_midi.Instrument(0, name="PIANO")
    piano.notes = [pretty_midi.Note(90, 60, t, t + 0.5) for t in (0, 1, 2, 3)]
    midi.instruments.append(piano)
    midi.write(str(path))
    # Twice as fast from the third beat on.
    import mido

    file = mido.MidiFile(path)
    change = mido.MetaMessage("set_tempo", tempo=500_000, time=2 * file.ticks_per_beat)
    file.tracks[0].insert(-1, change)
    file.save(path)
    ((name, notes, _),) = arrange.read_tracks(path)
    assert name == "PIANO"
    assert [note.start for note in notes] == pytest.approx([0, 1, 2, 2.5])


@pytest.mark.parametrize("program, end", [(0, 2.0), (48, 0.5)])
def test_pedal_holds_only_what_dies_away(tmp_path, program, end):
    midi = pretty_midi.PrettyMIDI()
    piano = pretty_midi.Instrument(0, name="PIANO")
    piano.notes = [pretty_midi.Note(90, 60, 0.0, 0.5), pretty_midi.Note(90, 62, 2, 2.5)]
    for time, value in ((0.25, 127), (1.0, 90), (2.0, 0), (2.2, 127)):
        piano.control_changes.append(pretty_midi.ControlChange(64, value, time))
    midi.instruments.append(piano)
    midi.write(str(tmp_path / "pedal.mid"))
    (track,) = arrange.read_tracks(tmp_path / "pedal.mid")
    part = arrange.play(track, program)
    assert part.program == program
    # The pedal of the second note is never lifted: the end of the key counts.
    assert [note.end for note in part.notes] == pytest.approx([end, 2.5], abs=2e-3)


def test_bass_plays_the_lowest_note_of_each_chord():
    beats = [(i / 2, 1 + i % 4) for i in range(14)]
    for seed in range(8):
        part = arrange.bass_part(CHORDS, beats, np.random.default_rng(seed))
        assert not part.is_drum
        for note in part.notes:
            inside = [c for c in CHORDS if c[0] <= note.start and note.end <= c[1]]
            assert note.pitch % 12 == {"C:maj/3": 4, "A:min7": 9}[inside[0][2]]
        assert {1.0, 5.0} <= {note.start for note in part.notes}


def test_guitar_plays_no_fifth_that_the_chord_has_not():
    chords = [[0.0, 2.0, "C:maj"], [2.0, 4.0, "B:dim"], [4.0, 6.0, "N"]]
    beats = [(i / 2, 1 + i % 4) for i in range(12)]
    part = arrange.guitar_part(chords, beats, np.random.default_rng(0))
    heard = [{n.pitch % 12 for n in part.notes if n.start // 2 == i} for i in range(3)]
    assert heard == [{0, 7}, {11}, set()]


def test_pad_holds_the_tones_of_the_chord():
    part = arrange.pad_part(CHORDS, np.random.default_rng(0))
    first, second = ([n for n in part.notes if n.start == start] for start in (1, 5))
    assert {n.pitch % 12 for n in first} == {0, 4, 7}
    assert {n.pitch % 12 for n in second} == {9, 0, 4, 7}
    assert {n.end for n in first} == {3.0}


def test_line_ups_vary_and_every_track_is_in_one():
    tracks = [
        (name, [arrange.Note(1.0, 2.0, pitch, 90)], [])
        for name, pitch in (("MELODY", 72), ("BRIDGE", 60), ("PIANO", 48))
    ]
    beats = [(i / 2, 1 + i % 4) for i in range(40)]
    names = []
    for seed in range(300):
        labels = {"chords": CHORDS, "beats": beats}
        stems = arrange.arrange(tracks, labels, 0.5, np.random.default_rng(seed))
        names.append({stem.name for stem in stems})
        assert len(names[-1]) == len(stems)
        played = [
            note.pitch
            for stem in stems
            if stem.name in ("melody", "voice", "chords")
            for part in stem.parts
            for note in part.notes
        ]
        assert sorted(played) == [48, 60, 72]
    # Chords alone, or a band in 0.85 of the pieces, with the requested shares.
    assert sum(n == {"chords"} for n in names) == pytest.approx(45, abs=20)
    assert sum("drums" in n for n in names) == pytest.approx(127, abs=30)
    assert sum("voice" in n for n in names) == pytest.approx(127, abs=30)
    assert sum("guitar" in n for n in names) == pytest.approx(51, abs=22)


@pytest.mark.parametrize("barred", [True, False])
def test_drums_play_on_the_beats(barred):
    times = np.cumsum(np.linspace(0.4, 0.6, 64))
    beats = [(t, 1 + i % 4 if barred else None) for i, t in enumerate(times)]
    for seed in range(8):
        part = arrange.drum_part(beats, np.random.default_rng(seed))
        starts = np.unique([note.start for note in part.notes])
        on_beat = np.abs(starts[:, None] - times).min(axis=0) < 1e-9
        assert on_beat[16:].mean() > 0.4
        sixteenths = np.interp(np.arange(0, 63.01, 0.25), np.arange(64), times)
        assert np.abs(starts[:, None] - sixteenths).min(axis=1).max() < 1e-9
        if barred:
            assert times[16] in starts


def test_no_beats_no_drums():
    rng = np.random.default_rng(0)
    assert arrange.drum_part([], rng).notes == []
    assert len(arrange.bass_part(CHORDS, [], rng).notes) == 2


def test_corpus(run):
    status, output = run("--tracks", "8", "--jobs", "2")
    assert status == 0
    train, test = split(output)
    assert len(train) + len(test) == 8
    assert train and test and not set(train.values()) & set(test.values())
    shifts = set()
    for track_id, artist in {**train, **test}.items():
        jam = jams.load(str(output / f"{track_id}.jams"), validate=True, strict=True)
        info = soundfile.info(output / f"{track_id}.flac")
        assert (info.samplerate, info.channels) == (44100, 1)
        assert jam.file_metadata.duration == info.frames / 44100 >= 5
        assert jam.file_metadata.artist == artist
        font = "other.sf2" if track_id in test else DEFAULT_SOUNDFONT.name
        drawn = jam.sandbox.drawn
        assert set(dict(drawn["soundfonts"]).values()) == {font}
        assert (track_id in test) == ("semitones" not in drawn)

        # Test songs as written; the others in another key and tempo.
        shift = drawn.get("semitones", 0)
        shifts.add(shift)
        (chord,) = jam.search(namespace="chord")
        intervals, values = chord.to_interval_values()
        expected = [notes.transpose(label, shift) for _, _, label in CHORDS]
        assert values[:4] == expected
        assert intervals[0, 0] == 0
        assert intervals[-1, 1] == pytest.approx(jam.file_metadata.duration, abs=2e-6)
        assert jams.eval.chord(chord, chord)["tetrads_inv"] == pytest.approx(1)
        (key,) = jam.search(namespace="key_mode")
        assert key.data[0].value == notes.transpose("Gb:major", shift)

        barred = int(track_id[-1]) % 2 == 0
        (beat,) = jam.search(namespace="beat")
        times, positions = beat.to_event_values()
        # The second chord begins at the third beat.
        assert times[2] == pytest.approx(intervals[1, 0], abs=2e-6)
        if track_id in test:
            assert times[:3] == pytest.approx([0, 0.5, 1.0])
        else:
            assert not np.allclose(times[:3], [0, 0.5, 1.0], atol=1e-3)
        assert positions[:2] == ([1, 2] if barred else [None, None])
        assert len(jam.search(namespace="segment_open")) == barred
        for annotation in jam.annotations:
            assert annotation.duration == jam.file_metadata.duration
            assert annotation.annotation_metadata.data_source
    assert len(shifts) > 2


def test_second_run_renders_only_what_is_missing_or_stale(run, tmp_path):
    _, output = run("--tracks", "6")
    train, test = split(output)
    audio = {path: path.stat().st_mtime_ns for path in output.glob("*.flac")}
    bytes_before = {path: path.read_bytes() for path in audio}
    lost = min(audio)
    lost.unlink()

    run("--tracks", "8")
    assert lost.read_bytes() == bytes_before[lost]
    more_train, more_test = split(output)
    assert train.items() <= more_train.items() and test.items() <= more_test.items()
    for path, mtime in audio.items():
        assert (path.stat().st_mtime_ns == mtime) == (path != lost)

    second = shutil.copy(DEFAULT_SOUNDFONT, tmp_path / "second.sf2")
    run("--tracks", "8", "--test-soundfont", str(second))
    for path in audio.keys() - {lost}:
        stale = path.stem in test
        assert (path.stat().st_mtime_ns != audio[path]) == stale


def test_renditions_and_idioms_stand_beside_the_songs(run, tmp_path):
    _, once = run("--tracks", "6", output=tmp_path / "once")
    assert run("--tracks", "6", "--renditions", "2", "--idioms", "1")[0] == 0
    corpus = tmp_path / "corpus"
    (songs, test), (train, all_tests) = split(once), split(corpus)
    for path in once.glob("pop909_*"):
        assert path.read_bytes() == (corpus / path.name).read_bytes()
    more = {
        f"{song}_{name}": group
        for song, group in songs.items()
        for name in ("2", "idiom_1")
    }
    assert (train, all_tests) == (songs | more, test)
    for song in songs:
        paths = [corpus / f"{song}{name}.jams" for name in ("", "_2", "_idiom_1")]
        assert len({path.with_suffix(".flac").read_bytes() for path in paths}) == 3
        each = [jams.load(str(path)) for path in paths]
        assert len({jam.file_metadata.title for jam in each}) == 1
        drawn = [jam.sandbox.drawn for jam in each]
        assert drawn[0] != drawn[1] and drawn[2]["idiom"] in idioms.IDIOMS


def test_song_does_not_depend_on_the_others(run, tmp_path):
    _, one = run("--tracks", "6")
    _, two = run("--tracks", "9", "--jobs", "2", output=tmp_path / "two")
    for path in one.glob("pop909_*"):
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_broken_songs_are_named_and_lose_no_other(run, source, capsys):
    (source / "midi" / "000.mid").write_bytes(b"MThd nonsense")
    (source / "labels" / "001.json").write_text('{"chords": [[0, 1, "H:maj"]]}')
    (source / "labels" / "002.json").unlink()
    status, output = run("--tracks", "9")
    assert status == 1
    train, test = split(output)
    assert set(train) | set(test) == {f"pop909_00{i}" for i in range(3, 9)}
    report = capsys.readouterr().err
    for name in ("000.mid", "001.json", "002.json"):
        assert sum(f"/{name}" in line for line in report.splitlines()) == 1


def test_unreadable_midi(tmp_path):
    with pytest.raises(AnnotationError, match=r"none\.mid"):
        arrange.read_tracks(tmp_path / "none.mid")


def test_wrong_arguments(run, source):
    with pytest.raises(ConfigError, match="--renditions 0"):
        run("--renditions", "0")
    with pytest.raises(ConfigError, match="--idioms -1"):
        run("--idioms", "-1")
    with pytest.raises(ConfigError, match="--tracks"):
        run("--tracks", "2")
    with pytest.raises(ConfigError, match=r"gone\.sf2"):
        run("--test-soundfont", "gone.sf2")
    (source / "tracks.tsv").write_text("name\n001\n")
    with pytest.raises(CorpusError, match=r"tracks\.tsv"):
        run()
