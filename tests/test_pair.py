"""Pairs of audio and JAMS: rejected pairs and reasons, and the split of the rest."""

import collections
import hashlib
import json
import shutil

import numpy as np
import pytest
import soundfile
from conftest import annotate

from crema.corpus import pair, split
from crema.exceptions import ConfigError, CorpusError
from crema.utils import audiofile, index, jamsfile

RATE = 8000


def write(directory, track_id, artist="", seconds=3.0, ext="flac", release=""):
    """Write a tone that is unique to the track, and its annotation."""
    frequency = 200 + int(hashlib.sha256(track_id.encode()).hexdigest()[:4], 16) / 100
    t = np.arange(round(seconds * RATE)) / RATE
    audiofile.write(
        directory / f"{track_id}.{ext}", 0.3 * np.sin(2 * np.pi * frequency * t), RATE
    )
    jam = annotate(["C:maj", "G:7"], seconds / 2)
    jam.file_metadata.artist = artist
    jam.file_metadata.release = release
    jamsfile.write(directory / f"{track_id}.jams", jam)


def edit(directory, track_id, change):
    jam = jamsfile.read(directory / f"{track_id}.jams")
    change(jam)
    jamsfile.write(directory / f"{track_id}.jams", jam)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pairs")
    for artist in "abcd":
        for number in (1, 2):
            write(directory, f"{artist}_{number}", f"artist {artist}")
    return directory


@pytest.fixture
def corpus(made, tmp_path):
    """Eight tracks of four artists."""
    return shutil.copytree(made, tmp_path / "corpus")


def rejected(directory):
    """Return the reasons by track or file."""
    records = json.loads((directory / "rejected.json").read_text())
    for record in records:
        assert record.keys() in ({"track_id", "reason"}, {"file", "reason"})
    names = [record.get("track_id") or record["file"] for record in records]
    assert len(set(names)) == len(names)
    return dict(zip(names, [record["reason"] for record in records], strict=True))


def splits(directory):
    return [
        index.read_index(directory / f"index_{side}.json") for side in ("train", "test")
    ]


def run(directory, *options):
    return pair.main([str(directory), *map(str, options)])


def test_indexes_of_a_sound_directory(corpus, capsys):
    assert run(corpus, "--test-fraction", 0.5) is None
    train, test = splits(corpus)
    assert train and test
    index.check_splits(train, test)
    assert {**train, **test} == {
        f"{artist}_{n}": f"artist {artist}" for artist in "abcd" for n in (1, 2)
    }
    assert rejected(corpus) == {}
    for side in ("train", "test"):
        records = json.loads((corpus / f"index_{side}.json").read_text())
        assert [r["track_id"] for r in records] == sorted(
            r["track_id"] for r in records
        )
        for record in records:
            for kind, ext in (("audio", "flac"), ("jams", "jams")):
                content = (corpus / f"{record['track_id']}.{ext}").read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                assert record[f"{kind}_sha256"] == digest
    assert "8 tracks in 4 groups" in capsys.readouterr().err
    index.Corpus(corpus).check([*train, *test])


def test_output_directory_and_jobs(corpus, tmp_path):
    before = {path: path.read_bytes() for path in corpus.iterdir()}
    options = ("--test-fraction", 0.5, "--output", tmp_path / "out", "--jobs", 2)
    run(corpus, *options)
    assert {path: path.read_bytes() for path in corpus.iterdir()} == before
    run(corpus, "--test-fraction", 0.5)
    for name in ("index_train.json", "index_test.json", "rejected.json"):
        assert (tmp_path / "out" / name).read_bytes() == (corpus / name).read_bytes()


def spoil(directory):
    """Make one track or file of each kind that cannot be used; return the reasons."""
    write(directory, "no_jams")
    (directory / "no_jams.jams").unlink()
    write(directory, "no_audio")
    (directory / "no_audio.flac").unlink()
    write(directory, "with.dot")
    write(directory, "bad_jams")
    (directory / "bad_jams.jams").write_text('{"annotations": [')
    write(directory, "wrong_label")
    text = (directory / "wrong_label.jams").read_text()
    (directory / "wrong_label.jams").write_text(text.replace("C:maj", "C:mayor"))
    write(directory, "cut")
    content = (directory / "cut.flac").read_bytes()
    (directory / "cut.flac").write_bytes(content[: len(content) // 2])
    write(directory, "no_sound")
    (directory / "no_sound.flac").write_text("this is no audio")
    write(directory, "short", seconds=0.5)
    write(directory, "silent")
    soundfile.write(directory / "silent.flac", np.zeros(3 * 22050), 22050)
    write(directory, "beyond")

    def longer(jam):
        jam.annotations[1].append(3.6, 0, 1, None)

    edit(directory, "beyond", longer)
    write(directory, "other_audio")

    def much_longer(jam):
        jam.file_metadata.duration = 4.0

    edit(directory, "other_audio", much_longer)
    write(directory, "no_chords")
    edit(directory, "no_chords", lambda jam: jam.annotations.pop(0))
    write(directory, "empty_chords")
    edit(directory, "empty_chords", lambda jam: jam.annotations[0].data.clear())
    shutil.copy(directory / "a_1.flac", directory / "twice.flac")
    shutil.copy(directory / "a_1.jams", directory / "twice.jams")
    (directory / ".a_1.123.flac").write_text("left by a killed writer")
    (directory / "notes.txt").write_text("of no concern")
    return {
        "no_jams.flac": "without no_jams.jams",
        "no_audio.jams": "without no_audio.flac",
        "with.dot": "dots",
        "bad_jams": "not valid JAMS",
        "wrong_label": "not valid JAMS",
        "cut": "cut.flac: truncated or damaged",
        "no_sound": "cannot be read as audio",
        "short": "is 0.50 s long, less than",
        "silent": "silent throughout",
        "beyond": "annotations end at 3.60 s, but the audio lasts 3.00 s",
        "other_audio": "duration is 4.00 s, but the audio lasts 3.00 s",
        "no_chords": "no chord annotation",
        "empty_chords": "no chord annotation",
        "twice": "the same audio as a_1",
    }


def test_everything_unusable_is_rejected_with_its_reason(corpus, capsys):
    expected = spoil(corpus)
    run(corpus, "--namespace", "chord", "--namespace", "beat", "--test-fraction", 0.5)
    found = rejected(corpus)
    assert found.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in found[name], name
        assert "\n" not in found[name]
    train, test = splits(corpus)
    assert len(train) + len(test) == 8
    assert f"14 rejected, see {corpus / 'rejected.json'}" in capsys.readouterr().err


def test_namespaces_are_only_asked_for_on_demand(corpus):
    write(corpus, "no_chords", "artist a")
    edit(corpus, "no_chords", lambda jam: jam.annotations.pop(0))
    run(corpus, "--test-fraction", 0.5)
    assert rejected(corpus) == {}
    run(corpus, "--test-fraction", 0.5, "--namespace", "key_mode")
    assert rejected(corpus) == {}
    with pytest.raises(ConfigError, match="--namespace chrod"):
        run(corpus, "--namespace", "chrod")


def test_what_is_annotated_for_a_small_part_is_named(corpus, capsys):
    def short(jam):
        del jam.annotations[0].data[1:]
        first = jam.annotations[0].data.pop()
        jam.annotations[0].append(first.time, 1.0, first.value)

    edit(corpus, "b_1", short)
    run(corpus, "--test-fraction", 0.5, "--namespace", "chord")
    said = capsys.readouterr().err
    assert (
        "1 tracks are annotated for less than half of their length, such as b_1" in said
    )
    run(corpus, "--test-fraction", 0.5, "--namespace", "beat")
    assert "less than half" not in capsys.readouterr().err


def test_what_crema_estimated_is_no_reference(corpus):
    def estimated(jam):
        made = jam.annotations[0].annotation_metadata
        made.annotation_tools, made.data_source = "crema 0.1.0", "program"

    for track in ("a_1", "b_1"):
        edit(corpus, track, estimated)

    def corrected(jam):
        jam.annotations[0].annotation_metadata.data_source = "manual"

    edit(corpus, "b_1", corrected)

    def beside_a_reference(jam):
        jam.annotations.append(annotate(["C:maj"], 1).annotations[0])
        made = jam.annotations[-1].annotation_metadata
        made.annotation_tools, made.data_source = "crema 0.1.0", "program"

    edit(corpus, "a_2", beside_a_reference)
    pair.main([str(corpus), "--namespace", "chord"])
    reasons = rejected(corpus)
    for track in ("a_1", "a_2"):
        assert "crema estimated its chord annotation" in reasons[track]
    assert "b_1" not in rejected(corpus)
    # Its beats are somebody's.
    pair.main([str(corpus), "--namespace", "beat"])
    assert "a_1" not in rejected(corpus)


def test_rounding_of_annotations_is_tolerated(corpus):
    edit(corpus, "a_1", lambda jam: jam.annotations[1].append(3.4, 0, 1, None))
    run(corpus, "--test-fraction", 0.5)
    assert rejected(corpus) == {}


def test_the_same_audio_in_another_file_is_found(corpus):
    """Its tags or the compression level can differ."""
    y, rate = audiofile.read(corpus / "b_1.flac")
    soundfile.write(corpus / "b_0.flac", y, rate, format="FLAC", compression_level=0.0)
    shutil.copy(corpus / "b_1.jams", corpus / "b_0.jams")
    assert (corpus / "b_0.flac").read_bytes() != (corpus / "b_1.flac").read_bytes()
    run(corpus, "--test-fraction", 0.5)
    assert rejected(corpus) == {"b_1": "b_1: has the same audio as b_0"}
    # Only a usable track can replace it.
    (corpus / "b_0.jams").write_text("{}")
    run(corpus, "--test-fraction", 0.5)
    assert rejected(corpus).keys() == {"b_0"}


def test_min_duration(corpus):
    write(corpus, "long", "artist a", seconds=5)
    write(corpus, "longer", "artist b", seconds=6)
    seed = seed_for(["artist a", "artist b"])
    run(corpus, "--min-duration", 4, "--test-fraction", 0.5, "--seed", seed)
    assert len(rejected(corpus)) == 8
    assert all("less than 4 s;" in reason for reason in rejected(corpus).values())


def seed_for(groups):
    """Find a seed that puts groups on both sides, half and half on average."""
    return next(
        seed
        for seed in range(50)
        if len({split.is_test(group, 0.5, seed) for group in groups}) == 2
    )


@pytest.mark.parametrize(
    "option, expected",
    [
        ("artist", {"a_1": "Some Ón", "a_2": "Some Ón", "b_1": "b_1"}),
        ("release", {"a_1": "r", "a_2": "a_2", "b_1": "r"}),
        ("track", {"a_1": "a_1", "a_2": "a_2", "b_1": "b_1"}),
        ("_([0-9])$", {"a_1": "1", "a_2": "2", "b_1": "1"}),
    ],
)
def test_groups(tmp_path, option, expected, capsys):
    write(tmp_path, "a_1", "Some Ón", release="r")
    write(tmp_path, "a_2", " Some  O\N{COMBINING ACUTE ACCENT}n ")
    write(tmp_path, "b_1", release="r")
    seed = seed_for(expected.values())
    run(tmp_path, "--group-by", option, "--test-fraction", 0.5, "--seed", seed)
    train, test = splits(tmp_path)
    assert {**train, **test} == expected
    alone = "1 tracks without" in capsys.readouterr().err
    assert alone == (option in {"artist", "release"})


def test_track_without_a_group_is_rejected(corpus):
    write(corpus, "0_other")
    run(corpus, "--group-by", "^([a-d])_", "--test-fraction", 0.5)
    reason = "0_other: does not match --group-by ^([a-d])_"
    assert rejected(corpus) == {"0_other": reason}
    # Nor does it count as the original of duplicates.
    for name in ("a_1.flac", "a_1.jams"):
        shutil.copy(corpus / name, corpus / f"0_other.{name[4:]}")
    run(corpus, "--group-by", "^([a-d])_", "--test-fraction", 0.5)
    assert rejected(corpus) == {"0_other": reason}


@pytest.mark.parametrize("option", ["artits", "(a)(b)", "(", "[a-z]+"])
def test_wrong_group_by(corpus, option):
    with pytest.raises(ConfigError, match="--group-by"):
        run(corpus, "--group-by", option)


GROUPS = {f"track{i}": f"group{i // 3}" for i in range(6000)}


@pytest.mark.parametrize("fraction", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_share_and_seed(fraction, seed):
    test, closer = split.split(GROUPS, fraction, seed)
    assert closer is None
    assert len(test) / len(GROUPS) == pytest.approx(fraction, abs=0.05)
    sides = collections.defaultdict(set)
    for track, group in GROUPS.items():
        sides[group].add(track in test)
    assert all(len(side) == 1 for side in sides.values())
    assert test != split.split(GROUPS, fraction, seed + 1)[0]


def test_a_group_stays_on_its_side_whatever_else_is_there():
    everything, _ = split.split(GROUPS, 0.2, 0)
    rng = np.random.default_rng(0)
    for n_tracks in (50, 200, 700):
        chosen = rng.choice(list(GROUPS), n_tracks, replace=False)
        part, _ = split.split({t: GROUPS[t] for t in chosen}, 0.2, 0)
        assert part == everything & set(chosen)
    more, _ = split.split(GROUPS, 0.3, 0)
    assert everything < more


def test_sides_are_those_of_all_computers():
    """Fixed, because a change would move training tracks of models to the test side."""
    tested = [i for i in range(40) if split.is_test(f"artist {i}", 0.2, 0)]
    assert tested == [0, 4, 7, 8, 9, 18, 23, 28, 30, 31, 37]


def test_added_tracks_change_no_side(corpus):
    run(corpus, "--test-fraction", 0.5)
    train, test = splits(corpus)
    for artist in "acegh":
        write(corpus, f"{artist}_3", f"artist {artist}")
    (corpus / "b_1.jams").unlink()
    run(corpus, "--test-fraction", 0.5)
    more_train, more_test = splits(corpus)
    for before, after in ((train, more_train), (test, more_test)):
        assert before and before.items() - after.items() <= {("b_1", "artist b")}
    assert len(more_train) + len(more_test) == 12


def test_outdated_indexes_of_estimators_are_named(corpus, capsys):
    heard, copied = (corpus / f"index_train_{name}.json" for name in ("chord", "key"))
    run(corpus, "--test-fraction", 0.5)
    records = json.loads((corpus / "index_train.json").read_text())
    excerpt = {"track_id": "heard_chord_x_0_0", "group": None}
    index.write_index(heard, [*records, excerpt])
    index.write_index(copied, reversed(records))
    run(corpus, "--test-fraction", 0.5)
    assert "out of date" not in capsys.readouterr().err
    group = records[0]["group"]
    write(corpus, "another", group)
    index.write_index(copied, [*records, {"track_id": "another", "group": group}])
    run(corpus, "--test-fraction", 0.5)
    (line,) = (x for x in capsys.readouterr().err.splitlines() if "out of date" in x)
    assert line.startswith(f"{heard}: out of date") and "run crema.corpus.heard" in line
    run(corpus, "--test-fraction", 0.5, "--group-by", "track")
    assert f"{heard}, {copied}: out of date" in capsys.readouterr().err


def test_a_seed_that_comes_closer_is_named(corpus, capsys):
    groups = {f"track{i}": f"group{i}" for i in range(12)}
    shares = {}
    for seed in range(split.SEEDS):
        try:
            test, closer = split.split(groups, 0.25, seed)
        except ConfigError as error:
            assert "use --seed" in str(error)
            continue
        shares[seed] = len(test) / 12, closer
    assert any(closer for _, closer in shares.values())
    for share, closer in shares.values():
        assert (closer is None) == (abs(share - 0.25) <= split.CLOSE)
        if closer:
            assert closer[1] == shares[closer[0]][0] == 0.25
    run(corpus, "--test-fraction", 0.5)  # three artists of four
    assert "--seed 2 would put 50% in the test set" in capsys.readouterr().err


def test_no_side_is_left_empty(corpus):
    groups = {"a": "a", "b": "b"}
    seeds = collections.Counter()
    for seed in range(40):
        try:
            test, _ = split.split(groups, 0.2, seed)
        except ConfigError as error:
            seeds["refused"] += 1
            better = int(str(error).split("use --seed ")[1].split(",")[0])
            assert len(split.split(groups, 0.2, better)[0]) == 1
        else:
            seeds["split"] += 1
            assert len(test) == 1
    assert min(seeds.values()) > 5
    with pytest.raises(ConfigError, match="another --test-fraction"):
        split.split(groups, 1e-9, 0)
    with pytest.raises(CorpusError, match="one group .*--group-by"):
        split.split({"a": "x", "b": "x"}, 0.2, 0)
    for fraction in (0, 1, -1, 2, float("nan")):
        with pytest.raises(ConfigError, match="--test-fraction"):
            split.split(groups, fraction, 0)
    (corpus / "a_1.jams").unlink()
    with pytest.raises(CorpusError, match=r"7 .*one group.*1 rejected, see .*json"):
        run(corpus, "--group-by", "(_)")
    assert not (corpus / "index_train.json").exists()


def test_audio_extension(corpus, tmp_path):
    write(corpus, "e_1", "artist e", ext="wav")
    with pytest.raises(CorpusError, match=r"8 flac, 1 wav.*--audio-ext"):
        run(corpus)
    run(corpus, "--audio-ext", "flac", "--test-fraction", 0.5)
    assert rejected(corpus) == {
        "e_1.wav": "is neither flac nor jams; convert it",
        "e_1.jams": "annotation without e_1.flac",
    }
    with pytest.raises(CorpusError, match=r"no \*\.ogg"):
        run(corpus, "--audio-ext", ".ogg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="contains no audio"):
        run(tmp_path / "empty")
    with pytest.raises(CorpusError, match="cannot be read"):
        run(tmp_path / "nowhere")


def test_extensions_in_upper_case(corpus):
    (corpus / "a_1.flac").rename(corpus / "a_1.FLAC")
    (corpus / "a_2.jams").rename(corpus / "a_2.JAMS")
    with pytest.raises(CorpusError, match=r"\(1 FLAC, 7 flac\); rename .* lower case"):
        run(corpus, "--test-fraction", 0.5)
    run(corpus, "--audio-ext", "flac", "--test-fraction", 0.5)
    assert rejected(corpus) == {
        "a_1.FLAC": "is neither flac nor jams; rename it to .flac",
        "a_1.jams": "annotation without a_1.flac",
        "a_2.JAMS": "is neither flac nor jams; rename it to .jams",
        "a_2.flac": "audio without a_2.jams",
    }


def test_nothing_usable(corpus):
    with pytest.raises(CorpusError, match=r"rejected\.json says why"):
        run(corpus, "--min-duration", 60)
    assert len(rejected(corpus)) == 8
    assert not (corpus / "index_train.json").exists()


def test_jamz(corpus):
    for path in corpus.glob("*.jams"):
        jamsfile.write(path.with_suffix(".jamz"), jamsfile.read(path))
        path.unlink()
    run(corpus, "--jams-ext", "jamz", "--test-fraction", 0.5)
    train, test = splits(corpus)
    assert len(train) + len(test) == 8


def test_from_the_command_line(corpus, run_script, tmp_path):
    done = run_script("-m", "crema.corpus.pair", tmp_path / "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
