"""Files of the CoNLL shared tasks: a word a line, its labels in columns, blank lines between texts.

Columns are parted by tabs, or where a file has none by any white space. The first is the word, the
last its tag. A line that begins with `#` is a comment unless it has the columns of a word.
`-DOCSTART-` begins a document. (Tjong Kim Sang and De Meulder, 2003; CoNLL-U's numbers of words and
its comments.)
"""

from __future__ import annotations

import re
from pathlib import Path

from keras_roberta.errors import InputError

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".iobes")
_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BIESLU](-.+)?")


def conll_columns(path: Path, text: str) -> tuple[dict[str, list[list[str]]], list[int]]:
    """The texts of a file.

    Args:
        path: of the file, for messages.
        text: what it holds.

    Returns:
        columns: `tokens` and `tags`, and every column by its number, from "1" on: for each text a
            list of strings.
        lines: the line that each text begins on, counted from 1.

    Raises:
        InputError: names the line that has other columns than those before, or says that there is
            no word.
    """
    split, is_tabs = (_at_tabs, True) if "\t" in text else (str.split, False)
    texts, lines, words = [], [], []
    num_columns = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        fields = split(line) if line.strip() else []
        if not fields or fields[0] == _DOCUMENT:
            words = []
            continue
        if _is_comment(fields, num_columns, begins_text=not words, is_tabs=is_tabs):
            continue
        if num_columns is None:
            num_columns = len(fields)
            if num_columns < 2:
                raise InputError(
                    f"{path}, line {number}: expected a word and its tag in columns, found "
                    f"{line!r:.40}"
                )
        if len(fields) != num_columns:
            raise InputError(
                f"{path}, line {number}: {len(fields)} columns, but the lines before have "
                f"{num_columns}"
            )
        if not all((fields[0], fields[-1])):
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
    return {"tokens": numbered["1"], "tags": numbered[str(num_columns)], **numbered}, lines


def _at_tabs(line: str) -> list[str]:
    """The columns of a line, without white space around them and without empty ones at its end."""
    return [field.strip() for field in line.rstrip().split("\t")]


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
    return not is_tabs and begins_text and not _TAG.fullmatch(fields[-1])
