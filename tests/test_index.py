"""Indexes, splits and corpora: every user error has its own message of one line."""

import json

import pandas
import pytest

from crema.exceptions import ConfigError, CorpusError
from crema.utils import index

RECORDS = [
    {"track_id": "song_1", "group": "Antônio"},
    {"track_id": "song 2", "group": "Antônio"},
    {"track_id": "a[1]", "group": "x"},
    {"track_id": '3 "quoted" ☃', "group": "y"},
]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_written_index_reads_back_in_order(tmp_path):
    path = tmp_path / "sub" / "index.json"
    index.write_index(path, RECORDS)
    expected = {record["track_id"]: record["group"] for record in RECORDS}
    assert index.read_index(path) == expected
    assert list(index.read_index(str(path))) == list(expected)
    assert len(path.read_text().splitlines()) == len(RECORDS) + 2


def test_pandas_parses_an_index(tmp_path):
    path = tmp_path / "index.json"
    index.write_index(path, iter(RECORDS))
    frame = pandas.read_json(path)
    assert list(frame.columns) == ["track_id", "group"]
    assert list(frame["track_id"]) == [record["track_id"] for record in RECORDS]


def test_a_track_without_group_is_its_own(tmp_path):
    path = write(tmp_path / "i.json", [{"track_id": "a"}, {"track_id": "b", "year": 1}])
    assert index.read_index(path) == {"a": "a", "b": "b"}


def test_no_group_is_not_a_group(tmp_path):
    path = write(tmp_path / "i.json", [{"track_id": "a", "group": None}])
    assert index.read_index(path) == {"a": None}
    index.check_splits({"a": None}, {"b": None})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not valid JSON"),
        ("", "is not valid JSON"),
        ("[]", "lists no track"),
        ("{}", "is not a list of"),
        ("5", "is not a list of"),
        ("null", "is not a list of"),
        (["a", "b"], "is not a list of"),
        ({"track_id": "a"}, "is not a list of"),
        ([["a", "b"]], "is not a list of"),
        ([{"id": "a"}], "is not a list of"),
        ([{"track_id": 7}], 'must be strings.* {"track_id": 7}'),
        ([{"track_id": None}], "must be strings"),
        ([{"track_id": "a", "group": 7}], "track_id and group must be strings"),
        ([{"track_id": "a"}, {"track_id": "a"}], "'a' is listed twice"),
        ([{"track_id": "a.b"}], "'a.b' cannot be used.* dots"),
        ([{"track_id": ".a"}], "'.a' cannot be used"),
        ([{"track_id": "a/b"}], "'a/b' cannot be used"),
        ([{"track_id": "a\\b"}], "cannot be used"),
        ([{"track_id": "a\nb"}], "cannot be used"),
        ([{"track_id": ""}], "'' cannot be used"),
        ([{"track_id": "-a"}], "'-a' cannot be used"),
        ([{"track_id": "{a}"}], "'{a}' cannot be used"),
        ([{"track_id": "N" + 20 * "o"}], "cannot be used, as its end is the same text"),
        ([{"track_id": 20 * "la"}], "cannot be used, as its end is the same text"),
    ],
)
def test_a_malformed_index_says_what_is_wrong(tmp_path, content, message):
    path = write(tmp_path / "index_train.json", content)
    with pytest.raises(CorpusError, match=message) as caught:
        index.read_index(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_an_index_that_cannot_be_read(tmp_path):
    with pytest.raises(CorpusError, match="missing.json: no such file"):
        index.read_index(tmp_path / "missing.json")
    with pytest.raises(CorpusError, match="cannot be read"):
        index.read_index(tmp_path)
    (tmp_path / "latin.json").write_bytes('[{"track_id": "é"}]'.encode("latin1"))
    with pytest.raises(CorpusError, match="latin.json: is not valid JSON"):
        index.read_index(tmp_path / "latin.json")


# --- splits ---------------------------------------------------------------------------


def grouped(n_groups, size=3):
    return {f"t{g}_{n}": f"g{g}" for n in range(size) for g in range(n_groups)}


def test_splits_that_do_not_meet_pass():
    assert index.check_splits({"a": "x", "b": "x"}, {"c": "y"}) is None


@pytest.mark.parametrize("groups", [{"a": "x", "b": "x"}, {"a": "x", "b": None}])
def test_one_group_cannot_be_held_out(groups):
    with pytest.raises(ConfigError, match="of 1 group.*list more groups in some.json"):
        index.hold_out(groups, 0.5, 0, "some.json")
    kept, held_out = index.hold_out({**groups, "c": "y"}, 0.5, 0)
    assert kept and held_out


def test_a_track_on_both_sides():
    with pytest.raises(CorpusError, match=r"^2 track\(s\) in both .* 'a'"):
        index.check_splits({"a": "x", "b": "x", "d": "d"}, {"b": "y", "a": "y"})


def test_a_group_on_both_sides():
    with pytest.raises(CorpusError, match=r"^1 group\(s\) in both .* 'x'"):
        index.check_splits({"a": "x"}, {"b": "x", "c": "y"})


def test_files_on_both_sides_are_named():
    for test in ({"a": "y"}, {"b": "x"}):
        with pytest.raises(CorpusError, match="in both left.json and right.json, such"):
            index.check_splits({"a": "x"}, test, ("left.json", "right.json"))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_split(fraction, seed):
    tracks = grouped(10)
    kept, held_out = index.hold_out(tracks, fraction, seed)
    assert sorted(kept + held_out) == sorted(tracks)
    groups = [{tracks[track] for track in side} for side in (kept, held_out)]
    assert not groups[0] & groups[1]
    assert len(groups[1]) == max(1, round(10 * fraction))
    for side in (kept, held_out):
        assert side == [track for track in tracks if track in side]


def test_the_seed_alone_decides_who_is_held_out():
    tracks = grouped(10)
    shuffled = dict(sorted(tracks.items(), reverse=True))
    assert index.hold_out(tracks, 0.3, 1) == index.hold_out(tracks, 0.3, 1)
    same = index.hold_out(shuffled, 0.3, 1)[1]
    assert set(same) == set(index.hold_out(tracks, 0.3, 1)[1])
    choices = {frozenset(index.hold_out(tracks, 0.3, seed)[1]) for seed in range(9)}
    assert len(choices) > 3


@pytest.mark.parametrize(
    ("n_groups", "fraction"), [(1, 0.5), (3, 0.99), (3, 0), (3, 1), (3, -1), (0, 0.5)]
)
def test_an_empty_side_is_an_error(n_groups, fraction):
    with pytest.raises(ConfigError, match=f"of {n_groups} group"):
        index.hold_out(grouped(n_groups), fraction, 0)


def test_an_index_that_cannot_be_split_is_named():
    with pytest.raises(ConfigError, match="list more groups in some/index.json or"):
        index.hold_out(grouped(1), 0.5, 0, "some/index.json")


# --- corpora --------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path):
    for track in ("a", "b c", "d[1]"):
        for ext in ("ogg", "jamz"):
            (tmp_path / f"{track}.{ext}").touch()
    return index.Corpus(tmp_path, "ogg", "jamz")


def test_paths_of_a_track(pairs):
    assert pairs.audio("b c") == pairs.directory / "b c.ogg"
    assert pairs.jams("b c") == pairs.directory / "b c.jamz"
    assert index.Corpus("somewhere").audio("a").name == "a.flac"
    assert index.Corpus("somewhere").jams("a").name == "a.jams"


def test_a_whole_corpus_passes(pairs):
    (pairs.directory / "unlisted.ogg").touch()
    assert pairs.check(["a", "b c", "d[1]"]) is None


def test_what_is_missing_is_named(pairs):
    (pairs.directory / "b c.jamz").unlink()
    (pairs.directory / "d[1].ogg").unlink()
    with pytest.raises(CorpusError) as caught:
        pairs.check(["a", "b c", "d[1]", "e"])
    text = str(caught.value)
    assert "b c.ogg without annotation" in text
    assert "d[1].jamz without audio" in text
    assert "e without audio and annotation" in text
    assert "\n" not in text and str(pairs.directory) in text


def test_many_missing_tracks_are_counted(pairs):
    with pytest.raises(CorpusError, match="and 7 more"):
        pairs.check(["a", *(f"x{number}" for number in range(10))])


def test_no_pair_at_all_asks_for_the_settings(pairs):
    for corpus, tracks in [
        (pairs, ["x"]),
        (index.Corpus(pairs.directory, "flac", "jamz"), ["a"]),
        (index.Corpus(pairs.directory, "ogg", "jams"), ["a"]),
    ]:
        with pytest.raises(CorpusError, match="no pair of .*audio_ext"):
            corpus.check(tracks)


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match="nowhere: the corpus directory cannot"):
        index.Corpus(tmp_path / "nowhere").check(["a"])
