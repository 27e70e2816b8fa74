"""Reads documents from files: text or JSON lines, plain or packed with gzip or zstd.

A corpus is divided into work units, which can be read separately and on any machine. Each document
belongs to exactly one unit. Files are read block by block, so the memory needed depends neither on
the size of a file nor on that of a document.
"""

import dataclasses
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from backports import zstd

from keras_roberta.data.corpus.file_kinds import (
    check_beginning,
    check_name,
    check_packing,
    is_json_lines,
    packing_of,
)
from keras_roberta.errors import InputError, ReadError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import JsonError, parse_json
from keras_roberta.files.packed_size import most_unpacked
from keras_roberta.files.regular_file import open_regular
from keras_roberta.options import Options, option

DOCUMENTS = ("file", "block", "line")
LANGUAGES_FROM = ("none", "folder", "file", "field")
UNKNOWN_LANGUAGE = "und"  # ISO 639-2's code for undetermined
_BLOCK = 1 << 20  # bytes read at a time
_LOOKED_AT = 1 << 12  # bytes of a file's beginning, which tell whether it is text
_UNIT_BYTES = 1 << 24
_LONGEST_JSON_LINE = 1 << 26
_LANGUAGE = re.compile(r"[\w.]+(?:-[\w.]+)*")
# A line break, and for blocks the blank lines behind it.
_SEPARATORS = {"line": re.compile(rb"\r?\n"), "block": re.compile(rb"\n(?:[ \t\r]*\n)+")}


@dataclasses.dataclass(frozen=True)
class CorpusOptions(Options):
    """How documents lie in files; in JSON lines each line is a document."""

    group = "Corpus"

    documents: str = option(
        "block",
        "What is a document in text files; a block stands between blank lines.",
        choices=DOCUMENTS,
    )
    languages_from: str = option(
        "none",
        "What names a text's language: the first folder below the corpus, the file's name up to "
        "its first full stop, a field of JSON lines.",
        choices=LANGUAGES_FROM,
    )
    text_field: str = option("text", "Field of the texts in JSON lines.")
    language_field: str = option("language", "Field of the languages in JSON lines.")
    labels_field: str = option(
        "labels",
        "Field of token labels in JSON lines: [[first character, character behind the last, "
        "class], …]; read where --token-labels names classes.",
    )
    max_document_bytes: int = option(
        1_000_000, "Longer documents are cut, at white space if there is any.", at_least=16
    )


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a file. It stands for the documents that begin in it.

    Attributes:
        path: path of the file.
        name: path of the file within the corpus.
        begin: the first byte of the part.
        end: the byte behind the part, or None for the end of the file.
    """

    path: str
    name: str
    begin: int = 0
    end: int | None = None


@dataclasses.dataclass(frozen=True)
class Document:
    """A document with its text.

    Attributes:
        text: the text, which is never blank.
        language: name of its language.
        place: the file, and the byte where the document begins, for messages.
        labels: (start, end, class) for stretches of the text, in characters.
        is_cut: whether this is a later part of a long document that was cut.
    """

    text: str
    language: str
    place: str
    labels: tuple = ()
    is_cut: bool = False


def work_units(corpus: str | os.PathLike, options: CorpusOptions) -> list[tuple[Piece, ...]]:
    """Divides a corpus into work units of about 16 MB.

    A unit is a part of a large file, or several small files. A compressed file is never divided.

    Args:
        corpus: a file or a directory. In a directory all files are read, except those whose name,
            or whose folder's name, begins with a full stop. Names say what is in them, see
            `file_kinds.py`.
        options: how documents lie in the files.

    Raises:
        InputError: there is no such file or directory, there is no file in it, a file's name says
            that it is no text, or does not give the language that the options ask for.
    """
    corpus = Path(corpus).expanduser()
    if corpus.is_dir():
        names = sorted(
            path.relative_to(corpus).as_posix() for path in corpus.rglob("*") if path.is_file()
        )
        names = [n for n in names if not any(part.startswith(".") for part in n.split("/"))]
        pieces = [(corpus / name, name) for name in names]
    elif corpus.is_file():
        pieces = [(corpus, corpus.name)]
    else:
        raise InputError(f"{corpus}: no such file or directory; give the text to learn from")
    if not pieces:
        raise InputError(f"{corpus}: the corpus is empty; there is no file in it")
    units, unit, size = [], [], 0
    for path, name in pieces:
        check_name(name)
        _language_of_name(name, options)
        num_bytes = path.stat().st_size
        whole = packing_of(name) or (options.documents == "file" and not is_json_lines(name))
        if num_bytes > _UNIT_BYTES and not whole:
            bounds = range(0, num_bytes, _UNIT_BYTES)
            units += [(Piece(str(path), name, b, min(b + _UNIT_BYTES, num_bytes)),) for b in bounds]
            continue
        if unit and size + num_bytes > _UNIT_BYTES:
            units.append(tuple(unit))
            unit, size = [], 0
        unit.append(Piece(str(path), name))
        size += num_bytes
    if unit:
        units.append(tuple(unit))
    return units


def read_documents(
    pieces: Sequence[Piece], options: CorpusOptions, with_labels: bool = True
) -> Iterator[Document]:
    """Reads the documents of a work unit, in order.

    Args:
        pieces: the work unit.
        options: how documents lie in the files.
        with_labels: whether to read the field of token labels. False ignores its contents.

    Raises:
        InputError: a file cannot be unpacked, a file is not UTF-8, or a line is not JSON with the
            fields that the options name. The message gives the place.
        ReadError: the system cannot read a file.
    """
    for piece in pieces:
        try:
            with _open(piece) as file:
                if not piece.begin:
                    check_beginning(file.read(_LOOKED_AT), piece.path)
                    file.seek(0)
                if is_json_lines(piece.name):
                    yield from _of_json(file, piece, options, with_labels)
                else:
                    yield from _of_text(file, piece, options)
        except (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
            raise InputError(f"{piece.path}: cannot be unpacked ({error}); is it whole?") from None
        except OSError as error:
            raise ReadError(f"{piece.path}: cannot be read ({reason_of(error)})") from None


def _of_text(file, piece, options):
    language = _language_of_name(piece.name, options)
    separator = _SEPARATORS.get(options.documents)
    stretches = _stretches(file, piece, separator, options.max_document_bytes)
    for offset, stretch, is_cut in stretches:
        text = _decoded(stretch, piece, offset).strip("\ufeff \t\n\v\f\r")
        if text:
            yield Document(text, language, f"{piece.path}, byte {offset}", (), is_cut)


def _of_json(file, piece, options, with_labels):
    for offset, line, is_cut in _stretches(file, piece, _SEPARATORS["line"], _LONGEST_JSON_LINE):
        place = f"{piece.path}, byte {offset}"
        if is_cut:
            raise InputError(f"{place}: the line is longer than {_LONGEST_JSON_LINE} bytes")
        if not line.strip():
            continue
        try:
            row = parse_json(_decoded(line, piece, offset).removeprefix("\ufeff"))
        except JsonError as error:
            raise InputError(
                f"{place}: the line is not JSON ({error}); a file of this name holds one object a "
                "line"
            ) from None
        if not isinstance(row, dict):
            found = line[:20].decode(errors="replace")
            raise InputError(f"{place}: expected one JSON object a line, found {found!r}")
        text = row.get(options.text_field)
        if not isinstance(text, str):
            there = f"there are {', '.join(row)}" if row else "the object is empty"
            raise InputError(
                f"{place}: the field {options.text_field!r} is "
                f"{'missing' if text is None else 'not a string'}; {there}"
            )
        language = _language_of_name(piece.name, options)
        if options.languages_from == "field":
            language = _checked_language(row.get(options.language_field), place)
        labels = ()
        if with_labels:
            labels = _checked_labels(row.get(options.labels_field, ()), len(text), place)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if not labels:
            text = text.strip()
        if not text.strip():
            continue
        parts = _cut(text.encode(), options.max_document_bytes)
        if len(parts) > 1 and labels:
            raise InputError(
                f"{place}: a labelled document of more than {options.max_document_bytes} bytes "
                "cannot be cut; split it, or raise max_document_bytes"
            )
        for number, part in enumerate(parts):
            part = part.decode() if labels else part.decode().strip()
            if part:
                yield Document(part, language, place, labels, number > 0)


def _stretches(file, piece, separator, limit):
    """The stretches of text that begin in a piece of a file.

    Gives (offset, bytes, is_cut) for each, where `is_cut` means that it continues the one before.

    A separator may lie across the border of two pieces. The text behind it belongs to the piece in
    which the separator's last line begins; for lines, in which the separator itself begins. So each
    text is read exactly once, although the pieces are read separately.
    """
    at, buffer, started, is_cut = piece.begin, b"", not piece.begin, False
    if not started:
        at -= 1  # the byte before may be a line break
        file.seek(at)
    while True:
        block = file.read(_BLOCK)
        buffer += block
        position = 0
        for match in separator.finditer(buffer) if separator else ():
            if match.end() == len(buffer) and block:
                break  # the separator may go on in the next block
            if started:
                yield at + position, buffer[position : match.start()], is_cut
            position, is_cut, started = match.end(), False, True
            last_line = buffer.rfind(b"\n", match.start(), match.end() - 1) + 1
            if piece.end is not None and at + (last_line or position) >= piece.end:
                return
        at, buffer = at + position, buffer[position:]
        if not started:
            if at + len(buffer) > piece.end:
                return
            passed = len(buffer.rstrip())  # keep what may be the start of a separator
            at, buffer = at + passed, buffer[passed:]
        while started and len(buffer) > limit:
            place = _place_to_cut(buffer, limit)
            yield at, buffer[:place], is_cut
            at, buffer, is_cut = at + place, buffer[place:], True
        if not block:
            break
    if started and buffer:
        yield at, buffer, is_cut


def _cut(data, limit):
    parts = []
    while len(data) > limit:
        place = _place_to_cut(data, limit)
        parts.append(data[:place])
        data = data[place:]
    return [*parts, data]


def _place_to_cut(data, limit):
    """Where to cut: at white space in bytes limit / 2 to limit, or else between characters."""
    place = max(data.rfind(b" ", limit // 2, limit), data.rfind(b"\n", limit // 2, limit))
    if place < 0:
        place = limit
        while data[place] & 0xC0 == 0x80 and limit - place < 3:
            place -= 1
    return place


def _open(piece):
    packing = packing_of(piece.name)
    if packing is None:
        return open_regular(piece.path)
    with open_regular(piece.path) as file:
        check_packing(file.read(_LOOKED_AT), piece.path, packing)
    return _Unpacked((gzip if packing == "gzip" else zstd).open(piece.path, "rb"), piece.path)


class _Unpacked:
    """A packed file, of which no more is read than a corpus packed in it could be."""

    def __init__(self, file, path):
        self._file, self._path = file, path
        self._most = most_unpacked(os.path.getsize(path))

    def read(self, size):
        data = self._file.read(size)
        if self._file.tell() > self._most:
            raise InputError(
                f"{self._path}: unpacks to more than {self._most:,} bytes, which no text does; "
                "unpack it if you trust it"
            )
        return data

    def seek(self, place):
        return self._file.seek(place)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()


def _decoded(data, piece, offset):
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = "byte" if packing_of(piece.name) is None else "unpacked byte"
        raise InputError(
            f"{piece.path}: not UTF-8 at {where} {offset + error.start}; "
            "convert the file, or take it out of the corpus"
        ) from None


def _language_of_name(name, options):
    if options.languages_from == "folder":
        folder, slash, _ = name.partition("/")
        if not slash:
            raise InputError(f"{name}: lies in no folder that could name its language")
        return _checked_language(folder, name)
    if options.languages_from == "file":
        return _checked_language(name.rpartition("/")[2].partition(".")[0], name)
    if options.languages_from == "field" and not is_json_lines(name):
        raise InputError(f"{name}: text has no fields; languages from a field need JSON lines")
    return UNKNOWN_LANGUAGE


def _checked_language(value, place):
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise InputError(
            f"{place}: {value!r} is not a language's name of letters, digits, dots and hyphens"
        )
    return value


def _checked_labels(labels, length, place):
    try:
        labels = tuple((start, end, name) for start, end, name in labels)
        if all(0 <= start < end <= length and isinstance(n, str) for start, end, n in labels):
            return labels
    except (TypeError, ValueError):
        pass
    raise InputError(
        f"{place}: labels are triples [first character, character behind the last, class] "
        f"within the text's {length}; found {labels!r:.80}"
    )
