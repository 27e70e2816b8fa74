"""Files with a word a line."""

import pytest

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError


def read(tmp_path, text, name="a.conll"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_table(path)


def test_tabs(tmp_path):
    table = read(
        tmp_path, "-DOCSTART-\tO\n\nSam\tB-PER\nlives\tO\n\n\t\n#news\tO\r\nNuuk\tB-LOC\r\n"
    )
    assert table.columns["tokens"] == [["Sam", "lives"], ["#news", "Nuuk"]]
    assert table.columns["tags"] == [["B-PER", "O"], ["O", "B-LOC"]]
    assert table.lines == [3, 7]


def test_spaces_and_four_columns(tmp_path):
    """As in CoNLL-2003, any number of spaces; the last column is the tag."""
    text = (
        "-DOCSTART- -X- O O\n\nU.N.   NNP I-NP  I-ORG\nofficial NN I-NP O\n\n\nEkeus NNP I-NP I-PER"
    )
    table = read(tmp_path, text)
    assert table.columns["tags"] == [["I-ORG", "O"], ["I-PER"]]
    assert table.columns["2"] == [["NNP", "NN"], ["NNP"]]


@pytest.mark.parametrize("name", ["emerging.test.annotated", "eng.testa", "train.txt", "train"])
def test_names_of_the_shared_tasks(tmp_path, name):
    path = tmp_path / name
    path.write_text("Sam\tB-PER\nlives\tO\n")
    assert read_table(path, ".conll").columns["tags"] == [["B-PER", "O"]]
    path.write_text("Sam\tB-PER\nlives\n")
    with pytest.raises(InputError, match=rf"{name}, line 2: 1 columns, .*; it was read as .conll"):
        read_table(path, ".conll")
    path.unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file$"):
        read_table(path, ".conll")


def test_a_known_suffix_says_what_a_file_is(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\nx\ty\n")
    assert read_table(path, ".conll").columns == {"text": ["x"], "label": ["y"]}


def test_comments(tmp_path):
    """CoNLL-U's, and `#` as a word."""
    text = "# newdoc\n# text = The # one\nThe O\n# O\none O\n# sent_id = 2\n\n# O\nx B-X\n"
    table = read(tmp_path, text)
    assert table.columns["tokens"] == [["The", "#", "one"], ["#", "x"]]
    text = "# text = a\tb\n1\tThe\tDET\n2\tone\tNOUN\n\n# sent_id\n1\t#\tSYM\n"
    table = read(tmp_path, text, "a.conllu")
    assert table.columns["2"] == [["The", "one"], ["#"]]
    assert table.columns["tags"] == [["DET", "NOUN"], ["SYM"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sam\tB-PER\nlives\n", "a.conll, line 2: 1 columns, but the lines before have 2"),
        ("Sam\n", "a.conll, line 1: expected a word and its tag in columns, found 'Sam'"),
        ("\n-DOCSTART-\tO\n\n", "a.conll: holds no word"),
        ("Sam\tO\n\tO\n", "a.conll, line 2: the word or its tag is empty"),
    ],
)
def test_what_is_no_such_file(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value).endswith(message)
