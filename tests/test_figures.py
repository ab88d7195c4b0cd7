"""Figures: of every epoch and every score there is, and the same each time."""

import json

import pytest

from crema.exceptions import CremaError
from crema.utils import figures

HISTORY = """\
epoch,learning_rate,loss,tag_loss,val_loss,val_tag_loss
1,0.001,3.5,2.5,3.7,2.7
2,0.001,2.5,1.5,2.9,1.9
3,0.0005,nan,1.4,2.8,1.8
"""


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HISTORY)
    return path


@pytest.fixture
def test_data(tmp_path):
    def row(value, simple):
        return {
            "track_id": "a",
            "status": "ok",
            "scores": {"root": value, "sevenths": None},
            "baseline": {"root": simple, "sevenths": None},
        }

    failed = {"track_id": "b", "status": "failed", "scores": {}, "baseline": {}}
    summary = {"mean": 0.6, "weighted": 0.65, "baseline": 0.4, "tracks": 2}
    result = {
        "estimator": "chord",
        "version": "abc1234.0",
        "summary": {"root": summary},
        "tracks": [row(0.5, 0.3), failed, row(0.7, 0.5)],
    }
    path = tmp_path / "test_data.json"
    path.write_text(json.dumps(result))
    return path


def test_learning_curves(history, tmp_path):
    figures.main(["curves", str(history), str(tmp_path / "a" / "curves.svg")])
    text = (tmp_path / "a" / "curves.svg").read_text()
    assert text.startswith("<?xml")
    # Text stays text, and what was not validated is not drawn.
    assert ">tag loss<" in text and ">validation<" in text and ">epoch<" in text
    assert "learning rate" not in text


@pytest.mark.parametrize(
    ("names", "epochs"), [(["loss"], 2), (["loss", "a", "b", "c", "d"], 1)]
)
def test_any_number_of_curves(tmp_path, names, epochs):
    rows = [["epoch", *names, *(f"val_{name}" for name in names)]]
    rows += [[epoch, *(1.0 for _ in rows[0][1:])] for epoch in range(1, epochs + 1)]
    path = tmp_path / "history.csv"
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    figures.curves(path, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert all(f">{name}<" in text for name in names)
    assert text.count(">epoch<") == len(names)


def test_scores(test_data, tmp_path):
    figures.main(["scores", str(test_data), str(tmp_path / "scores.svg")])
    text = (tmp_path / "scores.svg").read_text()
    assert "chord abc1234.0" in text
    assert ">root<" in text and ">baseline<" in text and ">sevenths<" not in text


@pytest.mark.parametrize("kind", ["curves", "scores"])
def test_the_same_data_give_the_same_bytes(history, test_data, tmp_path, kind):
    draw = {"curves": figures.curves, "scores": figures.scores}[kind]
    source = history if kind == "curves" else test_data
    for name in ("one", "two"):
        draw(source, tmp_path / f"{name}.svg")
    one, two = ((tmp_path / f"{name}.svg").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    ("ext", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_the_format_is_that_of_the_suffix(history, tmp_path, ext, magic):
    figures.curves(history, tmp_path / f"curves.{ext}")
    assert (tmp_path / f"curves.{ext}").read_bytes().startswith(magic)


@pytest.mark.parametrize("content", ["", "epoch,loss,val_loss\n"])
def test_a_history_without_epochs(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_text(content)
    with pytest.raises(CremaError, match="history.csv") as caught:
        figures.curves(path, tmp_path / "curves.svg")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "curves.svg").exists()


def test_scores_that_cannot_be_read(tmp_path):
    path = tmp_path / "test_data.json"
    with pytest.raises(CremaError, match="test_data.json: no such file"):
        figures.scores(path, tmp_path / "scores.svg")
    path.write_text("garbage")
    with pytest.raises(CremaError, match="test_data.json: is not valid JSON"):
        figures.scores(path, tmp_path / "scores.svg")


def test_wrong_arguments(capsys):
    with pytest.raises(SystemExit):
        figures.main(["histogram", "a", "b"])
    assert "invalid choice" in capsys.readouterr().err
