"""Comparing evaluations: the confidence interval is correct."""

import json

import numpy as np
import pytest

from crema import compare, program
from crema.exceptions import CremaError


def write(path, scores, estimator="chord", durations=None):
    """Write a ``test_data.json`` in which track `i` has the score ``scores[i]``."""
    rows = [
        {
            "track_id": f"t{number}",
            "duration": durations[number] if durations else 100.0,
            "scores": {} if score is None else {"root": score, "other": None},
        }
        for number, score in enumerate(scores)
    ]
    result = {"estimator": estimator, "summary": {"root": {}}, "tracks": rows}
    path.write_text(json.dumps(result))
    return path


def test_a_small_gain_on_every_track_is_told_from_chance(tmp_path):
    draw = np.random.default_rng(0)
    hard = draw.uniform(0.2, 0.9, 40)
    a = write(tmp_path / "a.json", list(hard))
    b = write(tmp_path / "b.json", list(hard + draw.normal(0.02, 0.01, 40)))
    line = compare.compare(a, b)["root"]
    assert 0 < line["low"] < line["difference"] < line["high"] < 0.04
    assert line["after"] - line["before"] == pytest.approx(line["difference"])
    back = compare.compare(b, a)["root"]
    assert back["difference"] == pytest.approx(-line["difference"])
    assert compare.compare(a, a)["root"]["low"] == 0
    assert "chance" not in compare.table(compare.compare(a, b))
    assert "chance" in compare.table(compare.compare(a, a))


@pytest.mark.parametrize("n", [compare.FEWEST, 10, 50])
def test_the_interval_holds_the_truth_as_often_as_it_says(n, monkeypatch):
    monkeypatch.setattr(compare, "RESAMPLES", 2000)
    draw = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        before = draw.uniform(0, 1, n)
        line = compare.interval(before, before + draw.normal(0.1, 0.3, n), np.ones(n))
        inside += line["low"] <= 0.1 <= line["high"]
    assert 0.92 * 400 <= inside <= 0.98 * 400


def test_tracks_without_a_score_and_weights(tmp_path):
    a = write(tmp_path / "a.json", [0.5, None, 0.5, 0.1], durations=[300, 9, 100, 9])
    b = write(tmp_path / "b.json", [0.7, 0.9, 0.5], durations=[300, 9, 100])
    line = compare.compare(a, b)["root"]
    assert line["tracks"] == 2
    assert line["difference"] == pytest.approx(0.15)


def test_what_cannot_be_compared(tmp_path):
    a = write(tmp_path / "a.json", [0.5])
    with pytest.raises(CremaError, match="evaluates the estimator chord and .* key"):
        compare.compare(a, write(tmp_path / "b.json", [0.5], "key"))
    with pytest.raises(CremaError, match="share no scored track"):
        compare.compare(a, write(tmp_path / "b.json", [None]))
    for content in ("[]", '{"estimator": "chord"}', '{"tracks": 1}'):
        (tmp_path / "c.json").write_text(content)
        with pytest.raises(CremaError, match="c.json: is not a test_data.json"):
            compare.compare(a, tmp_path / "c.json")
    with pytest.raises(CremaError, match="no such file"):
        compare.compare(a, tmp_path / "gone.json")


def test_few_tracks_tell_nothing(tmp_path):
    for n in (compare.FEWEST - 1, compare.FEWEST):
        a = write(tmp_path / "a.json", [0.5] * n)
        b = write(tmp_path / "b.json", [0.7] * n)
        few = "too few tracks" in compare.table(compare.compare(a, b))
        assert few == (n < compare.FEWEST)


def test_other_references_are_told(tmp_path):
    a, b = (write(tmp_path / f"{name}.json", [0.5]) for name in "ab")
    assert not compare.differ(a, b), "what they were is not known"
    for path, corpus in ((a, "one"), (b, "other")):
        result = json.loads(path.read_text())
        result["origin"] = {"evaluation": {"corpus": corpus}}
        path.write_text(json.dumps(result))
    assert compare.differ(a, b) and not compare.differ(a, a)


def test_the_command(tmp_path, capsys):
    a = write(tmp_path / "a.json", [0.5, 0.6])
    b = write(tmp_path / "b.json", [0.7, 0.8])
    assert program.main(["compare", str(a), str(b)]) == 0
    text = capsys.readouterr().out
    assert "+0.200" in text and "95 % interval" in text
