"""Tables of texts and labels from TSV, CSV and JSON lines, with errors that name the line."""

import collections
import csv
import dataclasses
import functools
import gzip
import io
import itertools
import math
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

from keras_roberta.data.examples.conll_files import SUFFIXES, conll_columns
from keras_roberta.data.examples.json_tables import (
    MISSING,
    JsonColumns,
    is_json_object,
    json_columns,
    json_lines_columns,
    race_columns,
)
from keras_roberta.data.examples.label_names import shortened
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_kinds import short
from keras_roberta.files.packed_size import most_unpacked
from keras_roberta.files.regular_file import read_regular
from keras_roberta.files.text_file import text_of_bytes
from keras_roberta.options import OptionError


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of a file, column by column.

    Attributes:
        path: the file, for messages.
        columns: name to values, one a row: strings; or from JSON whatever stood there, `MISSING`
            where a row has no such field.
        lines: where each row is, for messages: the line of the file that it ends on, counted from
            1; or another name of it, such as a question's id.
        unit: what `lines` names.
        skipped_comments: lines of the file that were taken for comments, though words could have
            looked like them.
    """

    path: Path
    columns: Mapping[str, list]
    lines: list[int] | list[str]
    unit: str = "line"
    skipped_comments: int = 0

    def __len__(self):
        return len(self.lines)

    def head(self, rows):
        """The first `rows` rows; all of them where `rows` is None."""
        if isinstance(self.columns, JsonColumns):
            columns = JsonColumns(self.columns.records[:rows])
        else:
            columns = {name: values[:rows] for name, values in self.columns.items()}
        return dataclasses.replace(self, columns=columns, lines=self.lines[:rows])

    def column(self, name, option=None):
        """The values of a column, as they are.

        Args:
            option: how the user would name another column, for the message.
        """
        if name not in self.columns:
            hint = f"; name one with {option}" if option else ""
            raise InputError(f"{self.path}: no column {name!r}; there are {self.names}{hint}")
        values = self.columns[name]
        for value, line in zip(values, self.lines, strict=True):
            if value is MISSING:
                raise InputError(f"{self.place(line)}: no {name!r}, which other {self.unit}s have")
        return values

    def texts(self, name, option=None):
        """A column of strings."""
        values = self.column(name, option)
        for value, line in zip(values, self.lines, strict=True):
            if not isinstance(value, str):
                raise self.error(line, name, f"expected text, found {_short(value)}")
        return values

    def numbers(self, name, option=None):
        """A column of finite floats."""
        numbers = []
        for value, line in zip(self.column(name, option), self.lines, strict=True):
            number = as_number(value)
            if number is None:
                raise self.error(line, name, f"expected a number, found {_short(value)}")
            numbers.append(number)
        return numbers

    def labels(self, name, option=None):
        """A column of labels, as they stand in the file: strings, or from JSON also numbers and
        truth values.

        >>> Table(Path("a.tsv"), {"label": ["01", "no"]}, [2, 3]).labels("label")
        ['01', 'no']
        """
        values = self.column(name, option)
        for value, line in zip(values, self.lines, strict=True):
            if not is_label(value):
                raise self.error(line, name, f"expected a class label, found {_short(value)}")
        return values

    def error(self, line, column, message):
        """An InputError about one cell, to raise."""
        return InputError(f"{self.place(line)}, column {column!r}: {message}")

    def place(self, line):
        """A row as messages name it.

        Args:
            line: its element of `lines`.
        """
        return f"{self.path}, {self.unit} {line}"

    @property
    def names(self):
        """The columns' names as text."""
        return _listed(self.columns)


def as_number(value):
    """The finite number of a cell as a float, or None.

    >>> [as_number(x) for x in ("1.5", " -2e3", 7, "1_0", "nan", "\u0663", True, 10**400)]
    [1.5, -2000.0, 7.0, None, None, None, None, None]
    """
    if isinstance(value, str):
        if "_" in value or not value.isascii():  # which Python takes, and other programs do not
            return None
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def is_label(value):
    """Whether a cell can be the label of a class.

    >>> [is_label(x) for x in ("a", 1, 0.5, True, "", None, float("nan"), [1], 10**30)]
    [True, True, True, True, False, False, False, False, False]
    """
    if isinstance(value, str):
        return value != ""
    if isinstance(value, int):  # Any number of large ones can have one hash.
        return -(2**63) <= value < 2**63
    return as_number(value) is not None


def read_table(path, default_suffix=None, *, header=True):
    """Reads a table by its suffix: `.tsv`, `.csv`, `.jsonl` or `.json`, each also with `.gz`.

    The first line of a TSV or CSV names the columns, unless there is no `header`. TSV is GLUE's: no
    quoting, a quote is a character. CSV is quoted after RFC 4180. JSON is one object a line; its
    fields are the columns, and only those that are asked for need to be there. A `.json` may also
    be one document: a list of such objects; or SQuAD's, see `squad_columns`. An object that is a
    document of RACE gives a row for each of its questions, see `race_rows`. A `.conll` has a word
    and its tag on each line, see `conll_files`, which has other suffixes for it too.

    A file with another suffix, or with none, is read as JSON if it is an object, such as a `.txt`
    of RACE. A directory is one of RACE, see `race_documents`.

    Args:
        path: the file.
        default_suffix: one of those above: how other files with an unknown suffix, or with none,
            are read. None: they are refused.
        header: whether the first line of a TSV or CSV names the columns. Without, they are called
            "1", "2" and so on, as those of CoNLL are too.

    Returns:
        `Table`

    Raises:
        InputError: names the file and the line that cannot be read.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _directory(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] == [".gz"]
    suffix = (suffixes[:-1] if compressed else suffixes)[-1:]
    read = _READERS.get("".join(suffix))
    if not header:
        if read not in (_tsv, _csv):
            raise OptionError("no_header", f": {path.name} is no .tsv or .csv; leave it out")
        read = functools.partial(read, header=False)
    if read is not None:
        return _parsed(path, read_regular(path), compressed, read)
    data = read_regular(path)
    if is_json_object(data):
        return _parsed(path, data, compressed, _json)
    if default_suffix is None:
        raise InputError(
            f"{path}: unknown kind of table; name it .tsv, .csv or .jsonl, .conll if it has a word "
            "a line (or with .gz)"
        )
    try:
        return _parsed(path, data, compressed, _READERS[default_suffix])
    except InputError as error:
        raise InputError(
            f"{error}; it was read as {default_suffix}, since its suffix is unknown: name it .tsv, "
            ".csv or .jsonl if it is such a table"
        ) from None


def _directory(path):
    columns = race_columns(path)
    if columns is None:
        read_regular(path)  # which says that it is a directory
    return Table(path, *columns)


def _parsed(path, data, compressed, read):
    text = text_of_bytes(_unpacked(path, data) if compressed else data, path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    return read(path, text)


def _unpacked(path, data):
    most = most_unpacked(len(data))
    try:
        with gzip.open(io.BytesIO(data)) as file:
            unpacked = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
    if len(unpacked) > most:
        raise InputError(
            f"{path}: its {len(data):,} bytes unpack to more than {most:,}, which no table does; "
            "unpack it if you trust it"
        )
    return unpacked


def _tsv(path, text, header=True):
    # Not splitlines: texts may hold the other characters it would split at. A row at a time would
    # take seconds for a million rows.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    numbers = [number for number, line in enumerate(lines, 1) if line]
    rows = list(filter(None, lines))
    names = rows[0].split("\t")
    if header:
        _check_names(path, names)
        del rows[0], numbers[0]
    else:
        names = _numbered(names)
    for row, number in zip(rows, numbers, strict=True):
        if row.count("\t") + 1 != len(names):
            _check_width(path, number, row.split("\t"), names)
    _check_rows(path, rows)
    fields = "\t".join(rows).split("\t")
    columns = {name: fields[i :: len(names)] for i, name in enumerate(names)}
    return Table(path, columns, numbers)


def _csv(path, text, header=True):
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def rows():
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None

    numbered = rows()
    first = next(numbered)
    if header:
        names = first[1]
        _check_names(path, names)
    else:
        names, numbered = _numbered(first[1]), itertools.chain([first], numbered)
    return _of_rows(path, names, numbered)


def _numbered(fields):
    return [str(number) for number, _ in enumerate(fields, 1)]


def _of_rows(path, names, numbered):
    lines, rows = [], []
    for line, row in numbered:
        _check_width(path, line, row, names)
        rows.append(row)
        lines.append(line)
    _check_rows(path, rows)
    return Table(path, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), lines)


def _check_names(path, names):
    twice = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{path}, line 1: the column {_short(twice[0])} is named twice")


def _check_rows(path, rows):
    if not rows:
        raise InputError(f"{path}: there is a header, but no rows")


def _check_width(path, line, row, names):
    if len(row) != len(names):
        others = "other lines have" if names == _numbered(names) else "the header has"
        raise InputError(
            f"{path}, line {line}: {len(row)} fields, but {others} {len(names)} ({_listed(names)})"
        )


def _conll(path, text):
    columns, lines, skipped = conll_columns(path, text)
    return Table(path, columns, lines, skipped_comments=skipped)


def _json(path, text):
    return Table(path, *json_columns(path, text))


def _json_lines(path, text):
    return Table(path, *json_lines_columns(path, text))


def _listed(names):
    return shortened(map(str, names))


def _short(value):
    return short(value, most=40)


_READERS = {
    ".tsv": _tsv,
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".json": _json,
    **dict.fromkeys(SUFFIXES, _conll),
}
