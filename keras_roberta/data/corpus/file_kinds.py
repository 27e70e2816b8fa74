"""What a file of a corpus is: by its name, and by its first bytes that it is what its name says.

A file that is no text must not be learnt as text, so names of other things are refused, and so are
files that begin like one.
"""

from __future__ import annotations

from keras_roberta.errors import InputError
from keras_roberta.files.text_file import check_encoding

PACKED = {"gzip": ".gz", "zstd": ".zst"}  # and how such a file's name ends
JSON_LINES = (".jsonl", ".ndjson", ".json")
# Suffix -> what to do with such a file. Names that are in none of the lists are text. Two letters
# may be a language's, as in `wiki.pt`; what else such files are is seen by their first bytes.
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
        (".zip", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar", ".lz4"),
        "is packed in a way that is not read; unpack it, or pack its files with gzip or zstd",
    ),
    **dict.fromkeys(
        (
            *(".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".xls", ".xlsx", ".ppt", ".pptx"),
            *(".parquet", ".arrow", ".feather", ".npy", ".npz", ".pkl", ".bin", ".h5"),
            *(".safetensors", ".tflite", ".tfrecord", ".sqlite", ".db", ".exe", ".pyc"),
            *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".wav", ".mp4"),
        ),
        "is no text; take it out of the corpus, or extract its text into a .txt or .jsonl",
    ),
}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
# The first bytes of a file -> what it is.
_BEGINNINGS = {
    **{
        _MAGIC[kind]: f"is packed with {kind}; its name has to end in {end}"
        for kind, end in PACKED.items()
    },
    b"PK\x03\x04": _REFUSED[".zip"],
    b"BZh": _REFUSED[".bz2"],
    b"\xfd7zXZ\0": _REFUSED[".xz"],
    b"%PDF-": _REFUSED[".pdf"],
    b"PAR1": _REFUSED[".parquet"],
}


def packing_of(name: str) -> str | None:
    """How a file is packed, by its name: "gzip", "zstd" or None."""
    return next((kind for kind, end in PACKED.items() if name.lower().endswith(end)), None)


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
    if other is not None:
        raise InputError(f"{path}: {_BEGINNINGS[_MAGIC[other]]}")
    raise InputError(f"{path}: is not packed with {packing}, as its name says; rename or pack it")


def check_beginning(start: bytes, path: str) -> None:
    """Raises where a file's first bytes, unpacked, are of something else than UTF-8 text.

    Raises:
        InputError: says what it is and what to do.
    """
    check_encoding(start, path)
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
    return next((name.removesuffix(end) for end in PACKED.values() if name.endswith(end)), name)
