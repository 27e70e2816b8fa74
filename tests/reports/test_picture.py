import struct

import pytest

from keras_roberta.reports.contents import Curve, Report, Row
from keras_roberta.reports.picture import draw, picture

ROWS = [
    Row("majority", {"accuracy": 0.5, "macro_f1": 0.3}),
    Row("Keras", {"accuracy": 0.9, "macro_f1": 0.9}, megabytes=6.0, median_ms=4.0),
    Row("model.tflite", {"accuracy": -0.2}, 0.99, 0.1, 1.0, 0.3, 0.5, "int8", 32, 2),
]
REGRESSION = [
    Row("Keras", {"mse": 0.2, "pearson": None}, megabytes=6.0),
    Row("model.tflite", {"mse": 0.3, "pearson": 0.8}, None, float("inf"), 1.0),
]
CURVE = Curve("loss", {"training": [(20, 9.0), (40, 7.0)], "held out": [(40, 8.0)]})


def size(path):
    """Width and height of a PNG, from its first chunk."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS[:1], REGRESSION, [Row("bare", megabytes=1.0)], [Row("nothing")]]
)
@pytest.mark.parametrize("curves", [(), (CURVE,)])
def test_draw(rows, curves, tmp_path):
    draw(tmp_path / "picture.png", Report("title", rows, curves))
    width, height = size(tmp_path / "picture.png")
    assert 300 < width < 2500 and 150 < height < 1500


def test_curves_alone(tmp_path):
    many = Curve("loss", {f"language {i}": [(0, i), (10, i / 2)] for i in range(20)})
    draw(tmp_path / "picture.png", Report(curves=[many, CURVE]))
    width, height = size(tmp_path / "picture.png")
    assert width > height > 300


def panels(report):
    """Title -> axes."""
    return {axes.get_title(loc="left"): axes for axes in picture(report).axes if axes.axison}


def bars(axes):
    """Lengths and labels of the bars, from the top."""
    ordered = sorted(axes.patches, key=lambda bar: bar.get_y(), reverse=True)
    return [bar.get_width() for bar in ordered], [text.get_text() for text in axes.texts][::-1]


def test_bars_are_as_long_as_what_was_measured():
    found = panels(Report("title", ROWS))
    assert bars(found["accuracy"]) == ([0.5, 0.9, -0.2], ["0.500", "0.900", "-0.200"])
    assert bars(found["size (MB)"]) == ([0, 6, 1], ["–", "6.0", "1.0"])
    latency = found["latency, one text (ms)"]
    assert bars(latency) == ([0, 4, 0.3], ["–", "4.00", "0.30"])
    (lines,) = latency.collections  # from the median to the 95th percentile
    assert sorted(line[:, 0].tolist() for line in lines.get_segments()) == [
        [0, 0],
        [0.3, 0.5],
        [4, 4],
    ]
    names = [label.get_text() for label in found["accuracy"].get_yticklabels()][::-1]
    assert names == ["majority", "Keras", "model.tflite\n32 tokens, 2 threads"]
    assert "agreement with the reference" in found and "largest change" not in found


def test_values_have_no_agreement():
    found = panels(Report("title", REGRESSION))
    assert "largest change" in found and "agreement with the reference" not in found
    assert bars(found["size (MB)"])[0] == [6, 1]


def test_lines_go_through_their_points():
    axes = panels(Report(curves=[CURVE]))["loss"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {"training": [[20, 9], [40, 7]], "held out": [[40, 8]]}
