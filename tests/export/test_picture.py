import pytest

from keras_roberta.export.comparison import Row
from keras_roberta.export.picture import draw

ROWS = [
    Row("majority", 0.5, 0.3),
    Row("Keras", 0.9, 0.9, None, 6.0, 4.0),
    Row("model.tflite", -0.2, None, 0.99, 1.0, 0.3, 0.5, "int8", 32, 2),
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [Row("bare", megabytes=1.0)]])
@pytest.mark.parametrize("curve", [None, [(20, 9.0), (40, 7.0)]])
def test_draw(rows, curve, tmp_path):
    draw(tmp_path / "picture.png", rows, curve, "title")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
