"""Figures: all epochs and scores are drawn, and files are reproducible."""

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
    confusion = {"labels": ["maj", "min", "7", "N"]}
    confusion["model"] = [[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    confusion["baseline"] = [[4, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    result = {
        "estimator": "chord",
        "version": "abc1234.0",
        "confusion": confusion,
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
    # Text stays text, and metrics without validation are not drawn.
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
    assert "chord abc1234.0, 2 test tracks" in text
    assert ">root<" in text and ">baseline<" in text and ">sevenths<" not in text
    assert ">0.650<" in text and ">0.400<" in text  # the means


def test_a_measure_with_a_unit_has_an_axis_of_its_own(test_data, tmp_path):
    result = json.loads(test_data.read_text())
    line = {"mean": 2, "weighted": 3, "baseline": None, "tracks": 2}
    result["summary"]["offset_seconds"] = line
    for number, row in enumerate(result["tracks"]):
        row["scores"]["offset_seconds"] = 50 * number
    for names in (["root", "offset_seconds"], ["offset_seconds"]):
        result["summary"] = {name: result["summary"][name] for name in names}
        test_data.write_text(json.dumps(result))
        figures.scores(test_data, tmp_path / "scores.svg")
        text = (tmp_path / "scores.svg").read_text()
        assert ">offset_seconds<" in text and ">100<" in text
        assert (">0.8<" in text) == ("root" in names)
        assert text.count(">model<") == 1


def drawn(monkeypatch):
    """Keep the figures that are saved, and return the list of them."""
    kept = []
    monkeypatch.setattr(figures, "save", lambda figure, path: kept.append(figure))
    return kept


def test_all_tracks_are_dots_around_their_quartiles(test_data, monkeypatch):
    kept = drawn(monkeypatch)
    result = json.loads(test_data.read_text())
    values = [0.1, 0.2, 0.3, 0.4, 0.8]
    result["tracks"] = [
        {"status": "ok", "scores": {"root": value}, "baseline": {"root": value > 0.3}}
        for value in values
    ]
    test_data.write_text(json.dumps(result))
    figures.scores(test_data, "scores.svg")
    lines = [list(map(float, line.get_xdata())) for line in kept[0].axes[0].lines]
    assert values in lines
    assert [0.2, 0.2, 0.4, 0.4, 0.2] in lines
    # A score of only 0 and 1 has no box.
    assert [0, 0, 0, 1, 1] in lines and [0, 0, 1, 1, 0] not in lines


def test_the_table_has_every_track(test_data, tmp_path):
    result = json.loads(test_data.read_text())
    first, failed, last = result["tracks"]
    last |= {"track_id": "c", "scores": {"root": 0.7}, "baseline": {"root": None}}
    for row in result["tracks"]:
        row |= {"duration": 61.4, "reason": None}
    failed |= {"duration": None, "reason": "b.flac: 5 < 6"}
    test_data.write_text(json.dumps(result))
    figures.main(["tracks", str(test_data), str(tmp_path / "tracks.html")])
    rows = (tmp_path / "tracks.html").read_text().split("<tr>")[1:]
    assert "<th>track<th>seconds<th>root\n" in rows[0]
    assert "<b>0.650</b><br><i>0.400</i>" in rows[1]
    assert "<td>a<td>61<td><b>0.500</b><br><i>0.300</i>" in rows[2]
    assert "<td>b<td><td" in rows[3] and "failed: b.flac: 5 &lt; 6" in rows[3]
    assert "<td>c<td>61<td><b>0.700</b><br><i>–</i>" in rows[4]


def test_confusion_is_in_percent_of_the_reference(test_data, monkeypatch):
    kept = drawn(monkeypatch)
    figures.confusion(test_data, "confusion.svg")
    model, baseline = kept[0].axes
    shown = {(*text.get_position(), text.get_text()) for text in model.texts}
    assert shown == {
        (0, 0, "75"), (1, 0, "25"), (1, 1, "100"), (0, 2, "50"), (2, 2, "50")
    }  # fmt: skip
    assert {text.get_text() for text in baseline.texts} == {"100"}
    # A label that never occurs has no row and no column.
    rows, columns = model.get_yticklabels(), model.get_xticklabels()
    assert [one.get_text() for one in rows] == [
        *("maj (50.0 %)", "min (25.0 %)", "N (25.0 %)")
    ]
    assert [one.get_text() for one in columns] == ["maj", "min", "N"]
    assert [one.get_text() for one in baseline.get_xticklabels()] == ["maj"]


@pytest.mark.parametrize("rows", [[], [[0, 0], [1, 0]]])
def test_confusion_of_nothing(test_data, tmp_path, rows):
    """Without any label in the reference, and with a baseline without labels."""
    result = json.loads(test_data.read_text())
    labels = ["maj", "min"][: len(rows)]
    nothing = [[0, 0]] * len(rows)
    result["confusion"] = {"labels": labels, "model": rows, "baseline": nothing}
    test_data.write_text(json.dumps(result))
    figures.confusion(test_data, tmp_path / "confusion.svg")
    text = (tmp_path / "confusion.svg").read_text()
    assert (">min (100.0 %)<" in text) == bool(rows)


def test_an_older_evaluation_has_no_confusion(tmp_path):
    path = tmp_path / "test_data.json"
    path.write_text('{"estimator": "chord"}')
    with pytest.raises(CremaError, match="test_data.json: has no confusion matrix"):
        figures.confusion(path, tmp_path / "confusion.svg")


def benchmark(path, seconds, cpu, memory):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:00\t{memory}\t{cpu}\n"
    )


@pytest.fixture
def logs(tmp_path):
    """Benchmarks of two tracks, one of them left out, and of a track of no index."""
    directory = tmp_path / "logs"
    for track, seconds in (("a", 30), ("b", 3570), ("left", 1000), ("gone", 1000)):
        benchmark(directory / "setup" / f"{track}.tsv", seconds, seconds / 2, 250)
    benchmark(directory / "train.tsv", 7384, "NA", "-")
    names = [{"track_id": name, "group": name} for name in ("a", "b", "left")]
    (tmp_path / "index_train.json").write_text(json.dumps(names))
    return directory


def test_runtimes_are_sums_over_the_jobs_of_the_index(logs, tmp_path):
    path = tmp_path / "runtimes.svg"
    figures.main(
        ["runtimes", str(tmp_path / "index_train.json"), str(path)]
        + ["--logs", str(logs), "--leave-out", "left"]
    )
    text = path.read_text()
    for label in ("setup (2)", "1:00:00", "0:30:00", "0.2", "train (1)", "2:03:04"):
        assert f">{label}<" in text
    assert "prepare" not in text and "evaluate" not in text


def test_runtimes_of_nothing(logs, tmp_path):
    with pytest.raises(CremaError, match="elsewhere: no job was measured"):
        figures.runtimes(
            tmp_path / "index_train.json", tmp_path / "r.svg", tmp_path / "elsewhere"
        )


@pytest.mark.parametrize("kind", ["curves", "scores", "confusion", "runtimes"])
def test_the_same_data_give_the_same_bytes(history, test_data, logs, tmp_path, kind):
    sources = {"curves": history, "runtimes": tmp_path / "index_train.json"}
    options = {"logs": logs} if kind == "runtimes" else {}
    for name in ("one", "two"):
        source = sources.get(kind, test_data)
        getattr(figures, kind)(source, tmp_path / f"{name}.svg", **options)
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
