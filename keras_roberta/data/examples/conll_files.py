"""Files of the CoNLL shared tasks: a word a line, its labels in columns, blank lines between texts.

Columns are parted by tabs, or where a file has none by spaces. The first is the word, the last its
tag. A line that begins with `#` is a comment unless it has the columns of a word. `-DOCSTART-`
begins a document. (Tjong Kim Sang and De Meulder, 2003, section 2.)

In `.conllu` the second column is the word and the fourth its universal part of speech; lines of
several words together (1-2) and of words that are left out in the text (1.1) do not count.
(https://universaldependencies.org/format.html)
"""

from __future__ import annotations

import re
from pathlib import Path

from keras_roberta.errors import InputError

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".iobes")
_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BIESLU](-.+)?")
_NUMBER = re.compile(r"[0-9]+")  # of a word in CoNLL-U
_SPACES = " \t"  # other white space, such as U+3000, may be in a word


def conll_columns(path: Path, text: str) -> tuple[dict[str, list[list[str]]], list[int]]:
    """The texts of a file.

    Args:
        path: of the file, for messages.
        text: what it holds.

    Returns:
        columns: `tokens` and `tags`, and every column by its number, from "1" on: for each text a
            list of strings. There are no `tags` in a file of one column.
        lines: the line that each text begins on, counted from 1.

    Raises:
        InputError: names the line that has other columns than those before, or says that there is
            no word.
    """
    is_tabs = "\t" in text
    is_conllu = ".conllu" in (suffix.lower() for suffix in path.suffixes)
    word, tag = (1, 3) if is_conllu else (0, -1)
    rows = [_fields(line.rstrip("\r"), is_tabs) for line in text.split("\n")]
    # The first line that is certainly of a word tells.
    num_columns = next(
        (len(row) for row in rows if row and row[0] != _DOCUMENT and row[0][:1] != "#"), None
    )
    if is_conllu and (num_columns or 0) < 4:
        raise InputError(f"{path}: expected the columns of CoNLL-U, parted by tabs")
    texts, lines, words = [], [], []
    for number, fields in enumerate(rows, 1):
        if not fields or fields[0] == _DOCUMENT:
            words = []
            continue
        if _is_comment(fields, num_columns, begins_text=not words, is_tabs=is_tabs):
            continue
        num_columns = num_columns or len(fields)
        if len(fields) != num_columns:
            raise InputError(
                f"{path}, line {number}: {len(fields)} columns, but other lines have {num_columns}"
            )
        if is_conllu and not _NUMBER.fullmatch(fields[0]):
            continue
        if not all((fields[word], fields[tag])):
            raise InputError(f"{path}, line {number}: the word or its tag is empty")
        if not words:
            texts.append(words)
            lines.append(number)
        words.append(fields)
    if not texts:
        raise InputError(f"{path}: holds no word")
    numbered = {
        str(place + 1): [[fields[place] for fields in words] for words in texts]
        for place in range(num_columns)
    }
    columns = list(numbered.values())
    named = {"tokens": columns[word]}
    if num_columns > 1:
        named["tags"] = columns[tag]
    return {**named, **numbered}, lines


def _fields(line: str, is_tabs: bool) -> list[str]:
    """The columns of a line, without spaces around them and without empty ones at its end."""
    line = line.rstrip(_SPACES)
    if not line:
        return []
    if is_tabs:
        return [field.strip(" ") for field in line.split("\t")]
    return re.split(" +", line.lstrip(" "))


def _is_comment(
    fields: list[str], num_columns: int | None, *, begins_text: bool, is_tabs: bool
) -> bool:
    """A word may be `#` itself, or begin with it as in `#news`."""
    if not fields[0].startswith("#"):
        return False
    if is_tabs and (len(fields) < 2 or fields[0].startswith("# ")):
        return True
    if num_columns not in (None, len(fields)):
        return True
    # "# newdoc" in front of a text has two fields as well.
    may_be = not is_tabs and begins_text and len(fields) > 1
    return may_be and not _TAG.fullmatch(fields[-1])
