"""Excerpts of recordings in which hearings agree."""

import json

import numpy as np
import pytest
from conftest import run_script

from crema.corpus import agreement, heard, pair
from crema.corpus.hearings import AS_IT_IS, CHANGES
from crema.exceptions import CorpusError
from crema.notes import split, transpose
from crema.utils import audiofile, index, jamsfile

RATE = 22050


def beats(hearings):
    return agreement.beats([{"beat": one} for one in hearings])


def told(hearings):
    """Return times and positions of the beats of each excerpt."""
    observed = (zip(*excerpt.observed, strict=True) for excerpt in beats(hearings))
    return [(np.array(times), list(positions)) for times, positions in observed]


def hearing(interval, start=0.0, meter=4, first=0, n=60):
    """Return beats at a steady tempo, with downbeats every `meter` from `first`."""
    return start + interval * np.arange(n), (np.arange(n) - first) % meter + 1


def test_the_same_beats_agree():
    one = hearing(0.5)
    beats, bars = agreement.agree(*one, one[0] + 0.06, one[1])
    assert beats.all()
    assert bars.all()


@pytest.mark.parametrize("late", [0.08, 0.25])
def test_other_beats_disagree(late):
    one = hearing(0.5)
    beats, bars = agreement.agree(*one, one[0] + late, one[1])
    assert not beats.any()
    assert not bars.any()


def test_twice_the_tempo_disagrees_though_it_has_all_beats():
    beats, _ = agreement.agree(*hearing(0.5), *hearing(0.25, n=120))
    assert not beats[:-1].any()
    beats, _ = agreement.agree(*hearing(0.25, n=120), *hearing(0.5))
    assert beats.sum() == 60


def test_other_positions_disagree():
    beats, bars = agreement.agree(*hearing(0.5), *hearing(0.5, first=2))
    assert beats.all()
    assert not bars.any()


def test_silence_agrees_on_nothing():
    nothing = np.zeros(0), np.zeros(0, dtype=int)
    assert not np.any(agreement.agree(*hearing(0.5), *nothing))
    assert beats([nothing] * 4) == []
    assert beats([nothing, hearing(0.5), nothing]) == []


def test_the_hearing_most_like_the_others_is_taken():
    same = [hearing(0.5), hearing(0.5, 0.02)]
    (excerpt,) = beats([hearing(0.25, n=120), *same, *same])
    assert np.diff([time for time, _ in excerpt.observed]) == pytest.approx(0.5)


def test_an_excerpt_is_where_enough_agree():
    steady = hearing(0.5, n=100)
    # From 10 s to 15 s, two of the five others deviate.
    others = [steady] * 3 + [
        (np.delete(steady[0], slice(20, 30)), np.delete(steady[1], slice(20, 30)))
    ] * 2
    ((times, positions),) = told([steady, *others])
    assert times[0] > 13
    assert times[-1] == steady[0][-1]
    assert positions == steady[1][-len(times) :].tolist()
    # One deviation in five is not enough for doubt.
    ((times, _),) = told([steady, *others[:4], steady])
    assert len(times) == len(steady[0])


def test_positions_are_told_where_bars_agree():
    hearings = [
        hearing(0.5),
        hearing(0.5),
        hearing(0.5, first=2),
        hearing(0.5, meter=3),
    ]
    ((times, positions),) = told(hearings)
    assert len(times) == 60
    assert set(positions) == {None}


def chords(*labels, seconds=2.0, late=0.0):
    """Return chords of equal length, as a hearing."""
    edges = np.append(0, np.arange(1, len(labels) + 1) * seconds + late)
    return {"chord": (np.column_stack([edges[:-1], edges[1:]]), list(labels))}


SONG = ["C:maj", "A:min7", "F:maj/5", "G:7"] * 5


def test_chords_are_told_where_enough_agree():
    hearings = [chords(*SONG, late=late) for late in (0.0, 0.05, -0.05)]
    inverted = [label.split("/")[0] + "/3" for label in SONG]
    ((start, end, observed),) = agreement.chords([*hearings, chords(*inverted)])
    assert (start, end) == pytest.approx((0, 40), abs=0.1)
    assert [label.split("/")[0] for *_, label in observed] == [
        label.split("/")[0] for label in SONG
    ]
    assert [first for first, *_ in observed[1:]] == [end for _, end, _ in observed[:-1]]


def test_other_chords_disagree():
    # From 28 s on, half of the others hear other chords.
    other = [*SONG[:14], *["D:hdim7", "E:aug"] * 3]
    hearings = [chords(*SONG)] * 3 + [chords(*other)] * 2
    ((start, end, observed),) = agreement.chords(hearings)
    assert start == 0
    assert end == pytest.approx(28, abs=0.2)
    assert observed[-1][1] == end
    assert agreement.chords([chords(*SONG), chords(*SONG[1:], "C:maj")]) == []


@pytest.mark.parametrize("nothing", ["N", "X"])
def test_no_chord_is_nothing_to_agree_on(nothing):
    silent = [*SONG[:13], *[nothing] * 4, *SONG[:13]]
    first, second = agreement.chords([chords(*silent)] * 3)
    assert (first.start, first.end) == pytest.approx((0, 26), abs=2)
    assert (second.start, second.end) == pytest.approx((34, 60), abs=2)
    # A rest is part of the music.
    (whole,) = agreement.chords([chords(*SONG, nothing, *SONG, seconds=0.9)] * 3)
    assert [label for *_, label in whole.observed][20] == nothing


def test_what_is_shorter_than_an_excerpt_is_none():
    assert agreement.chords([chords(*SONG[:7])] * 3) == []
    assert agreement.chords([chords("N", seconds=0.04)] * 3) == []


def test_names_tell_the_directory(tmp_path):
    paths = [tmp_path / "a.b" / "1. x.ogg", tmp_path / "c" / "1. x.ogg"]
    assert list(heard.names("beat", paths)) == [
        "heard_beat_a_b_1_x",
        "heard_beat_c_1_x",
    ]
    assert list(heard.names("beat", [paths[0], paths[0]])) == ["heard_beat_a_b_1_x"]
    paths.append(tmp_path / "c" / "1_x.mp3")
    with pytest.raises(CorpusError, match=r"1_x\.mp3: would get .* heard_key_c_1_x"):
        heard.names("key", paths)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus from a recording with a pulse, a silent one, and a text file."""
    directory = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    time = np.arange(28 * RATE) / RATE
    hit = rng.normal(size=len(time)) * np.exp(-(time % 0.5) / 0.03)
    bass = np.sin(2 * np.pi * 80 * time) * np.exp(-(time % 2) / 0.2)
    pulse = 0.2 * hit + 0.4 * bass
    audiofile.write(directory / "pulse.flac", pulse.astype(np.float32), RATE)
    audiofile.write(directory / "none.flac", np.zeros(5 * RATE, np.float32), RATE)
    (directory / "text.flac").write_text("no audio")
    output = directory / "corpus"
    output.mkdir()
    index.write_index(output / "index_train.json", [{"track_id": "a", "group": "a"}])
    (output / "a.flac").touch()
    files = [str(directory / f"{name}.flac") for name in ("pulse", "none", "text")]
    absent = str(directory / "absent.flac")
    words = ["beat", str(output), *files, absent, "--versions", "3"]
    return words, heard.main(words), output


@pytest.mark.parametrize("package", ["pedalboard", "muda"])
def test_without_the_extra_it_says_what_to_install(tmp_path, package):
    audiofile.write(tmp_path / "song.flac", np.zeros(RATE, np.float32), RATE)
    words = ["heard", "beat", str(tmp_path / "out"), str(tmp_path / "song.flac")]
    code = f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv = {words}\n"
    code += "runpy.run_module('crema.corpus.heard', run_name='__main__')"
    done = run_script("-c", code)
    advice = "install crema with make or conda, as README.md says"
    assert (done.returncode, done.stderr.splitlines()) == (
        *(1, [f"error: {package} is not installed; {advice}"]),
    )


def test_the_corpus_must_be_in_flac(tmp_path):
    """All audio of a corpus has the same format, and the excerpts are FLAC."""
    index.write_index(tmp_path / "index_train.json", [{"track_id": "a", "group": "a"}])
    (tmp_path / "a.mp3").touch()
    with pytest.raises(CorpusError, match=r"a\.flac: no such file.*convert it"):
        heard.main(["beat", str(tmp_path), "song.flac"])
    assert len(list(tmp_path.iterdir())) == 2


def test_bad_files_do_not_lose_the_others(made):
    _, status, output = made
    assert status == 1
    tracks = index.read_index(output / "index_train_beat.json")
    assert tracks.pop("a") == "a"
    assert set(tracks.values()) == {None}
    assert len(tracks) == 3
    assert index.read_index(output / "index_train.json") == {"a": "a"}


def test_each_version_has_its_beats(made):
    _, _, output = made
    tracks = [t for t in index.read_index(output / "index_train_beat.json") if t != "a"]
    found = {}
    for track in tracks:
        y, rate = audiofile.read(output / f"{track}.flac")
        (annotation,) = jamsfile.read(output / f"{track}.jams").annotations
        times = np.array([beat.time for beat in annotation.data])
        assert annotation.duration == pytest.approx(len(y) / rate)
        assert 0 <= times[0] < 0.11
        intervals = np.diff(times)
        assert np.ptp(intervals) < 0.06
        found[track] = np.mean(intervals), len(times), len(y) / rate
    first = found[tracks[0]]
    assert min(abs(first[0] - beat) for beat in (0.5, 1.0)) < 0.002
    rates = {1.0, *(change.rate for change in CHANGES.values())}
    for interval, n, seconds in found.values():
        assert n == first[1]
        ratio = first[0] / interval
        assert any(ratio == pytest.approx(rate, rel=0.01) for rate in rates)
        assert seconds * ratio == pytest.approx(first[2], abs=0.1)


def test_a_second_run_makes_nothing(made, monkeypatch):
    words, _, output = made
    before = {path: path.stat().st_mtime_ns for path in output.glob("heard_*")}
    monkeypatch.setattr(heard, "hear", None)
    assert heard.main(words) == 1
    assert {path: path.stat().st_mtime_ns for path in output.glob("heard_*")} == before
    record = json.loads(next(output.glob("heard_*_pulse.json")).read_text())
    assert len(record["tracks"]) == 3


def test_what_is_missing_is_made_again(made):
    words, _, output = made
    path = next(output.glob("heard_*_0_1.flac"))
    path.unlink()
    assert heard.main(words) == 1
    assert path.is_file()


def test_another_call_adds_to_what_is_there(made):
    words, _, output = made
    before = index.read_index(output / "index_train_beat.json")
    assert heard.main([*words[:2], words[-3], *words[-2:]]) == 1  # a missing file
    assert index.read_index(output / "index_train_beat.json") == before
    assert heard.main(words) == 1
    assert index.read_index(output / "index_train_beat.json") == before


def test_where_nothing_is_heard_there_is_no_index(made, tmp_path):
    words, _, _ = made
    for _ in range(2):
        with pytest.raises(CorpusError, match=r"index_train_beat\.json: no track to"):
            heard.main(["beat", str(tmp_path), words[3]])
    assert not list(tmp_path.glob("index*"))


def test_what_was_heard_is_no_pair(made, tmp_path):
    _, _, output = made
    with pytest.raises(CorpusError, match="can be used"):
        pair.pair(output, output=tmp_path)
    records = json.loads((tmp_path / "rejected.json").read_text())
    heard_before = [
        r for r in records if "crema predicted these labels itself" in r["reason"]
    ]
    assert len(heard_before) == 3
    assert all(record["track_id"].startswith("heard_") for record in heard_before)


def test_what_was_heard_is_never_held_out(made):
    _, _, output = made
    tracks = index.read_index(output / "index_train_beat.json") | {"b": "b"}
    for seed in range(9):
        kept, held_out = index.hold_out(tracks, 0.5, seed)
        assert len(held_out) == 1
        assert set(held_out) < {"a", "b"}
        assert len(kept) == 4


@pytest.mark.parametrize("change", ["1.12 times as fast", "3 semitones up"])
def test_what_is_written_is_where_it_sounds(tmp_path, change):
    y = np.zeros(40 * RATE, np.float32)
    y[12 * RATE : 20 * RATE] = 0.5 * np.sin(
        440 * 2 * np.pi / RATE * np.arange(8 * RATE)
    )
    changed = CHANGES[change].apply(y, RATE)
    observed = [(10.0, 12.0, "N"), (12.0, 20.0, "A:maj/3"), (20.0, 36.0, "N")]
    excerpt = agreement.Excerpt(10.0, 36.0, observed)
    beats = agreement.Excerpt(10.0, 36.0, [(12.0, 1), (20.0, None)])
    for estimator, part in (("chord", excerpt), ("beat", beats)):
        arguments = (estimator, changed, RATE, part, CHANGES[change])
        heard.write(tmp_path, estimator, *arguments)
        audio, _ = audiofile.read(tmp_path / f"{estimator}.flac")
        sounds = np.flatnonzero(np.abs(audio) > 0.1) / RATE
        (annotation,) = jamsfile.read(tmp_path / f"{estimator}.jams").annotations
        told = {observation.value: observation.time for observation in annotation.data}
        assert annotation.duration == len(audio) / RATE
        if estimator == "beat":
            assert told[1] == pytest.approx(sounds[0], abs=0.03)
            assert told[None] == pytest.approx(sounds[-1], abs=0.03)
            continue
        name = transpose("A:maj/3", CHANGES[change].semitones)
        assert told[name] == pytest.approx(sounds[0], abs=0.03)
        assert told["N"] == pytest.approx(sounds[-1], abs=0.03)


def test_an_interrupted_run_leaves_no_annotation_of_other_audio(tmp_path, monkeypatch):
    y = np.zeros(4 * RATE, np.float32)
    excerpt = agreement.Excerpt(0.0, 4.0, [(1.0, 1)])
    arguments = tmp_path, "song", "beat", y, RATE, excerpt, AS_IT_IS
    heard.write(*arguments)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jamsfile, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        heard.write(*arguments)
    assert not (tmp_path / "song.jams").exists()


def test_chords_move_with_the_audio(tmp_path):
    time = np.arange(32 * RATE) / RATE
    y = np.zeros(len(time))
    triads = ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2))
    for number, tones in enumerate(triads * 4):
        part = slice(number * 2 * RATE, (number + 1) * 2 * RATE)
        fade = np.exp(-(time[part] - time[part][0]))
        for midi in (36 + tones[0], *(60 + tone for tone in tones)):
            frequency = 440 * 2 ** ((midi - 69) / 12)
            for harmonic in range(1, 6):
                wave = np.sin(2 * np.pi * harmonic * frequency * time[part])
                y[part] += 0.1 * fade * wave / harmonic
    audiofile.write(tmp_path / "song.flac", y.astype(np.float32), RATE)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    words = ["chord", str(corpus), str(tmp_path / "song.flac"), "--versions", "9"]
    assert heard.main(words) == 0
    tracks = index.read_index(corpus / "index_train_chord.json")
    assert len(tracks) == 9
    expected = ["C:maj", "A:min", "F:maj", "G:maj"] * 4
    roots = set()
    for track in tracks:
        audio, _ = audiofile.read(corpus / f"{track}.flac")
        (annotation,) = jamsfile.read(corpus / f"{track}.jams").annotations
        assert annotation.namespace == "chord"
        assert annotation.duration == pytest.approx(len(audio) / RATE)
        plain = [chord.value.split("/")[0] for chord in annotation.data]
        plain = [label for label in plain if label != "N"]
        up, _ = split(plain[0])
        roots.add(up)
        assert [transpose(label, -up) for label in plain] == expected
        changes = [chord.time for chord in annotation.data][1:]
        assert np.diff(changes) == pytest.approx(np.median(np.diff(changes)), abs=0.15)
    assert roots == {0, 3, 8}
