"""Statistics over all tracks of an evaluation."""

import numpy as np
import pytest

from crema.utils import statistics


def test_calibration_is_how_far_confidence_is_from_what_is_correct():
    said = [(0.95, 1, 3), (0.95, 0, 1), (0.2, 1, 1), (0.2, 0, 3), (0.5, 1, 0)]
    found = statistics.calibration(said)
    assert found["error"] == pytest.approx(0.5 * 0.2 + 0.5 * 0.05)
    assert [one["share"] for one in found["bins"]] == [0.5, 0.5]
    assert found["bins"][0] == pytest.approx(
        {"confidence": 0.2, "correct": 0.25, "share": 0.5}
    )
    assert statistics.calibration([(1.0, 1, 1)])["error"] == 0


def test_the_floor_of_the_calibration_is_that_of_perfect_confidences():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 2000)
    said = [(one, rng.random() < one, 1) for one in confidence]
    found = statistics.calibration(said)
    assert 0.5 < found["error"] / found["floor"] < 2 and found["floor"] < 0.03
    # Fewer labels are farther off by chance.
    assert statistics.calibration(said[:80])["floor"] > 3 * found["floor"]
    assert statistics.calibration([(0.9, 0, 1)] * 2000)["floor"] < 0.01
    assert statistics.calibration([]) == {"error": 0, "floor": 0, "bins": []}


def test_confusion_sums_up_weights_in_the_order_of_the_labels():
    given = {
        "model": [("b", "a", 1.5), ("b", "a", 0.5), ("a", "a", 3)],
        "baseline": [("a", "unforeseen", 2)],
    }
    assert statistics.confusion(given, ("b", "c", "a")) == {
        "labels": ["b", "a", "unforeseen"],
        "model": [[0, 2, 0], [0, 3, 0], [0, 0, 0]],
        "baseline": [[0, 0, 0], [0, 0, 2], [0, 0, 0]],
    }


def test_means_are_weighted_by_duration():
    rows = [
        {"duration": 300, "scores": {"a": 1.0, "b": None}, "baseline": {"a": 0.5}},
        {"duration": 100, "scores": {"a": 0.0, "b": 0.5}, "baseline": {"a": 0, "b": 0}},
        {"duration": None, "scores": {}, "baseline": {}},
    ]
    rows.append({"duration": 100, "scores": {"c": 1.0}, "baseline": {"c": None}})
    summary = statistics.summarise(rows)
    assert summary["c"]["weighted"] == 1 and summary["c"]["baseline"] is None
    assert "-" in statistics.table(summary, [])
    assert summary["a"] == {
        "mean": 0.5,
        "weighted": 0.75,
        "baseline": 0.375,
        "tracks": 2,
    }
    assert summary["b"]["tracks"] == 1
