"""What a file of a corpus is: by its name, and by its first bytes that it is what its name says.

A file that is no text must not be learnt as text, so names of other things are refused, and so are
files that begin like one.
"""

from __future__ import annotations

import codecs

from keras_roberta.errors import InputError

PACKED = {".gz": "gzip", ".zst": "zstd"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
# Suffix -> what to do with such a file. Names that are in none of the lists are text.
_REFUSED = {
    **dict.fromkeys(
        (".csv", ".tsv", ".tab"),
        "is a table; write its texts as JSON lines (.jsonl), or as plain text (.txt)",
    ),
    **dict.fromkeys(
        (".html", ".htm", ".xhtml", ".xml", ".warc", ".wet"),
        "holds markup, which would be learnt as text; extract the text and name it .txt or .jsonl",
    ),
    **dict.fromkeys(
        (".zip", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar", ".lz4", ".br"),
        "is packed in a way that is not read; unpack it, or pack its files with gzip or zstd",
    ),
    **dict.fromkeys(
        (
            *(".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".xls", ".xlsx", ".ppt", ".pptx"),
            *(".parquet", ".arrow", ".feather", ".npy", ".npz", ".pkl", ".pt", ".bin", ".h5"),
            *(".safetensors", ".tflite", ".tfrecord", ".sqlite", ".db", ".exe", ".so", ".pyc"),
            *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".wav", ".mp4"),
        ),
        "is no text; take it out of the corpus, or extract its text into a .txt or .jsonl",
    ),
}
_TO_UTF8 = "is {}, not UTF-8; convert it, as with iconv -t UTF-8"
# The first bytes of a file -> what it is. Those of UTF-32 begin with UTF-16's.
_BEGINNINGS = {
    codecs.BOM_UTF32_LE: _TO_UTF8.format("UTF-32"),
    codecs.BOM_UTF32_BE: _TO_UTF8.format("UTF-32"),
    codecs.BOM_UTF16_LE: _TO_UTF8.format("UTF-16"),
    codecs.BOM_UTF16_BE: _TO_UTF8.format("UTF-16"),
    b"\x1f\x8b": "is packed with gzip; its name has to end in .gz",
    b"\x28\xb5\x2f\xfd": "is packed with zstd; its name has to end in .zst",
    b"PK\x03\x04": _REFUSED[".zip"],
    b"BZh": _REFUSED[".bz2"],
    b"\xfd7zXZ\0": _REFUSED[".xz"],
    b"%PDF-": _REFUSED[".pdf"],
    b"PAR1": _REFUSED[".parquet"],
}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


def packing_of(name: str) -> str | None:
    """How a file is packed, by its name: "gzip", "zstd" or None."""
    return next((PACKED[end] for end in PACKED if name.lower().endswith(end)), None)


def is_json_lines(name: str) -> bool:
    """Whether a file's name says that it holds an object of JSON a line."""
    return _unpacked(name).endswith(JSON_LINES)


def check_name(name: str) -> None:
    """Raises where a file's name says that it is neither text nor JSON lines.

    Raises:
        InputError: says what it is and what to do.
    """
    base = _unpacked(name).rpartition("/")[2]
    suffix = f".{base.rpartition('.')[2]}" if "." in base else ""
    if suffix in _REFUSED:
        raise InputError(f"{name}: {_REFUSED[suffix]}")


def check_packing(start: bytes, path: str, packing: str) -> None:
    """Raises where a packed file does not begin as its name says.

    Args:
        start: the first bytes of the file as it lies there.
    """
    if not start or start.startswith(_MAGIC[packing]):
        return
    other = next((p for p, magic in _MAGIC.items() if start.startswith(magic)), None)
    raise InputError(
        f"{path}: is packed with {other}; its name has to end in "
        f"{next(end for end, p in PACKED.items() if p == other)}"
        if other
        else f"{path}: is not packed with {packing}, as its name says; rename or pack it"
    )


def check_beginning(start: bytes, path: str) -> None:
    """Raises where a file's first bytes, unpacked, are of something else than UTF-8 text.

    Raises:
        InputError: says what it is and what to do.
    """
    for beginning, problem in _BEGINNINGS.items():
        if start.startswith(beginning):
            raise InputError(f"{path}: {problem}")
    if b"\0" in start:
        raise InputError(
            f"{path}: holds zero bytes, so it is binary or UTF-16; convert it to UTF-8 text, or "
            "take it out of the corpus"
        )


def _unpacked(name):
    name = name.lower()
    return next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)
