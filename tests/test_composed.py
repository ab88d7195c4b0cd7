"""Composed pieces: variants differ, and their annotations are correct."""

import json

import jams
import mir_eval
import pytest
import soundfile

from crema.corpus import composed, demo
from crema.corpus.render import DEFAULT_SOUNDFONT

PIECES = {piece.track_id: piece for piece in demo.catalogue()}


def test_variants_differ_in_key_tempo_and_band():
    piece = PIECES["blues_shuffle_1"]
    variants = [composed.vary(piece, number, 0) for number in range(8)]
    assert composed.vary(piece, 3, 0) == variants[3]
    assert composed.vary(piece, 3, 1) != variants[3]
    assert len({variant.key for variant in variants}) > 3
    assert len({variant.tempo for variant in variants}) == 8
    assert len({tuple(variant.band.values()) for variant in variants}) > 4
    for variant in variants:
        assert variant.harmony == piece.harmony
        assert variant.key.split(":")[1] == piece.key.split(":")[1]
        assert variant.band.get("drums") == piece.band.get("drums")
        assert list(variant.band) == list(piece.band)


def test_corpus(tmp_path, monkeypatch):
    chosen = [PIECES[name] for name in ("royal_road_1", "habanera_2")]
    monkeypatch.setattr(demo, "catalogue", lambda: chosen)
    monkeypatch.setattr(composed, "LENGTH", (14.0, 15.0))
    monkeypatch.setattr(composed, "MODULATIONS", 1.0)
    others = [{"track_id": "mine", "group": "me"}]
    train = tmp_path / "index_train.json"
    train.write_text(json.dumps(others))
    command = [str(tmp_path), "--variants", "2", "--sample-rate", "22050"]
    assert composed.main(command) == 0
    rows = json.loads(train.read_text())
    assert [row["track_id"] for row in rows] == [
        "mine",
        *(f"composed_{piece.track_id}_{n}" for piece in chosen for n in (0, 1)),
    ]
    assert rows[-1]["group"] == "composed_habanera"
    for row in rows[1:]:
        jam = jams.load(str(tmp_path / f"{row['track_id']}.jams"), strict=True)
        info = soundfile.info(tmp_path / f"{row['track_id']}.flac")
        assert jam.file_metadata.duration == info.frames / 22050
        (chord,) = jam.search(namespace="chord")
        intervals, labels = chord.to_interval_values()
        assert intervals[0, 0] == 0
        assert intervals[-1, 1] == pytest.approx(jam.file_metadata.duration, abs=2e-6)
        mir_eval.chord.encode_many(labels)
        (beat,) = jam.search(namespace="beat")
        times, positions = beat.to_event_values()
        meter = 3 if "habanera" in row["track_id"] else 4
        assert positions[: meter + 1] == [*range(1, meter + 1), 1]
        assert (times[1:] > times[:-1]).all()
        (keys,) = jam.search(namespace="key_mode")
        assert len(keys.data) == 1 + ("modulation" in jam.sandbox.drawn)
        fonts = set(dict(jam.sandbox.drawn["soundfonts"]).values())
        assert fonts == {DEFAULT_SOUNDFONT.name}

    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.flac")}
    assert composed.main(command) == 0
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    assert json.loads(train.read_text()) == rows
