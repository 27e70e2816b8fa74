"""Tables made to cost much, and numbers that Python does not read."""

import gzip
import json
import time

import pytest

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import OneLabel, Value


@pytest.fixture(autouse=True)
def in_a_moment():
    started = time.process_time()
    yield
    assert time.process_time() - started < 3


@pytest.mark.parametrize("line", [b"\0" * 1000, b"text\tlabel\n", b'{"text": "a"}\n'])
def test_a_bomb(line, tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(line * (100_000_000 // len(line)), 6))
    assert path.stat().st_size < 400_000
    with pytest.raises(InputError, match="unpack to more than"):
        read_table(path)


def test_a_table_that_packs_well(tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"text\tlabel\n" + b"a fine film\tgood\n" * 100_000))
    assert len(read_table(path)) == 100_000


def test_a_header_of_many_columns(tmp_path):
    path = tmp_path / "a.tsv"
    names = "\t".join(map(str, range(200_000)))
    path.write_text(f"{names}\t0\nx\n")
    with pytest.raises(InputError, match="line 1: the column '0' is named twice"):
        read_table(path)


@pytest.mark.parametrize("number", ["1" * 5000, "[" * 100_000])
def test_json_that_python_does_not_read(number, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 1}\n{"text": "a", "label": ' + number + "}\n")
    with pytest.raises(InputError, match="line 2: not valid JSON"):
        read_table(path)


@pytest.mark.parametrize("number", [10**309, -(10**400), 1e308 * 10])
def test_numbers_beyond_those_of_a_regression(number, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a", "label": number}) + "\n")
    with pytest.raises(InputError, match="line 1, column 'label': expected a number"):
        Value.from_table(read_table(path), Columns())
    with pytest.raises(InputError, match="row 0: a regression learns finite numbers"):
        Value().targets([number])


def test_labels_of_one_hash(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = ({"text": "a", "label": i * (2**61 - 1)} for i in range(30_000))
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match="expected a class label"):
        OneLabel.from_table(read_table(path), Columns())
