import json

import pytest

from keras_roberta.errors import OutputError
from keras_roberta.reports import picture
from keras_roberta.reports.contents import Curve, Report, Row
from keras_roberta.reports.write import write_report

REPORT = Report(
    "two models",
    [Row("a", {"accuracy": 0.5, "f1_micro": None}, 1.0, 0.25, quantization="int8"), Row("b")],
    [Curve("loss", {"training": [(1, 2.0), (2, 1.5)]}, x="epoch")],
    {"data": "dev.tsv", "labels": ["no", "yes"]},
)


def test_the_picture_is_a_png(tmp_path):
    write_report(tmp_path, REPORT)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_layout_of_the_json_file(tmp_path):
    write_report(tmp_path, REPORT)
    values = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(values) == ["title", "models", "curves", "data", "labels"]
    first, second = values["models"]
    assert first["scores"] == {"accuracy": 0.5, "f1_micro": None}
    assert (first["name"], first["agreement"], first["largest_change"]) == ("a", 1.0, 0.25)
    assert first["quantization"] == "int8" and first["megabytes"] is None
    assert second["name"] == "b" and second["scores"] == {}
    assert values["title"] == "two models"
    assert values["data"] == "dev.tsv" and values["labels"] == ["no", "yes"]
    assert values["curves"] == [
        {"title": "loss", "lines": {"training": [[1, 2.0], [2, 1.5]]}, "x": "epoch"}
    ]


def test_json_has_no_infinity(tmp_path):
    write_report(tmp_path, Report(rows=[Row("a", largest_change=float("inf"))]))
    values = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert values["models"][0]["largest_change"] is None


def test_both_files_or_neither(tmp_path, monkeypatch):
    (tmp_path / "report.json").write_text("before")

    def fail(*_):
        raise OSError("disk is full")

    monkeypatch.setattr(picture, "draw", fail)
    with pytest.raises(OutputError, match="full"):
        write_report(tmp_path, REPORT)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "before"
