"""fairseq's `dict.txt` with GPT-2's files: read, refused, and written."""

import json
import re

import pytest

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.fairseq_dictionary import (
    byte_level_files,
    dictionary_text,
    num_ids,
    read_names,
    read_symbols,
)

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
TEXTS = ["a fine film", " lovely , <mask> naïve 漢", "", "it's\n\n 12"]


def write(directory, tokenizer, rows=None):
    rows = tokenizer.vocabulary_size if rows is None else rows
    files = byte_level_files(tokenizer.vocabulary, tokenizer.merges, SPECIALS, "<mask>", rows)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def test_there_and_back(tokenizer, tmp_path):
    found = open_tokenizer(write(tmp_path, tokenizer))
    assert found.vocabulary == tokenizer.vocabulary and found.merges == tokenizer.merges
    assert [found(text) for text in TEXTS] == [tokenizer(text) for text in TEXTS]
    assert num_ids(tmp_path / "dict.txt") == tokenizer.vocabulary_size


def test_rows_beyond_the_tokenizer(tokenizer, tmp_path):
    """`<mask>` is then not the last, and has a line of its own."""
    write(tmp_path, tokenizer, tokenizer.vocabulary_size + 3)
    assert num_ids(tmp_path / "dict.txt") == tokenizer.vocabulary_size + 3
    found = open_tokenizer(tmp_path)
    assert found.mask_token_id == tokenizer.mask_token_id
    assert [found(text) for text in TEXTS] == [tokenizer(text) for text in TEXTS]
    last = (tmp_path / "dict.txt").read_text().splitlines()[-4:]
    assert last[0] == "<mask> 1" and all(re.fullmatch(r"madeupword\d+ 0", x) for x in last[1:])


def test_gpt2s_files_come_back(data_directory):
    source = data_directory / "roberta-base-tokenizer"
    roberta = open_tokenizer(source)
    files = byte_level_files(roberta.vocabulary, roberta.merges, SPECIALS, "<mask>", 50265)
    assert json.loads(files["encoder.json"]) == json.loads((source / "encoder.json").read_text())
    assert files["vocab.bpe"] == (source / "vocab.bpe").read_text(encoding="utf-8")
    symbols = [line.split(" ")[0] for line in files["dict.txt"].splitlines()]
    assert symbols == [line.split(" ")[0] for line in (source / "dict.txt").open()]


def changed(directory, change):
    lines = (directory / "dict.txt").read_text(encoding="utf-8").splitlines()
    change(lines)
    (directory / "dict.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda lines: lines.pop(40),
            r"dict.txt: skips 1 of the ids in encoder.json, the first \d+",
        ),
        (lambda lines: lines.insert(3, lines[20]), r"dict.txt: line 22 names \d+ a second time"),
        (lambda lines: lines.insert(3, "99999 1"), "line 4 names the id 99999, which encoder.json"),
        (lambda lines: lines.insert(0, "<pad> 1"), "line 1 names <pad> a second time"),
        (lambda lines: lines.insert(5, "word"), r"line 6 \('word'\) is not a symbol and a count"),
        (lambda lines: lines.insert(5, "a b"), r"line 6 \('a b'\) is not a symbol and a count"),
        (lambda lines: lines.insert(5, "7 -1"), r"line 6 \('7 -1'\) is not a symbol and a count"),
    ],
)
def test_dictionaries_that_are_refused(tokenizer, tmp_path, change, says):
    with pytest.raises(InputError, match=says) as caught:
        open_tokenizer(changed(write(tmp_path, tokenizer), change))
    assert str(tmp_path) in str(caught.value)


def test_lines_that_overwrite(tmp_path):
    """CamemBERT's: the symbol then means the later id, and the earlier one nothing."""
    path = tmp_path / "dict.txt"
    path.write_text("<s> 9 #fairseq:overwrite\na 2\na 1 #fairseq:overwrite\nb 1\n")
    symbols = read_symbols(path)
    assert (symbols.index("<s>"), symbols.index("a"), symbols.index("b")) == (0, 2, 3)
    assert num_ids(path) == 4 + 4 + 1
    path.write_text("a 2\na 1\n")
    with pytest.raises(InputError, match="line 2 names a a second time"):
        read_symbols(path)


def test_names_of_classes(tmp_path):
    path = tmp_path / "dict.txt"
    path.write_text(dictionary_text(["not sure", "0", "2 1", "madeupword0000"]))
    assert read_names(path) == ["not sure", "0", "2 1"]
    for name in ("<s>", " a", "a\nb", ""):
        with pytest.raises(InputError, match="cannot stand in a dictionary of fairseq"):
            dictionary_text([name])


def test_ids_that_fairseq_does_not_give(tokenizer):
    vocabulary = tokenizer.vocabulary
    vocabulary["<pad>"], vocabulary["</s>"] = vocabulary["</s>"], vocabulary["<pad>"]
    with pytest.raises(InputError, match="fairseq gives <pad> the id 1; in this tokenizer it is 2"):
        byte_level_files(vocabulary, tokenizer.merges, SPECIALS, "<mask>", len(vocabulary))
    with pytest.raises(InputError, match="largest id is .*, the model has 100 rows"):
        byte_level_files(tokenizer.vocabulary, tokenizer.merges, SPECIALS, "<mask>", 100)
