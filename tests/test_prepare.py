"""Stage 1: features and labels are complete and found by name."""

import hashlib
import shutil

import jams
import numpy as np
import pytest
from conftest import (
    CHORD,
    CHORD_SECONDS,
    SAMPLE_RATE,
    SONG_CHORD_SECONDS,
    SONGS,
    annotate,
    run_main,
    synthesise,
    write_pair,
)

from crema import __version__, features, pump
from crema.exceptions import (
    AnnotationError,
    AudioError,
    ConfigError,
    CremaError,
    DataError,
    ModelError,
)
from crema.notes import transpose
from crema.tasks import chord as tasks
from crema.utils import audiofile, disk, hdf5, index, jamsfile, prepare, sampling

SCRIPT = CHORD / "01-prepare.py"
FRAME = 2048 / 22050


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(scope="module")
def operators(prepared):
    return pump.load(prepared / "pump.pkl")


@pytest.fixture
def place(tmp_path, prepared):
    """A directory with one track, its two copies and the pump, but no features."""
    write_pair(tmp_path / "corpus", "a", ["C:maj", "G:7"])
    augmented = tmp_path / "augmented"
    for copy in ("0", "1"):
        write_pair(augmented, f"a.{copy}", ["D:maj", "A:7"])
    copies = [{"augment_id": copy} for copy in ("0", "1")]
    disk.write_json(augmented / "a.json", {"track_id": "a", "copies": copies})
    shutil.copy(prepared / "pump.pkl", tmp_path)
    return tmp_path


def run(place, *options, track="a"):
    run_main(
        SCRIPT,
        *("--corpus", place / "corpus", "--track", track),
        *("--augmented-dir", place / "augmented"),
        *("--feature-dir", place / "features", "--pump", place / "pump.pkl"),
        *options,
    )
    return place / "features"


def labels_of(path, operators, seconds):
    """Return the chord in the middle of each span of `seconds`."""
    with hdf5.opened(path) as store:
        (classes,) = store["chord_tag.chord"][:]
    middles = np.arange(seconds / 2, len(classes) * FRAME, seconds)
    tags = operators["chord_tag"].labels
    return [tags[classes[int(t / FRAME), 0]] for t in middles]


# --- what is made ---------------------------------------------------------------------


def test_features_are_found_from_the_index_alone(prepared):
    tracks = index.read_index(prepared / "index.json")
    expected = {f"{t}{copy}.h5" for t in tracks for copy in ("", ".0", ".1")}
    assert set(names(prepared / "features")) == expected
    files = sampling.copies(prepared / "features", tracks)
    assert [path.name for path in files["axis_1"]] == [
        "axis_1.h5",
        "axis_1.0.h5",
        "axis_1.1.h5",
    ]


def test_fields_are_those_of_the_pump(prepared, operators):
    for path in (prepared / "features").glob("*.h5"):
        with hdf5.opened(path) as store:
            assert set(operators.fields) <= set(store)
            for name, field in operators.fields.items():
                assert store[name].dtype == field.dtype
                shape = store[name].shape
                assert len(shape) == 1 + len(field.shape) and shape[0] == 1
                assert shape[2:] == field.shape[1:]
            # All fields have the same number of frames.
            (length,) = {store[name].shape[1] for name in operators.fields}
    assert length > 20


def test_the_length_is_that_of_the_audio(prepared):
    for track, (chords, _) in SONGS.items():
        frames = int(len(chords) * SONG_CHORD_SECONDS / FRAME)
        for copy in ("", ".0", ".1"):
            with hdf5.opened(prepared / "features" / f"{track}{copy}.h5") as store:
                assert store["hcqt.mag"].shape == (1, frames, 216, 2)


def test_attributes_tell_where_features_come_from(prepared):
    digest = hashlib.sha256((prepared / "pump.pkl").read_bytes()).hexdigest()
    for path in (prepared / "features").glob("*.h5"):
        with hdf5.opened(path) as store:
            assert dict(store.attrs) == {
                "track_id": path.name.partition(".")[0],
                "crema": __version__,
                "pump": digest,
            }


def test_labels_are_those_of_each_copy(prepared, operators):
    """Copies of the prepared corpus are a semitone down and two up."""
    for track, (chords, _) in SONGS.items():
        for copy, semitones in (("", 0), (".0", -1), (".1", 2)):
            expected = [transpose(c.split("/")[0], semitones) for c in chords]
            path = prepared / "features" / f"{track}{copy}.h5"
            assert labels_of(path, operators, SONG_CHORD_SECONDS) == expected


def test_levels_show_the_chord(prepared):
    with hdf5.opened(prepared / "features" / "axis_1.h5") as store:
        levels = store["hcqt.mag"][0, 8, :, 0]
    # C3, E3 and G3 are the loudest notes of the third octave from C1.
    third = levels[72:108].reshape(12, 3).max(axis=1)
    assert set(np.argsort(third)[-3:]) == {0, 4, 7}


def test_the_original_is_written_last(place, monkeypatch):
    run(place)
    written = []
    original = hdf5.write

    def spy(path, *args):
        assert not (place / "features" / "a.h5").exists()
        written.append(path.name)
        original(path, *args)

    monkeypatch.setattr(hdf5, "write", spy)
    run(place)
    assert written == ["a.0.h5", "a.1.h5", "a.h5"]


def test_a_damaged_copy_leaves_no_sign_of_completeness(place):
    run(place)
    audio = place / "augmented" / "a.1.flac"
    audio.write_bytes(audio.read_bytes()[:-3000])
    with pytest.raises(AudioError, match="a.1.flac"):
        run(place)
    assert not (place / "features" / "a.h5").exists()
    with pytest.raises(DataError, match="track a has no features"):
        sampling.copies(place / "features", ["a"])


def test_stale_copies_are_removed_and_others_kept(place):
    features = run(place)
    for other in ("ab.0.h5", "b.h5", "a1.0.h5"):
        (features / other).touch()
    disk.write_json(place / "augmented" / "a.json", {"copies": [{"augment_id": "1"}]})
    run(place)
    assert names(features) == ["a.1.h5", "a.h5", "a1.0.h5", "ab.0.h5", "b.h5"]


@pytest.mark.parametrize("track", ["a[1]", "a b", "it's", "ä*"])
def test_any_name_of_a_file_is_a_track(place, track):
    for directory in ("corpus", "augmented"):
        for path in list((place / directory).iterdir()):
            path.rename(path.with_name(path.name.replace("a.", f"{track}.", 1)))
    features = run(place, track=track)
    assert names(features) == sorted(f"{track}{c}.h5" for c in ("", ".0", ".1"))
    disk.write_json(place / "augmented" / f"{track}.json", {"copies": []})
    run(place, track=track)
    assert names(features) == [f"{track}.h5"]


def test_the_same_track_gives_the_same_bytes(place):
    features = run(place)
    before = {path.name: path.read_bytes() for path in features.iterdir()}
    shutil.rmtree(features)
    run(place)
    assert before == {path.name: path.read_bytes() for path in features.iterdir()}


def test_copies_in_another_format(place):
    for copy in ("0", "1"):
        (place / "augmented" / f"a.{copy}.flac").unlink()
        audiofile.write(
            place / "augmented" / f"a.{copy}.ogg", synthesise(["C:maj"]), SAMPLE_RATE
        )
        jamsfile.write(place / "augmented" / f"a.{copy}.jams", annotate(["C:maj"]))
    assert len(names(run(place, "--format", "ogg"))) == 3


# --- the pump -------------------------------------------------------------------------


def test_the_pump_needs_no_corpus(tmp_path, operators):
    run_main(SCRIPT, "--pump", tmp_path / "p.pkl", "--pump-only", "--octaves", "5")
    assert names(tmp_path) == ["p.pkl"]
    fields = pump.load(tmp_path / "p.pkl").fields
    assert fields["hcqt.mag"].shape == (None, 180, 2)
    assert set(fields) == set(operators.fields)


def test_tracks_by_name_use_the_pump_that_is_there(place):
    before = (place / "pump.pkl").read_bytes()
    features = run(place, "--octaves", "5")
    assert (place / "pump.pkl").read_bytes() == before
    with hdf5.opened(features / "a.h5") as store:
        assert store["hcqt.mag"].shape[2] == 216
    (place / "pump.pkl").unlink()
    with pytest.raises(ModelError, match="pump.pkl"):
        run(place)


def test_the_rounding_is_part_of_the_pump(place):
    exact = features.HCQT(over_time=2, dtype="float32")
    data = prepare.transform(
        place / "corpus" / "a.flac",
        place / "corpus" / "a.jams",
        pump.pumpp.Pump(exact, tasks.ChordTags()),
    )
    with hdf5.opened(run(place) / "a.h5") as store:
        levels = store["hcqt.mag"][:]
    assert data["hcqt.mag"].dtype == np.float32 and levels.dtype == np.uint8
    assert np.abs(levels - data["hcqt.mag"]).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hop-length", "1000"], "hop_length 1000"),
        (["--sample-rate", "4000"], "sample_rate 4000"),
    ],
)
def test_settings_that_cannot_work(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        run_main(SCRIPT, "--pump", tmp_path / "p.pkl", "--pump-only", *options)
    assert not names(tmp_path)


@pytest.mark.parametrize("option", ["--corpus", "--augmented-dir", "--feature-dir"])
def test_what_tracks_need(tmp_path, option):
    options = {"--corpus": "c", "--augmented-dir": "a", "--feature-dir": "f"}
    del options[option]
    arguments = [word for pair in options.items() for word in pair]
    with pytest.raises(ConfigError, match=f"{option} is required"):
        run_main(SCRIPT, "--pump", tmp_path / "p", "--track", "a", *arguments)


# --- annotations ----------------------------------------------------------------------


def transform(tmp_path, operators, jam, audio=("C:maj", "G:7")):
    audiofile.write(tmp_path / "a.flac", synthesise(audio), SAMPLE_RATE)
    jam.save(str(tmp_path / "a.jams"), strict=False)
    return prepare.transform(tmp_path / "a.flac", tmp_path / "a.jams", operators)


def chords(labels, duration=3.0):
    annotation = jams.Annotation("chord", time=0, duration=duration)
    for number, label in enumerate(labels):
        annotation.append(number * CHORD_SECONDS, CHORD_SECONDS, label, 1.0)
    return annotation


def test_two_annotators_are_two_rows(tmp_path, operators):
    jam = annotate(["C:maj", "G:7"])
    jam.annotations.append(chords(["A:min", "N"]))
    data = transform(tmp_path, operators, jam)
    tags = operators["chord_tag"].labels
    rows = data["chord_tag.chord"][:, [8, 24], 0]
    assert [[tags[c] for c in row] for row in rows] == [
        ["C:maj", "G:7"],
        ["A:min", "N"],
    ]
    assert data["chord_struct.root"][:, 8, 0].tolist() == [0, 9]
    assert data["hcqt.mag"].shape == (1, 32, 216, 2)


def test_an_empty_annotation_beside_another_is_no_row(tmp_path, operators):
    """It says nothing; in particular, it does not mean silence."""
    jam = annotate(["C:maj", "G:7"])
    jam.annotations.append(chords([]))
    data = transform(tmp_path, operators, jam)
    assert data["chord_tag.chord"].shape == (1, 32, 1)


def test_annotations_are_converted(tmp_path, operators):
    jam = annotate(["C:maj", "G:7"])
    jam.annotations[0].namespace = "chord_harte"
    data = transform(tmp_path, operators, jam)
    tags = operators["chord_tag"].labels
    assert tags[data["chord_tag.chord"][0, 8, 0]] == "C:maj"


def test_the_duration_is_that_of_the_audio(tmp_path, operators):
    for duration in (0.5, 100.0):
        jam = annotate(["C:maj", "G:7"])
        jam.file_metadata.duration = duration
        data = transform(tmp_path, operators, jam)
        assert data["chord_tag.chord"].shape == (1, 32, 1)


def test_annotations_may_be_longer_or_shorter_than_the_audio(tmp_path, operators):
    data = transform(tmp_path, operators, annotate(["C:maj", "G:7", "A:min", "F:maj"]))
    assert data["chord_tag.chord"].shape == (1, 32, 1)
    data = transform(tmp_path, operators, annotate(["C:maj"]))
    tags = operators["chord_tag"].labels
    assert tags[data["chord_tag.chord"][0, 8, 0]] == "C:maj"
    assert tags[data["chord_tag.chord"][0, 24, 0]] in ("X", "N")


@pytest.mark.parametrize("kept", [[], ["beat", "key_mode"]])
def test_no_chord_annotation(tmp_path, operators, kept):
    jam = annotate(["C:maj", "G:7"])
    jam.annotations = jams.AnnotationArray(
        [annotation for annotation in jam.annotations if annotation.namespace in kept]
    )
    with pytest.raises(AnnotationError, match="has no chord annotation") as caught:
        transform(tmp_path, operators, jam)
    what = f"{tmp_path / 'a.jams'}: has no chord annotation"
    only = ", only beat, key_mode" if kept else ""
    assert str(caught.value).startswith(f"{what}{only}; add one")


def test_a_chord_annotation_without_chords(tmp_path, operators):
    jam = annotate(["C:maj", "G:7"])
    jam.annotations[0] = chords([])
    with pytest.raises(AnnotationError, match="a.jams: has no chord annotation"):
        transform(tmp_path, operators, jam)


@pytest.mark.parametrize("change", ["no chords", "empty", "missing", "H:maj"])
def test_the_original_is_to_be_corrected_not_its_copies(place, change):
    features = run(place)
    for path in (place / "corpus" / "a.jams", *(place / "augmented").glob("*.jams")):
        jam = jamsfile.read(path)
        if change == "no chords":
            jam.annotations = jams.AnnotationArray()
        elif change == "empty":
            jam.annotations[0] = chords([])
        else:
            jam.annotations[0].append(2.9, 0.1, change, 1.0)
        jam.save(str(path), strict=False)
        if change == "missing":
            path.unlink()
    with pytest.raises(AnnotationError) as caught:
        run(place)
    assert str(caught.value).startswith(f"{place / 'corpus' / 'a.jams'}: ")
    assert names(features) == []


@pytest.mark.parametrize("label", ["H:maj", "C:majestic", "c:maj", ""])
def test_a_label_that_does_not_parse(tmp_path, operators, label):
    jam = annotate(["C:maj", "G:7"])
    jam.annotations[0].append(2.9, 0.1, label, 1.0)
    with pytest.raises(AnnotationError) as caught:
        transform(tmp_path, operators, jam)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'a.jams'}: ")
    assert repr(label) in text and "\n" not in text


def test_what_only_a_task_finds_out_names_the_file(tmp_path, operators, monkeypatch):
    def fail(*args):
        raise ValueError("Invalid chord label 'C:odd'\nand more")

    monkeypatch.setattr(operators["chord_tag"], "transform_annotation", fail)
    with pytest.raises(AnnotationError, match="C:odd") as caught:
        transform(tmp_path, operators, annotate(["C:maj", "G:7"]))
    text = str(caught.value)
    assert str(tmp_path / "a.jams") in text and "\n" not in text


# --- audio ----------------------------------------------------------------------------


def test_audio_at_another_rate_in_stereo(tmp_path, operators):
    y = synthesise(["C:maj", "G:7"], sample_rate=44100)
    audiofile.write(tmp_path / "a.flac", np.stack([y, y], axis=1), 44100)
    jamsfile.write(tmp_path / "a.jams", annotate(["C:maj", "G:7"]))
    data = prepare.transform(tmp_path / "a.flac", tmp_path / "a.jams", operators)
    same = transform(tmp_path, operators, annotate(["C:maj", "G:7"]))
    assert data["hcqt.mag"].shape == same["hcqt.mag"].shape
    loud = same["hcqt.mag"] > 200
    differences = np.abs(data["hcqt.mag"][loud].astype(int) - same["hcqt.mag"][loud])
    assert np.quantile(differences, 0.95) <= 2


def test_silence(tmp_path, operators):
    data = transform(tmp_path, operators, annotate(["N", "N"]), audio=("N", "N"))
    assert np.ptp(data["hcqt.mag"]) == 0


def test_audio_that_is_too_short_is_not_the_fault_of_a_label(tmp_path, operators):
    """50 ms is less than a frame."""
    y = synthesise(["C:maj"], seconds=0.05)
    audiofile.write(tmp_path / "a.flac", y, SAMPLE_RATE)
    jamsfile.write(tmp_path / "a.jams", annotate(["C:maj"], seconds=0.05))
    with pytest.raises(CremaError) as caught:
        prepare.transform(tmp_path / "a.flac", tmp_path / "a.jams", operators)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'a.flac'}: ") and "label" not in text


# --- records --------------------------------------------------------------------------


def test_setup_that_has_not_finished(place):
    (place / "augmented" / "a.json").unlink()
    with pytest.raises(CremaError, match="a.json: no such file; run setup first"):
        run(place)
    assert not (place / "features").exists()


def test_a_damaged_record(place):
    (place / "augmented" / "a.json").write_text('{"copies": [')
    with pytest.raises(CremaError, match="a.json: is not valid JSON"):
        run(place)


def test_a_copy_that_its_record_names_is_missing(place):
    (place / "augmented" / "a.1.flac").unlink()
    record = place / "augmented" / "a.json"
    with pytest.raises(CremaError, match=f"a.1.flac: no such copy; delete {record}"):
        run(place)
    assert not (place / "features" / "a.h5").exists()
