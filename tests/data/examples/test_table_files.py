import gzip
import json

import pytest

from keras_roberta.data.examples.columns import Columns, read_texts
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_tsv_takes_quotes_and_line_separators_as_characters(tmp_path):
    path = write(tmp_path, "a.tsv", 'label\ttext\r\n1\t"so\r\n0\ta\u2028b\n\n')
    table = read_table(path)
    assert table.columns == {"label": ["1", "0"], "text": ['"so', "a\u2028b"]}
    assert table.lines == [2, 3]


def test_csv_is_quoted(tmp_path):
    table = read_table(write(tmp_path, "a.csv", 'text,label\n"a, ""b""\nc",1\nd,0\n'))
    assert table.columns == {"text": ['a, "b"\nc', "d"], "label": ["1", "0"]}
    assert table.lines == [3, 4]


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_lines_keep_their_types(tmp_path, suffix):
    rows = [{"text": "a\nb", "label": 1}, {"label": 0, "text": "ü"}]
    table = read_table(write(tmp_path, f"a{suffix}", "\n".join(map(json.dumps, rows))))
    assert table.texts("text") == ["a\nb", "ü"]
    assert table.labels("label") == [1, 0]


def test_fields_of_json_that_nobody_asked_for(tmp_path):
    rows = [
        {"text": "a", "meta": {"stars": 5, "by": {"name": "x"}}, "a.b": "dotted", "a": {"b": 0}},
        {"text": "b", "meta": {"stars": 1, "by": {"name": "y"}, "tags": [[1], {}]}, "a.b": "too"},
        {"more": None, "text": "c", "meta": {"stars": 2}, "a.b": "c"},
    ]
    table = read_table(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert table.texts("text") == ["a", "b", "c"]
    assert table.labels("meta.stars") == [5, 1, 2]
    assert table.texts("a.b") == ["dotted", "too", "c"]
    assert table.head(2).texts("meta.by.name") == ["x", "y"]
    with pytest.raises(InputError, match="line 3: no 'meta.by.name', which other lines have"):
        table.texts("meta.by.name")
    with pytest.raises(InputError, match="no column 'meta.no'; there are text, meta, a.b, a, more"):
        table.texts("meta.no")


def test_a_field_for_each_row_costs_nothing(tmp_path):
    rows = [{"text": "a", f"id {i}": i} for i in range(3000)]
    table = read_table(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert len(table.texts("text")) == 3000
    with pytest.raises(InputError, match="3001 in all"):
        table.texts("none")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("text\tlabel", ["a", "b"]),
        ("label\tsentence", ["A", "B"]),
        ("text\tid\tlabel", ["a", "b"]),
        ("text_pair\ttext\tlabel", (["A", "B"], ["a", "b"])),
    ],
)
def test_which_column_holds_the_texts(tmp_path, header, expected):
    names = header.split("\t")
    rows = ["\t".join(letters[: len(names)]) for letters in ("aA1", "bB0")]
    table = read_table(write(tmp_path, "a.tsv", "\n".join([header, *rows])))
    assert read_texts(table, Columns()) == expected


@pytest.mark.parametrize(("name", "between"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_a_table_without_a_header(tmp_path, name, between):
    rows = [("x", "", "same"), ("x", "1", "two")]
    path = write(tmp_path, name, "".join(f"{between.join(row)}\n" for row in rows))
    table = read_table(path, header=False)
    assert table.columns == {"1": ["x", "x"], "2": ["", "1"], "3": ["same", "two"]}
    assert table.lines == [1, 2] and len(read_table(path)) == 1
    path = write(tmp_path, name, f"a{between}b\nc\n")
    with pytest.raises(InputError, match=r"line 2: 1 fields, but other lines have 2 \(1, 2\)"):
        read_table(path, header=False)


def test_json_under_another_name(tmp_path):
    """Whatever other files of unknown names are taken for."""
    path = write(tmp_path, "a.txt", "\ufeff" + json.dumps({"text": "a"}) + "\n")
    assert read_table(path).texts("text") == read_table(path, ".conll").texts("text") == ["a"]
    path = write(tmp_path, "b", "{ O\n} O\n")
    assert read_table(path, ".conll").columns["tokens"] == [["{", "}"]]


def test_gzip_and_byte_order_mark(tmp_path):
    path = write(tmp_path, "a.tsv.gz", gzip.compress("\ufefftext\tlabel\na\t1\n".encode()))
    assert read_table(path).columns == {"text": ["a"], "label": ["1"]}


def test_head(tmp_path):
    table = read_table(write(tmp_path, "a.tsv", "text\na\nb\nc\n"))
    assert len(table.head(2)) == 2 and table.head(2).texts("text") == ["a", "b"]
    assert len(table.head(None)) == 3


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.xlsx", "a", "unknown kind of table"),
        ("a.tsv", "", "the file is empty"),
        ("a.tsv", "text\tlabel\n", "no rows"),
        ("a.tsv", "text\ttext\na\tb\n", "named twice"),
        ("a.tsv", "text\tlabel\na\t1\nb\n", "line 3: 1 fields, but the header has 2"),
        ("a.csv", 'text,label\n"a,1\n', "not valid CSV"),
        ("a.tsv", b"text\na\n\xff\n", "line 3: not UTF-8"),
        # As spreadsheets save "Unicode text".
        ("a.tsv", "text\na\n".encode("utf-16"), "is UTF-16, not UTF-8; convert it, as with iconv"),
        ("a.csv.gz", gzip.compress("text\na\n".encode("utf-32"), mtime=0), "is UTF-32, not UTF-8"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', "line 2: not valid JSON"),
        ("a.jsonl", '{"text": "a"}\n[1]\n', "line 2: expected one JSON object"),
        ("a.jsonl", '{"text": "a"}\n{"txet": "b"}\n', "line 2: no 'text', which other lines"),
        ("a.jsonl", '{"text": "a"}\n{"text": null}\n', "line 2, column 'text': expected text"),
        ("a.jsonl", '{"text": NaN}\n', "line 1, column 'text': expected text, found nan"),
        ("a.tsv.gz", "not gzip", "cannot be read"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(InputError) as error:
        read_table(path).texts("text")
    assert str(path) in str(error.value) and message in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.tsv")


def test_missing_column_lists_the_others(tmp_path):
    table = read_table(write(tmp_path, "a.tsv", "label\tcontent\n1\ta\n"))
    with pytest.raises(InputError, match="'sentence'; there are label, content; .*--text-column"):
        table.texts("sentence", "--text-column")


def test_numbers(tmp_path):
    table = read_table(write(tmp_path, "a.tsv", "good\tbad\n1.5\t1\n-2\tnan\n"))
    assert table.numbers("good") == [1.5, -2.0]
    with pytest.raises(InputError, match="line 3, column 'bad': expected a number, found 'nan'"):
        table.numbers("bad")


def test_labels_stay_as_they_are_written(tmp_path):
    table = read_table(write(tmp_path, "a.tsv", "name\tnumber\nyes\t01\nno\t2\n"))
    assert table.labels("name") == ["yes", "no"]
    assert table.labels("number") == ["01", "2"]
    table = read_table(write(tmp_path, "a.jsonl", '{"label": 1}\n{"label": "b"}\n'))
    assert table.labels("label") == [1, "b"]


def test_labels_that_are_no_labels(tmp_path):
    table = read_table(write(tmp_path, "a.jsonl", '{"label": null}\n'))
    with pytest.raises(InputError, match="line 1, column 'label': expected a class label"):
        table.labels("label")
