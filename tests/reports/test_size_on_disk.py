import pytest

from keras_roberta.reports.size_on_disk import bytes_on_disk, short_name


@pytest.mark.parametrize(
    ("path", "name"), [("out/a.tflite", "a.tflite"), ("out/sst2", "sst2"), ("sst2/1", "sst2/1")]
)
def test_short_name(path, name):
    assert short_name(path) == name


def test_bytes_on_disk(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "below" / "b").write_bytes(b"123")
    assert bytes_on_disk(tmp_path / "a") == 5
    assert bytes_on_disk(tmp_path) == 8
    assert bytes_on_disk(tmp_path / "missing") == 0
