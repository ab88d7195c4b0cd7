"""Label files to JAMS: accepted lines, errors, and output."""

import math
import pickle

import jams
import mir_eval
import numpy as np
import pytest
from conftest import annotate

from crema import formats
from crema.corpus import common, convert, labels, pair
from crema.exceptions import AnnotationError, ConfigError, CorpusError
from crema.utils import audiofile, cli, jamsfile

RATE = 8000


def read(function, tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return function(path)


@pytest.mark.parametrize(
    "text",
    [
        "0 1.5 C:maj\n1.5 3 A:min7/b3\n",
        "0.000000\t1.5\tC:maj\r\n1.5\t3\tA:min7/b3",
        "# made by hand\n\n  0   1.5 \t C:maj  \n1.5 3e0 A:min7/b3\n\n",
        b"\xef\xbb\xbf0 1.5 C:maj\n1.5 3 A:min7/b3\n",
        "start,end,label,confidence\n0,1.5,C:maj,0.9\n1.5,3,A:min7/b3,\n",
        'start,end,label\n0,1.5,"C:maj"\n1.5,3,A:min7/b3\n',
    ],
)
def test_chords(tmp_path, text):
    expected = [(0, 1.5, "C:maj"), (1.5, 3, "A:min7/b3")]
    assert read(labels.read_chords, tmp_path, text) == expected


def test_gaps_and_rounding_of_chords_stay(tmp_path):
    rows = read(labels.read_chords, tmp_path, "0 1.01 C\n1 1 N\n1 2 X\n3 4 D:(1,5)\n")
    assert rows == [(0, 1.01, "C"), (1, 1, "N"), (1, 2, "X"), (3, 4, "D:(1,5)")]


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("0 1 C\n1 2\n", 2, "'1 2' is not 'start end label'"),
        ("0 1 C\n\n# x\n1 two D\n", 4, "'two' is not a time"),
        ("0 1 C\n1 nan D\n", 2, "'nan' is not a time"),
        ("inf inf C\n", 1, "'inf' is not a time"),
        ("0 1 C\n2 1.5 D\n", 2, "before its start"),
        ("0 1 C\n0.9 2 D\n", 2, "starts at 0.9 s, before the preceding"),
        ("1 2 C\n0 1 D\n", 2, "starts at 0 s, before the preceding"),
        ("0 1 H:maj\n", 1, "'H:maj' is not a chord"),
        ("0 1 C:mayor\n", 1, "'C:mayor' is not a chord"),
        ("0 1 C:aug7\n", 1, "'C:aug7' is not a chord"),
        ("0 1 C maj\n", 1, "'C maj' is not a chord"),
        ("0 1 Am\n", 1, "'Am' is not a chord"),
    ],
)
def test_malformed_chords_are_named_by_file_and_line(tmp_path, text, line, reason):
    with pytest.raises(AnnotationError) as caught:
        read(labels.read_chords, tmp_path, text)
    assert f"labels.txt, line {line}: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "function", [labels.read_chords, labels.read_beats, labels.read_keys]
)
def test_files_that_cannot_be_read(tmp_path, function):
    for text in ("", "\n# nothing\n", "time,label,confidence\n"):
        assert read(function, tmp_path, text) == []
    with pytest.raises(AnnotationError, match=r"labels\.txt: is not UTF-8 text"):
        read(function, tmp_path, "é".encode("latin-1"))
    with pytest.raises(AnnotationError, match=r"none\.lab: cannot be read"):
        function(tmp_path / "none.lab")


@pytest.mark.parametrize(
    "text, positions",
    [
        ("0.5\n1\n1.5\n", [None] * 3),
        ("0.5 3\n1 4\n1.5 1\n", [3, 4, 1]),
        ("0.5\t3\n1\t4\n1.5\t1\n", [3, 4, 1]),
        ("0.5,3\n1, 4\n1.5,1\n", [3, 4, 1]),
        ("0.5 3.0\n1 4.000\n1.5 1e0\n", [3, 4, 1]),
        ("0.5 3\n1 \n1.5 1\n", [3, None, 1]),
        ("0.5  3\n1 \t New Point\n1.5  1\n", [3, None, 1]),
        ("0.5,1.3\n1,1.4\n1.5,2.1\n", [3, 4, 1]),
        ("0.5 0.3\n1 9.10\n1.5 10.1\n", [3, 10, 1]),
        ("0.500\t0.500\t3\n1.000\t1.000\t\n1.500\t1.500\t1\n", [3, None, 1]),
        ("0.5 0.5 3\n1 1 4\n1.5 1.5 1\n", [3, 4, 1]),
        ("0.5 3\n1 1\n1.5 2\n", [3, 1, 2]),
        ("TIME,LABEL\n0.5,3\n1,1\n1.5,2\n", [3, 1, 2]),
        ("time,label,confidence\n0.5,3,0.9\n1,,0.9\n1.5,1,\n", [3, None, 1]),
    ],
)
def test_beats(tmp_path, text, positions):
    rows = read(labels.read_beats, tmp_path, text)
    assert rows == list(zip([0.5, 1.0, 1.5], positions, strict=True))
    assert all(isinstance(position, int | None) for _, position in rows)


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("0.5 1\nx 2\n", 2, "'x' is not a time"),
        ("time position\n0.5 1\n", 1, "'time' is not a time"),
        ("0.5 1\n0.5 2\n", 2, "0.5 s is not later than"),
        ("0.5 1\n0.4 2\n", 2, "0.4 s is not later than"),
        ("0.5 0\n", 1, "'0' is not a position in the bar, counted from 1"),
        ("0.5 -1\n", 1, "'-1' is not a position"),
        ("0.5 one\n", 1, "'one' is not a position"),
        ("0.5 1 2\n", 1, "'1 2' is not a position"),
        ("0.5\t0.7\t2\n", 1, "'0.7 2' is not a position"),
        ("time,label,confidence\n0.5,1,1\n1,one,1\n", 3, "'one' is not a position"),
        ("".join(f"{i} {i}\n" for i in range(1, 40)), 33, "'33' is not a position"),
        ("0.5 1\n1 1.5\n1.5 2\n", 1, "'1' is neither"),
        ("0 1.0\n1 1.5\n", 1, "'1.0' is neither"),
        ("0 1.1\n1 1.5\n2 1.2\n", 3, "'1.2' is neither"),
        ("0 2.1\n1 1.2\n", 2, "'1.2' is neither"),
    ],
)
def test_malformed_beats_are_named_by_file_and_line(tmp_path, text, line, reason):
    with pytest.raises(AnnotationError) as caught:
        read(labels.read_beats, tmp_path, text)
    assert f"labels.txt, line {line}: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text, key",
    [
        ("C", "C:major"),
        ("C major", "C:major"),
        ("C\tmajor", "C:major"),
        ("c minor", "C:minor"),
        ("C#m", "C#:minor"),
        ("C♯m", "C#:minor"),
        ("Ab minor", "Ab:minor"),
        ("A♭ Minor", "Ab:minor"),
        ("Bbmaj", "Bb:major"),
        ("b minor", "B:minor"),
        ("FM", "F:major"),
        ("F:minor", "F:minor"),
        ("E: dorian", "E:dorian"),
        ("D:aeolian", "D:aeolian"),
        ("N", "N"),
        ("Silence", "N"),
        ("X", None),
        ("unknown", None),
    ],
)
def test_keys_of_whole_tracks(tmp_path, text, key):
    assert labels.key_mode(text) == key
    rows = [(0.0, math.inf, key)] if key else []
    assert read(labels.read_keys, tmp_path, f"{text}\n") == rows


@pytest.mark.parametrize(
    "text", ["", "H major", "c", "C modal", "C:maj7", "C##", "C major | A minor", "8B"]
)
def test_what_is_no_key(tmp_path, text):
    with pytest.raises(ValueError, match="is not a key"):
        labels.key_mode(text)
    if text:
        with pytest.raises(AnnotationError, match=r"labels\.txt, line 1: "):
            read(labels.read_keys, tmp_path, text)


@pytest.mark.parametrize(
    "text, rows",
    [
        (
            "0.000\t0.5\tSilence\n0.5\t83\tKey\tBb\n83\t108\tKey\tC#:minor\n",
            [(0, 0.5, "N"), (0.5, 83, "Bb:major"), (83, 108, "C#:minor")],
        ),
        ("0 9 Key A\n", [(0, 9, "A:major")]),
        ("0 9 A minor\n12 20 D:major\n", [(0, 9, "A:minor"), (12, 20, "D:major")]),
        ("0 9 X\n9 10 D\n", [(9, 10, "D:major")]),
        (
            "#@format: key\ttimestamp(float)\nkey 0 D major\n",
            [(0, math.inf, "D:major")],
        ),
        (
            "key 0.5 D major\nkey 7 Em\n",
            [(0.5, 7, "D:major"), (7, math.inf, "E:minor")],
        ),
    ],
)
def test_keys_of_segments(tmp_path, text, rows):
    assert read(labels.read_keys, tmp_path, text) == rows


@pytest.mark.parametrize(
    "text, line",
    [
        ("C major\nA minor\n", 1),
        ("0 5 Key\n", 1),
        ("0 5 Key C\nA minor\n", 2),
        ("0 5 Key C\n5 9 Key H\n", 2),
        ("0 5 Key C\n4 9 Key D\n", 2),
        ("key 0\n", 1),
        ("key 3 C\nkey 1 D\n", 1),
        ("key now C\n", 1),
    ],
)
def test_malformed_keys_are_named_by_file_and_line(tmp_path, text, line):
    with pytest.raises(AnnotationError, match=rf"labels\.txt, line {line}: "):
        read(labels.read_keys, tmp_path, text)


@pytest.fixture
def material(tmp_path):
    """Directories: audio of 4 s, and label files of each kind."""
    for seed, track in enumerate(("song", "other", "bare")):
        y = np.random.default_rng(seed).normal(0, 0.1, 4 * RATE)
        audiofile.write(tmp_path / "audio" / f"{track}.flac", y, RATE)
    for name, text in {
        "chords/song.lab": "-0.1 1.1 N\n1.1 2.3 C:maj/3\n3 9 A:min7\n",
        "chords/other.lab": "0 4.3 D\n",
        "beats/song.beats": "-0.2 4\n0.1 1\n0.7 2\n1.3\n3.999 3\n4 4\n5 1\n",
        "keys/song.key": "C#m\n",
        "keys/other.lab": "0 2 Key G\n3 4 Silence\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def run(material, monkeypatch):
    monkeypatch.chdir(material)

    def run(*options, kinds=("chords", "beats", "keys")):
        directories = [word for kind in kinds for word in (f"--{kind}", kind)]
        return convert.main(["audio", *directories, *options])

    return run


def test_one_jams_per_track(run, material, capsys):
    assert run() == 0
    jam = jams.load(str(material / "audio" / "song.jams"), validate=True, strict=True)
    assert (jam.file_metadata.title, jam.file_metadata.duration) == ("song", 4.0)
    assert [a.namespace for a in jam.annotations] == ["chord", "beat", "key_mode"]
    assert {(a.time, a.duration) for a in jam.annotations} == {(0, 4)}
    chord, beat, key = jam.annotations
    intervals, values = chord.to_interval_values()
    assert values == ["N", "C:maj/3", "A:min7"]
    expected = [[0, 1.1], [1.1, 2.3], [3, 4]]
    assert intervals == pytest.approx(np.asarray(expected), abs=1e-6)
    assert intervals[0, 1] == intervals[1, 0]
    mir_eval.chord.evaluate(intervals, values, intervals, values)
    times, positions = beat.to_event_values()
    assert times == pytest.approx([0.1, 0.7, 1.3, 3.999], abs=1e-6)
    assert positions == [1, 2, None, 3]
    (observation,) = key.data
    assert (observation.time, observation.duration) == (0, 4)
    assert observation.value == "C#:minor"
    sources = [a.annotation_metadata.data_source for a in jam.annotations]
    assert sources == ["song.lab", "song.beats", "song.key"]

    other = jamsfile.read(material / "audio" / "other.jams")
    assert [a.namespace for a in other.annotations] == ["chord", "key_mode"]
    keys = other.annotations[1].to_interval_values()
    assert keys[0].tolist() == [[0, 2], [3, 4]]
    assert keys[1] == ["G:major", "N"]
    assert not (material / "audio" / "bare.jams").exists()

    errors = capsys.readouterr().err
    assert "1 audio files without labels, such as bare" in errors
    assert "song: its labels extended 5.0 s past the end" in errors
    assert "other: its labels" not in errors


def test_kinds_are_converted_one_after_another(run, material, capsys):
    run()
    whole = (material / "audio" / "song.jams").read_bytes()
    (material / "beats" / "song.beats").write_text("0.5 1\n")
    assert run(kinds=["beats"]) == 0
    said = capsys.readouterr().err
    jam = jamsfile.read(material / "audio" / "song.jams")
    assert {a.namespace: len(a.data) for a in jam.annotations} == {
        "beat": 1,
        "chord": 3,
        "key_mode": 1,
    }
    assert "1 tracks converted\n2 audio files without labels" in said
    (material / "beats" / "song.beats").unlink()
    run()
    jam = jamsfile.read(material / "audio" / "song.jams")
    assert [a.namespace for a in jam.annotations] == ["chord", "key_mode"]
    assert "2 of them without beats, such as other" in capsys.readouterr().err
    assert whole != (material / "audio" / "song.jams").read_bytes()
    # The audio is another now.
    before = (material / "audio" / "song.jams").read_bytes()
    audiofile.write(material / "audio" / "song.flac", np.ones(6 * 8000), 8000)
    assert run(kinds=["chords"]) == 1
    assert "is of audio that lasted 4.0 s, not 6.0 s" in capsys.readouterr().err
    assert before == (material / "audio" / "song.jams").read_bytes()


def test_output_directory_and_jobs(run, material, monkeypatch):
    run_all, jobs = cli.run_all, []

    def one_process(function, tracks, n_jobs):
        jobs.append(n_jobs)
        return run_all(pickle.loads(pickle.dumps(function)), tracks)

    monkeypatch.setattr(cli, "run_all", one_process)
    assert run("jams", "--jobs", "2") == 0
    assert jobs == [2]
    assert sorted(path.name for path in (material / "jams").iterdir()) == [
        "other.jams",
        "song.jams",
    ]
    assert not list((material / "audio").glob("*.jams"))
    run()
    for path in (material / "jams").iterdir():
        assert path.read_bytes() == (material / "audio" / path.name).read_bytes()


def test_what_is_converted_can_be_paired(run, material):
    assert run() == 0
    _, _, rejected, *_ = pair.pair(
        "audio", test_fraction=0.5, namespaces=["chord"], seed=1
    )
    assert [record["file"] for record in rejected] == ["bare.flac"]


def test_the_preferred_of_several_files_counts(run, material):
    (material / "keys" / "other.key").write_text("E minor")
    (material / "keys" / "song.lab").write_text("not a key")
    assert run("jams") == 0
    (key,) = jamsfile.read("jams/other.jams").search(namespace="key_mode")
    assert [observation.value for observation in key.data] == ["E:minor"]


def test_all_kinds_from_one_directory(run, material):
    for path in [*material.glob("beats/*"), *material.glob("keys/*.key")]:
        path.rename(material / "chords" / path.name)
    directory = ["--chords", "chords", "--beats", "chords", "--keys", "chords"]
    assert convert.main(["audio", *directory, "jams"]) == 0
    assert len(jamsfile.read("jams/song.jams").annotations) == 3
    # The chord D of other.lab would also parse as a key.
    (chord,) = jamsfile.read("jams/other.jams").annotations
    assert chord.namespace == "chord"


@pytest.mark.parametrize("form", ["lab", "csv"])
@pytest.mark.parametrize("apart", [False, True])
def test_what_crema_writes_can_be_converted(material, form, apart):
    """A single annotation is written to NAME.lab, one of several to NAME.TASK.lab."""
    written = annotate(["C:maj", "D:(1,5)", "A:min7/b3"], 1.0)
    written.annotations.append(jams.Annotation("key_mode", time=0, duration=3))
    written.annotations[-1].append(0, 2, "G:major")
    tasks = ("chord", "beat", "key", "local_key")
    for name, annotation in zip(tasks, written.annotations, strict=True):
        annotation.sandbox.name = name
    arguments = [str(material / "audio")]
    for task, annotation in zip(tasks[:3], written.annotations, strict=False):
        directory = material / (task if apart else "labs")
        directory.mkdir(exist_ok=True)
        part = jams.JAMS(annotations=[annotation]) if apart else written
        for path, content in formats.files(
            directory / f"song.{form}", part, form
        ).items():
            path.write_bytes(content)
        arguments += [f"--{task}s", str(directory)]
    assert convert.main(arguments) == 0
    converted = jamsfile.read(material / "audio" / "song.jams")
    for before, after in zip(written.annotations, converted.annotations, strict=False):
        assert before.namespace == after.namespace
        assert [o[:3] for o in after.data] == [o[:3] for o in before.data]
    assert len(converted.annotations) == 3


def test_an_empty_file_annotates_nothing(run, material, capsys):
    (material / "beats" / "song.beats").write_text("")
    (material / "keys" / "bare.key").write_text("")
    assert run() == 1
    jam = jamsfile.read(material / "audio" / "song.jams")
    assert [a.namespace for a in jam.annotations] == ["chord", "key_mode"]
    assert not (material / "audio" / "bare.jams").exists()
    (line,) = (x for x in capsys.readouterr().err.splitlines() if " left out: " in x)
    assert "bare.flac: its label files contain no known label" in line


def test_bad_tracks_are_listed_and_lose_no_other(run, material, capsys):
    audio = material / "audio"
    (material / "chords" / "song.lab").write_text("0 1 C\n1 2 H\n")
    (audio / "bare.flac").write_text("no audio")
    (material / "keys" / "bare.key").write_text("C")
    (audio / "other.flac").rename(audio / "a.dot.flac")
    (material / "keys" / "other.lab").rename(material / "keys" / "a.dot.lab")
    y = np.zeros(RATE)
    audiofile.write(audio / "good.flac", y, RATE)
    (material / "keys" / "good.txt").write_text("C\tmajor\n")
    audiofile.write(audio / "late.flac", y, RATE)
    (material / "beats" / "late.txt").write_text("1.5 1\n2 2\n")
    audiofile.write(audio / "unknown.flac", y, RATE)
    (material / "keys" / "unknown.key").write_text("X\n")
    assert run() == 1
    assert [path.name for path in audio.glob("*.jams")] == ["good.jams"]
    lines = [
        line for line in capsys.readouterr().err.splitlines() if " left out: " in line
    ]
    for line, reason in zip(
        lines,
        [
            "track_id 'a.dot' cannot be used",
            "bare.flac: cannot be read as audio",
            "late.flac: no label lies within its 1.0 s",
            "song.lab, line 2: 'H' is not a chord",
            "unknown.flac: its label files contain no known label",
        ],
        strict=True,
    ):
        assert reason in line


def test_what_others_have_made_is_not_overwritten(run, material, capsys):
    theirs = material / "audio" / "song.jams"
    for content in ('{"sandbox": {}}', "[]", "no json"):
        theirs.write_text(content)
        assert run() == 1
        assert theirs.read_text() == content
        assert "song.jams: already exists" in capsys.readouterr().err
    theirs.unlink()
    assert run() == 0
    jam = jamsfile.read(theirs)
    jam.file_metadata.artist = "Some One"
    jamsfile.write(theirs, jam)
    (material / "keys" / "song.key").write_text("F")
    assert run() == 0
    jam = jamsfile.read(theirs)
    (key,) = jam.search(namespace="key_mode")
    assert key.data[0].value == "F:major"
    assert jam.file_metadata.artist == "Some One"


def test_wrong_arguments(run, material):
    with pytest.raises(ConfigError, match="--chords, --beats or --keys"):
        run(kinds=())
    (material / "chords").rename(material / "chord")
    with pytest.raises(ConfigError, match="--chords chords: no such"):
        run()
    (material / "chords").mkdir()
    with pytest.raises(CorpusError, match="has a label file of the same name"):
        run(kinds=("chords",))
    audiofile.write(material / "audio" / "song.wav", np.zeros(RATE), RATE)
    with pytest.raises(CorpusError, match=r"3 flac, 1 wav.*--audio-ext"):
        run()
    assert run("jams", "--audio-ext", "wav") == 0
    assert jamsfile.read("jams/song.jams").file_metadata.duration == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_segments_do_not_overlap_by_rounding(seed):
    times = np.cumprod(np.random.default_rng(seed).uniform(1, 4, 8))
    rows = [(a, b, "C:maj") for a, b in zip(times, times[1:], strict=False)]
    made = common.annotation("chord", rows, times[-1])
    intervals, _ = made.to_interval_values()
    assert len(intervals) == 7
    assert np.array_equal(intervals[1:, 0], intervals[:-1, 1])
    assert intervals[-1, 1] <= times[-1]


def test_nothing_observed_is_no_annotation():
    assert common.annotation("chord", [], 3.0) is None
    assert common.annotation("chord", [(3.0, 5.0, "C"), (1.0, 1.0, "D")], 3.0) is None
    assert common.annotation("beat", [(3.0, 1), (-1.0, 2)], 3.0) is None


def test_cover():
    segments = [(0.5, 1.0, "a"), (1.0, 2.0, "b"), (1.5, 3.0, "c"), (4.0, 9.0, "d")]
    assert common.cover(segments, 5.0, "N") == [
        (0.0, 0.5, "N"),
        (0.5, 1.0, "a"),
        (1.0, 2.0, "b"),
        (2.0, 3.0, "c"),
        (3.0, 4.0, "N"),
        (4.0, 5.0, "d"),
    ]
    assert common.cover([(1.0, 2.0, "a")], 3.0) == [(1.0, 2.0, "a")]
    assert common.cover([], 3.0, "N") == [(0.0, 3.0, "N")]
    assert common.cover([(1.0, 2.0, "a"), (5.0, 6.0, "b")], 3.0, "N") == [
        (0.0, 1.0, "N"),
        (1.0, 2.0, "a"),
        (2.0, 3.0, "N"),
    ]
