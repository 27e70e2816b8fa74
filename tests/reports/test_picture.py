import struct

import pytest

from keras_roberta.reports.contents import Curve, Report, Row
from keras_roberta.reports.picture import draw

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
