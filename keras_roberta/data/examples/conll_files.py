"""Files of the CoNLL shared tasks: a word a line, its labels in columns, blank lines between texts.

Columns are parted by tabs, or where a file has none by spaces. The first is the word, the last its
tag. A line that begins with `#` is a comment where it cannot be a word, see `_is_comment`, since
words begin with it too. `-DOCSTART-` begins a document. (Tjong Kim Sang and De Meulder, 2003,
section 2.)

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
_OF_CONLLU = ("newdoc", "newpar")  # comments of CoNLL-U that have no value


def conll_columns(path: Path, text: str) -> tuple[dict[str, list[list[str]]], list[int], int]:
    """The texts of a file.

    Args:
        path: of the file, for messages.
        text: what it holds.

    Returns:
        columns: `tokens` and `tags`, and every column by its number, from "1" on: for each text a
            list of strings. There are no `tags` in a file of one column.
        lines: the line that each text begins on, counted from 1.
        skipped: lines that were taken for comments; 0 in CoNLL-U, where it is certain what they
            are.

    Raises:
        InputError: names the line that has other columns than those before, or says that there is
            no word.
    """
    split = text.split("\n")
    # A comment may have a tab in a file that is parted by spaces.
    without_comments = [line for line in split if not line.startswith("#")]
    is_tabs = any("\t" in line for line in (without_comments or split))
    is_conllu = ".conllu" in (suffix.lower() for suffix in path.suffixes)
    word, tag = (1, 3) if is_conllu else (0, -1)
    rows = [_fields(line.rstrip("\r"), is_tabs) for line in split]
    # The first line that is certainly of a word tells.
    num_columns = next(
        (len(row) for row in rows if row and row[0] != _DOCUMENT and row[0][:1] != "#"), None
    )
    if is_conllu and (num_columns or 0) < 4:
        raise InputError(f"{path}: expected the columns of CoNLL-U, parted by tabs")
    tags = {row[tag] for row in rows if row[:1] != [_DOCUMENT] and _is_word(row, num_columns)}
    texts, lines, words, skipped = [], [], [], 0
    for number, fields in enumerate(rows, 1):
        if not fields or fields[0] == _DOCUMENT:
            words = []
            continue
        begins_text = not words
        if _is_comment(fields, num_columns, tags, begins_text=begins_text, is_tabs=is_tabs):
            skipped += not is_conllu
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
    return {**named, **numbered}, lines, skipped


def _fields(line: str, is_tabs: bool) -> list[str]:
    """The columns of a line, without spaces around them and without empty ones at its end."""
    line = line.rstrip(_SPACES)
    if not line:
        return []
    if is_tabs:
        return [field.strip(" ") for field in line.split("\t")]
    return re.split(" +", line.lstrip(" "))


def _is_word(fields: list[str], num_columns: int | None) -> bool:
    """Whether a line is certainly of a word and its tag."""
    return len(fields) > 1 and len(fields) == num_columns and not fields[0].startswith("#")


def _is_comment(
    fields: list[str],
    num_columns: int | None,
    tags: set[str],
    *,
    begins_text: bool,
    is_tabs: bool,
) -> bool:
    """Whether a line is no word: a word may be `#` itself, or begin with it as `#news` does.

    One with other columns than words have is none. A comment such as `# s12` in front of a text
    has as many as a word and its tag; it is one where all tags are B-, I- and their like, and the
    last column is not.

    Args:
        tags: of the lines that are certainly of words.
    """
    if not fields[0].startswith("#"):
        return False
    if is_tabs:
        if len(fields) < 2 or fields[0].startswith("# "):
            return True
        return num_columns not in (None, len(fields))
    if num_columns not in (None, len(fields)):
        return True
    if not begins_text or len(fields) < 2:
        return False
    if fields[0] == "#" and len(fields) == 2 and fields[1] in _OF_CONLLU:
        return fields[1] not in tags
    have_prefixes = bool(tags - {"O"}) and all(map(_TAG.fullmatch, tags))
    return have_prefixes and not _TAG.fullmatch(fields[-1])
