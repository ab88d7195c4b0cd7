"""The demo corpus: its labels match the audio, and its split is fair."""

from itertools import pairwise
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from crema.corpus import demo
from crema.corpus.demo import __main__ as cli
from crema.corpus.demo.accompaniment import STYLES
from crema.corpus.demo.composer import BEATS, is_bass
from crema.corpus.demo.drums import GROOVES
from crema.corpus.demo.harmony import QUALITIES, chord, read_harmony
from crema.corpus.render import render
from crema.exceptions import ConfigError
from crema.notes import MODES
from crema.utils import audiofile, index, jamsfile

PIECES = demo.catalogue()
TRAIN = [piece for piece in PIECES if piece.split == "train"]
TEST = [piece for piece in PIECES if piece.split == "test"]
SHORT = ["turnaround_1", "habanera_2"]


@pytest.fixture(scope="module")
def compositions():
    return {piece.track_id: demo.compose(piece) for piece in PIECES}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo")
    for track_id in SHORT:
        demo.write(track_id, directory, seconds=8)
    return directory


def piece_called(track_id):
    return next(piece for piece in PIECES if piece.track_id == track_id)


def qualities(pieces, compositions):
    labels = {c[2] for p in pieces for c in compositions[p.track_id].chords}
    return {label.split(":")[1].split("/")[0] for label in labels - {"N"}}


def changes(composition):
    """List interval and qualities of each change, which do not depend on the key."""
    labels = [label for *_, label in composition.chords if label != "N"]
    encoded = [(mir_eval.chord.encode(x)[0], x.split(":")[1]) for x in labels]
    return [((b - a) % 12, p, q) for (a, p), (b, q) in pairwise(encoded)]


def longest_common_run(first, second):
    best, row = 0, [0] * (len(second) + 1)
    for a in first:
        row = [0] + [row[j] + 1 if a == b else 0 for j, b in enumerate(second)]
        best = max(best, *row)
    return best


# The catalogue


def test_the_corpus_is_as_large_and_diverse_as_promised():
    assert len(TRAIN) == 32 and len(TEST) == 8
    assert len({piece.track_id for piece in PIECES}) == len(PIECES)
    assert {piece.meter for piece in TRAIN} == {piece.meter for piece in TEST}
    assert {piece.meter for piece in PIECES} == {"4/4", "3/4", "6/8"}
    assert len({piece.tonic for piece in PIECES}) >= 12
    assert all(60 <= piece.tempo <= 180 for piece in PIECES)
    drummed = np.mean(["drums" in piece.band for piece in PIECES])
    assert 0.55 < drummed < 0.8


def test_track_ids_are_fit_for_an_index():
    for piece in PIECES:
        index.check_track_id(piece.track_id, "the demo corpus")


def test_no_family_is_on_both_sides_of_the_split():
    assert not {p.family for p in TRAIN} & {p.family for p in TEST}


def test_no_test_piece_resembles_a_transposed_training_piece(compositions):
    for test in TEST:
        for train in TRAIN:
            a, b = changes(compositions[test.track_id]), compositions[train.track_id]
            assert longest_common_run(a, changes(b)) <= 5, (test, train)


def test_qualities_of_the_test_pieces_are_learnt_in_training(compositions):
    learnt = qualities(TRAIN, compositions)
    assert qualities(TEST, compositions) <= learnt
    assert learnt == set(QUALITIES)


def test_committed_indexes_are_those_of_the_catalogue(tmp_path):
    demo.write_indexes(tmp_path)
    committed = Path(__file__).parents[1] / "training" / "chord"
    for name in ("index_train.json", "index_test.json"):
        assert (committed / name).read_bytes() == (tmp_path / name).read_bytes()
    splits = [index.read_index(tmp_path / f"index_{s}.json") for s in ("train", "test")]
    index.check_splits(*splits)


# The notation


@pytest.mark.parametrize("quality", QUALITIES)
def test_qualities_are_those_of_mir_eval(quality):
    bitmap = mir_eval.chord.encode(f"C:{quality}")[1]
    assert tuple(np.flatnonzero(bitmap)) == QUALITIES[quality]


@pytest.mark.parametrize(
    ("symbol", "tonic", "label", "bass"),
    [
        ("I", "C", "C:maj", 0),
        ("ii:min7", "Eb", "F:min7", 5),
        ("bVI:maj7/3", "E", "C:maj7/3", 4),
        ("#iv:dim7", "Bb", "E:dim7", 4),
        ("V:7/b7", "F#", "C#:7/b7", 11),
        ("bII", "C#", "D:maj", 2),
        ("i:min6/6", "A", "A:min6/6", 6),
        ("N", "A", "N", 0),
    ],
)
def test_symbols_are_spelled_in_the_key(symbol, tonic, label, bass):
    assert (chord(symbol, tonic).label, chord(symbol, tonic).bass) == (label, bass)


def test_a_progression_is_laid_out_bar_by_bar():
    spans = read_harmony("N || I IV V | % \n vi || I:7", "C", 4, n_bars=5, coda_bars=2)
    assert [(s.start, s.length, s.chord.label) for s in spans] == [
        (0, 4, "N"),
        (4, 2, "C:maj"),
        (6, 1, "F:maj"),
        (7, 1, "G:maj"),
        (8, 4, "G:maj"),
        (12, 8, "C:7"),
    ]
    assert [span.fresh for span in spans] == [False, True, True, True, False, True]


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.track_id)
def test_patterns_fill_the_bars_of_the_meter(piece):
    beats = BEATS[piece.meter]
    texts = [STYLES[name].bars[beats] for name in piece.band if name in STYLES]
    texts += GROOVES[piece.band["drums"]].values() if "drums" in piece.band else []
    for bar in "|".join(texts).split("|"):
        assert len(bar) % beats == 0


# The compositions


@pytest.mark.parametrize("seconds", [None, 8])
@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.track_id)
def test_annotations_are_whole(piece, seconds):
    composition = demo.compose(piece, seconds)
    chords, duration = composition.chords, composition.duration
    assert 34.5 <= duration <= 44 if seconds is None else duration <= 18
    assert duration * 22050 == int(duration * 22050)
    assert chords[0][0] == 0 and chords[-1][1] == duration
    assert chords[0][2] == chords[-1][2] == "N"
    for (start, end, label), (onset, _, other) in pairwise(chords):
        # Exactly, because mir_eval would find an overlap otherwise.
        assert start < end == onset and label != other
        assert start + (end - start) == end
    assert all(mir_eval.chord.encode(label) for *_, label in chords)

    times, positions = np.array(composition.beats).T
    np.testing.assert_allclose(np.diff(times), 60 / piece.tempo, atol=1e-4)
    n_beats = BEATS[piece.meter]
    assert positions.tolist() == [i % n_beats + 1 for i in range(len(positions))]
    assert positions[-1] == 1 and chords[-2][0] <= times[-1] < chords[-2][1]
    assert {start for start, _, label in chords[1:-1]} <= set(times)
    assert composition.key == (chords[0][1], chords[-1][0], piece.key)
    assert piece.mode in MODES


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.track_id)
def test_labels_are_what_sounds(piece, compositions):
    """Accompanists play all tones of the label, and basses its bass."""
    composition = compositions[piece.track_id]
    parts = dict(zip(piece.band, composition.parts, strict=True))
    accompaniment = parts.keys() & STYLES.keys()
    (bass_style,) = filter(is_bass, parts)
    assert accompaniment - {bass_style}
    for start, end, label in composition.chords:
        root, bitmap, bass = mir_eval.chord.encode(label)
        bass = (root + bass) % 12
        tones = {(root + tone) % 12 for tone in np.flatnonzero(bitmap)}
        notes = {
            style: [n for n in part.notes if start <= n.start < end]
            for style, part in parts.items()
        }
        if label == "N":
            assert not any(notes[style] for style in notes if style != "drums")
            continue
        accompanied = {n.pitch % 12 for style in accompaniment for n in notes[style]}
        assert accompanied <= tones | {bass}
        pitched = {n.pitch % 12 for s in notes if s != "drums" for n in notes[s]}
        assert tones <= pitched
        first = min(notes[bass_style])
        assert first.pitch % 12 == bass and first.start - start < 0.05


def test_no_note_of_a_chord_reaches_into_silence(compositions):
    for composition in compositions.values():
        silences = [(a, b) for a, b, label in composition.chords if label == "N"]
        for part in composition.parts:
            for note in part.notes if not part.is_drum else ():
                assert not any(a - 0.4 < note.end <= b for a, b in silences[1:])
                assert note.start >= silences[0][1]


def test_a_piece_does_not_depend_on_those_before_it(compositions):
    for piece in reversed(PIECES):
        assert demo.compose(piece) == compositions[piece.track_id]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_impossible_lengths_are_refused(seconds):
    with pytest.raises(ConfigError, match="seconds"):
        demo.compose(PIECES[0], seconds)


# The files


@pytest.mark.parametrize("track_id", SHORT)
def test_files_agree(corpus, track_id):
    y, sample_rate = audiofile.read(corpus / f"{track_id}.flac")
    jam = jamsfile.read(corpus / f"{track_id}.jams")
    assert sample_rate == 22050
    assert len(y) / sample_rate == jam.file_metadata.duration
    assert [a.namespace for a in jam.annotations] == ["chord", "beat", "key_mode"]
    for annotation in jam.annotations:
        assert annotation.annotation_metadata.corpus == "crema demo"
        assert annotation.duration == jam.file_metadata.duration
    intervals, labels = jam.annotations[0].to_interval_values()
    scores = mir_eval.chord.evaluate(intervals, labels, intervals, labels)
    assert scores["majmin"] == scores["seg"] == 1


def test_chords_sound_where_the_labels_say(corpus):
    """Chroma match the labels best without a time shift, and N is silence."""
    import librosa

    y, sample_rate = audiofile.read(corpus / "habanera_2.flac")
    chords = demo.compose(
        next(p for p in PIECES if p.track_id == "habanera_2"), 8
    ).chords
    chroma = librosa.feature.chroma_stft(y=y, sr=sample_rate, hop_length=512, tuning=0)
    times = librosa.times_like(chroma, sr=sample_rate, hop_length=512)
    encoded = [mir_eval.chord.encode(label) for *_, label in chords]
    templates = np.array([np.roll(bitmap, root) for root, bitmap, _ in encoded])

    def agreement(shift):
        starts = [start for start, *_ in chords]
        active = np.searchsorted(starts, times - shift, side="right") - 1
        return np.sum(templates[active.clip(0)] * chroma.T)

    shifts = np.arange(-0.8, 0.81, 0.1)
    assert abs(shifts[np.argmax([agreement(shift) for shift in shifts])]) < 0.11
    level = np.abs(y).max()
    assert np.abs(y[: int((chords[0][1] - 0.02) * sample_rate)]).max() < 1e-3 * level
    assert np.abs(y[int(chords[-1][0] * sample_rate) :]).max() < 0.05 * level


def test_audio_is_the_same_every_time(corpus, tmp_path):
    for track_id in reversed(SHORT):
        demo.write(track_id, tmp_path, seconds=8)
    for path in corpus.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_an_interrupted_run_leaves_no_annotation_of_other_audio(tmp_path, monkeypatch):
    demo.write(SHORT[0], tmp_path, seconds=4)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(jamsfile, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.write(SHORT[0], tmp_path, seconds=8)
    assert not (tmp_path / f"{SHORT[0]}.jams").exists()


def test_other_sample_rates(tmp_path):
    demo.write(SHORT[1], tmp_path, sample_rate=16000, seconds=4)
    y, sample_rate = audiofile.read(tmp_path / f"{SHORT[1]}.flac")
    jam = jamsfile.read(tmp_path / f"{SHORT[1]}.jams")
    assert sample_rate == 16000
    assert len(y) / 16000 == jam.file_metadata.duration


def test_a_drum_break_is_unpitched():
    composition = demo.compose(piece_called("royal_road_1"))
    (start, end, _) = [c for c in composition.chords if c[2] == "N"][1]
    pitched = [part for part in composition.parts if not part.is_drum]
    y = render(pitched, sample_rate=8000, duration=composition.duration)
    during = y[int(start * 8000) : int(end * 8000)]
    assert np.sqrt(np.mean(during**2)) < 0.05 * np.sqrt(np.mean(y**2))
    drums = [part for part in composition.parts if part.is_drum]
    assert any(start <= note.start < end for part in drums for note in part.notes)


# The command line


def test_command_line_makes_what_is_asked_for(tmp_path, capsys):
    cli.main([str(tmp_path), "--tracks", "habanera_2", "--seconds", "4"])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"habanera_2.flac", "habanera_2.jams"}
    assert "[1/1] habanera_2" in capsys.readouterr().err


def test_unknown_pieces_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="blues_9"):
        cli.main([str(tmp_path), "--tracks", "blues_9"])
    assert not list(tmp_path.iterdir())


def test_command_line_writes_the_indexes(tmp_path):
    cli.main(["--write-index", str(tmp_path)])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"index_train.json", "index_test.json"}
