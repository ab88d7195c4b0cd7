"""Formats: other programs can read the written files."""

import csv
import json
import types

import jams
import mir_eval
import numpy as np
import pytest
from conftest import annotate

from crema import formats
from crema.audio import Audio
from crema.exceptions import CremaError
from crema.utils import disk


@pytest.fixture
def jam():
    """Two chords, six beats, a key, and two local keys."""
    made = annotate(["C:maj", "A:min7/b3"])
    made.file_metadata.title = "song"
    local = jams.Annotation("key_mode", time=0, duration=3)
    local.append(0, 1.5, "C:major", 0.25)
    local.append(1.5, 1.5, "A:minor", 0.75)
    made.annotations.append(local)
    names = ("chord", "beat", "key", "local_key")
    for name, annotation in zip(names, made.annotations, strict=True):
        annotation.sandbox.name = name
        annotation.annotation_metadata.version = "abc1234.0"
    return made


def test_annotations_have_names(jam):
    assert list(formats.named(jam)) == ["chord", "beat", "key", "local_key"]
    jam.annotations.append(jam.annotations[0])
    jam.annotations.append(jam.annotations[2])
    assert list(formats.named(jam))[4:] == ["chord_2", "key_2"]
    assert formats.named(jam)["chord_2"] is jam.annotations[0]
    jam.annotations[4].sandbox.name = "chord_2"
    assert len(formats.named(jam)) == len(jam.annotations)
    # Annotations of other tools are named after their namespace.
    jam.annotations.append(jams.Annotation("key_mode", time=0, duration=3))
    assert list(formats.named(jam))[-1] == "key_mode"


def write(path, jam, form):
    """Write the files of an annotation; return their paths."""
    files = formats.files(path, jam, form)
    for file, content in files.items():
        disk.write_bytes(file, content)
    return list(files)


def test_lab_is_what_audacity_and_mir_eval_read(jam, tmp_path):
    files = write(tmp_path / "song.lab", jam, "lab")
    assert [path.name for path in files] == [
        "song.chord.lab",
        "song.beat.lab",
        "song.key.lab",
        "song.local_key.lab",
    ]
    assert files[0].read_text() == "0.000\t1.500\tC:maj\n1.500\t3.000\tA:min7/b3\n"
    assert files[1].read_text().startswith("0.000\t0.000\t1\n0.500\t0.500\t2\n")
    intervals, labels = mir_eval.io.load_labeled_intervals(str(files[3]))
    assert intervals.tolist() == [[0, 1.5], [1.5, 3]]
    assert labels == ["C:major", "A:minor"]


def test_csv_has_a_heading(jam, tmp_path):
    chord, beat, *_ = write(tmp_path / "song.csv", jam, "csv")
    with open(chord, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1] == {
        "start": "1.500",
        "end": "3.000",
        "label": "A:min7/b3",
        "confidence": "1.000",
    }
    # Unknown confidence is an empty field.
    assert beat.read_text().splitlines()[:2] == ["time,label,confidence", "0.000,1,"]


def test_json_is_plain(jam, tmp_path):
    (path,) = write(tmp_path / "song.json", jam, "json")
    data = json.loads(path.read_text())
    assert (data["title"], data["duration"]) == ("song", 3.0)
    assert data["models"]["local_key"] == "abc1234.0"
    assert data["chord"][0] == {
        "start": 0.0,
        "end": 1.5,
        "label": "C:maj",
        "confidence": 1.0,
    }
    assert data["beat"][1] == {"time": 0.5, "position": 2, "confidence": None}
    assert [item["label"] for item in data["local_key"]] == ["C:major", "A:minor"]


def test_one_annotation_has_the_name_that_was_given(jam, tmp_path):
    del jam.annotations[1:]
    assert write(tmp_path / "a.b.txt", jam, "lab") == [tmp_path / "a.b.txt"]


def test_music_without_beats_is_an_empty_list(jam):
    jam.annotations[1] = jams.Annotation("beat", time=0, duration=3)
    assert formats.texts(jam, "lab")["beat"] == ""
    assert formats.texts(jam, "csv")["beat"] == "time,label,confidence\n"
    assert formats.plain(jam)["beat"] == []


def test_a_label_stays_on_its_line():
    annotation = jams.Annotation("tag_open", time=0, duration=1)
    annotation.append(0, 1, "two\tor\nmore, words", 0.5)
    assert formats.as_lab(annotation) == "0.000\t1.000\ttwo or more, words\n"
    assert '"two or more, words"' in formats.as_csv(annotation)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.jams", "jams"), ("a.jamz", "jams"), ("a.LAB", "lab"), ("a.csv", "csv")],
)
def test_a_suffix_stands_for_a_format(name, form):
    assert formats.infer(name) == form


def test_other_suffixes_stand_for_none():
    with pytest.raises(CremaError, match="a.txt: .* must end in .jams, .jamz, .lab"):
        formats.infer("a.txt")


def test_posteriors_say_what_they_are(tmp_path):
    local, overall = np.eye(3, 2, dtype=np.float32), np.ones(3, dtype=np.float32)
    estimator = types.SimpleNamespace(
        name="x",
        version="abc1234.0",
        hop=0.5,
        classes={"x.local": ["yes", "no"]},
        posteriors=lambda audio: {"x.local": local, "x.overall": overall},
    )
    path = tmp_path / "song.npz"
    audio = Audio(y=np.zeros(1500), sr=1000)
    path.write_bytes(formats.posteriors(audio, [estimator]))
    with np.load(path, allow_pickle=False) as data:
        assert set(data) == {
            *("duration", "models", "versions"),
            *("x.local", "x.local.time", "x.local.classes"),
            *("x.overall", "x.overall.classes"),
        }
        np.testing.assert_array_equal(data["x.local"], local)
        assert data["x.local.time"].tolist() == [0, 0.5, 1]
        assert data["x.local.classes"].tolist() == ["yes", "no"]
        # These classes have no names.
        assert data["x.overall.classes"].tolist() == ["0", "1", "2"]
        assert float(data["duration"]) == 1.5
        assert data["models"].tolist() == ["x"]
        assert data["versions"].tolist() == ["abc1234.0"]
