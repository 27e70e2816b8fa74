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
    text = "# text = a\tb\nThe\tDET\none\tNOUN\n\n# sent_id\n#\tSYM\n"
    table = read(tmp_path, text)
    assert table.columns["tokens"] == [["The", "one"], ["#"]]
    assert table.columns["tags"] == [["DET", "NOUN"], ["SYM"]]


@pytest.mark.parametrize(
    ("text", "words", "skipped"),
    [
        ("#Brexit EVENT\nwins O\n", [["#Brexit", "wins"]], 0),
        ("#Brexit B-EVENT\nwins O\n", [["#Brexit", "wins"]], 0),
        ("# SYM\n5 CD\n", [["#", "5"]], 0),
        ("# newdoc\n# SYM\n5 CD\n", [["#", "5"]], 1),
        ("# newpar\n#a PER\nb O\n\n# c\nd PER\n", [["#a", "b"], ["#", "d"]], 1),
        # Where all tags have prefixes a line of another kind is none of a word.
        ("# s1\nSam B-PER\n# O\n\n#s2 x\nNuuk B-LOC\n", [["Sam", "#"], ["Nuuk"]], 2),
        ("# id 5-a domain=en\na _ _ O\nSam _ _ B-PER\n", [["a", "Sam"]], 1),
        ("# id 5-a\tdomain=en\na _ _ O\nSam _ _ B-PER\n", [["a", "Sam"]], 1),  # MultiCoNER
        ("# one two\n#a\tO\nb\tO\n", [["#a", "b"]], 1),
    ],
)
def test_what_begins_with_a_hash(tmp_path, text, words, skipped):
    """A word where it may be one; the lines that are left out are counted."""
    table = read(tmp_path, text)
    assert table.columns["tokens"] == words and table.skipped_comments == skipped
    assert table.head(1).skipped_comments == skipped


def test_conllu(tmp_path):
    """Spanish "vámonos al mar", after the example of the format's page: two words in one, and a
    word that is left out."""
    rows = ["# sent_id = 1", "1-2 vámonos _ _", "1 vamos ir VERB", "2 nos nosotros PRON",
            "3-4 al _ _", "3 a a ADP", "4 el el DET", "4.1 x x NOUN", "5 # # SYM", "",
            "# sent_id = 2", "1 Nuuk Nuuk PROPN"]  # fmt: skip
    rows = [row if "=" in row else row.replace(" ", "\t") + "\t_" * 6 * bool(row) for row in rows]
    table = read(tmp_path, "\n".join(rows), "a.conllu")
    assert table.columns["tokens"] == [["vamos", "nos", "a", "el", "#"], ["Nuuk"]]
    assert table.columns["tags"] == [["VERB", "PRON", "ADP", "DET", "SYM"], ["PROPN"]]
    assert table.columns["3"][0][0] == "ir" and table.lines == [3, 12]
    assert table.skipped_comments == 0  # there it is certain what they are
    with pytest.raises(InputError, match=r"a\.conllu: expected the columns of CoNLL-U, parted by"):
        read(tmp_path, "Sam B-PER\n", "a.conllu")


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2009", "\x1c"])
@pytest.mark.parametrize("between", ["\t", "  "])
def test_only_spaces_and_tabs_part_columns(tmp_path, space, between):
    """Other white space may be in a word, or be one."""
    table = read(tmp_path, f"20{space}000{between}O\n{space}{between}B-X\n")
    assert table.columns["tokens"] == [[f"20{space}000", space]]
    assert table.columns["tags"] == [["O", "B-X"]]


def test_words_without_tags(tmp_path):
    """To be predicted; `#` begins a word here as well."""
    table = read(tmp_path, "# newdoc\n#news\nSam\n\n# sent_id = 2\n#\nlives\n")
    assert table.columns == {"tokens": [["#news", "Sam"], ["#", "lives"]]} | {
        "1": [["#news", "Sam"], ["#", "lives"]]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sam\tB-PER\nlives\n", "a.conll, line 2: 1 columns, but other lines have 2"),
        ("\n-DOCSTART-\tO\n\n", "a.conll: holds no word"),
        ("Sam\tO\n\tO\n", "a.conll, line 2: the word or its tag is empty"),
    ],
)
def test_what_is_no_such_file(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value).endswith(message)
