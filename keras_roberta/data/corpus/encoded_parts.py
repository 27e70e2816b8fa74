"""Encoded documents on disk, sorted: the step between reading a corpus and writing its shards.

A part is a directory with the documents of one work unit as NumPy files. The files are mapped into
memory, not read as a whole.
"""

import bisect
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_roberta.data.corpus.shards import SPLITS, EncodedDocument
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import TEXT, ListOf, Record, Simple

_GROUP = Simple(
    "a split, a language and two numbers",
    lambda value: isinstance(value, list) and list(map(type, value)) == [str, str, int, int],
)
_CONTENT = Record({"languages": ListOf(TEXT), "groups": ListOf(_GROUP)})
DOCUMENT = np.dtype(
    [
        ("split", "u1"),
        ("language", "u2"),  # index into the part's own list
        ("key", ">u8", 2),
        ("number", "i8"),  # its position in the corpus
        ("token", "i8"),  # index of its first token
        ("num_tokens", "i8"),
        ("sentence", "i8"),
        ("num_sentences", "i8"),
    ]
)


def split_of(key: bytes, heldout: float) -> int:
    """The split of a document, as an index into `SPLITS`.

    Args:
        key: the document's key, 16 bytes.
        heldout: the share of documents to hold out, in [0, 1].
    """
    return int(int.from_bytes(key[8:], "big") < heldout * 2**64)


def write_part(
    directory: str | os.PathLike,
    documents: Sequence[EncodedDocument],
    numbers: np.ndarray,
    signatures: np.ndarray,
    heldout: float,
) -> None:
    """Writes documents to disk, sorted by split, language and key.

    Args:
        directory: the directory to make.
        documents: the documents.
        numbers: int64 (documents,), their positions in the corpus.
        signatures: uint32 (documents, hashes), their MinHash signatures.
        heldout: the share of documents to hold out, in [0, 1].
    """
    directory = Path(directory)
    directory.mkdir(parents=True)
    languages = sorted({document.language for document in documents})
    table = np.zeros(len(documents), DOCUMENT)
    for row, document in zip(table, documents, strict=True):
        row["split"] = split_of(document.key, heldout)
        row["language"] = languages.index(document.language)
        row["key"] = np.frombuffer(document.key, ">u8")
        row["num_tokens"] = len(document.token_ids)
        row["num_sentences"] = len(document.sentence_lengths)
    table["number"] = numbers
    order = np.lexsort(
        (numbers, table["key"][:, 1], table["key"][:, 0], table["language"], table["split"])
    )
    table, documents = table[order], [documents[i] for i in order]
    for field in ("token", "sentence"):
        counts = table["num_" + field + "s"]
        table[field] = np.cumsum(counts) - counts
    np.save(directory / "documents.npy", table)
    np.save(directory / "signatures.npy", signatures[order])
    np.save(directory / "token_ids.npy", np.concatenate([d.token_ids for d in documents]))
    np.save(directory / "sentences.npy", np.concatenate([d.sentence_lengths for d in documents]))
    if documents[0].labels is not None:
        np.save(directory / "labels.npy", np.concatenate([d.labels for d in documents]))
    groups = np.flatnonzero(np.diff(table["split"].astype(int) << 16 | table["language"])) + 1
    begins = [0, *groups.tolist()]
    groups = [
        [SPLITS[table["split"][begin]], languages[table["language"][begin]], begin, end]
        for begin, end in zip(begins, [*begins[1:], len(table)], strict=True)
    ]
    content = json.dumps({"languages": languages, "groups": groups})
    (directory / "content.json").write_text(content, encoding="utf-8")


class Part:
    """A part on disk, as written by `write_part`. Its arrays are mapped into memory.

    Attributes:
        directory: path of the part.
        languages: names of the languages in it.
        groups: {(split, language): (begin, end)}, the range of its documents.
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        path = self.directory / "content.json"
        content = read_json_object(path, _CONTENT, hint="prepare the corpus anew, with --overwrite")
        self.languages = content["languages"]
        self.groups = {(split, language): (b, e) for split, language, b, e in content["groups"]}
        self._arrays = {}

    def array(self, name: str) -> np.ndarray | None:
        """The array in the file `<name>.npy`, or None if there is no such file."""
        if name not in self._arrays:
            path = self.directory / f"{name}.npy"
            self._arrays[name] = np.load(path, mmap_mode="r") if path.exists() else None
        return self._arrays[name]

    def places(self, split: str, language: str, first_key: int, last_key: int) -> range:
        """The indices of the documents of a split and language with keys in a range.

        They are found by binary search, which reads only a few pages of the table.

        Args:
            split: "train" or "heldout".
            language: name of the language.
            first_key: smallest value of the first 64 bits of the key.
            last_key: largest value of the first 64 bits of the key.
        """
        begin, end = self.groups.get((split, language), (0, 0))
        keys = self.array("documents")["key"]

        def first_bits(place):
            return int(keys[place, 0])

        within = range(begin, end)
        begin = bisect.bisect_left(within, first_key, key=first_bits)
        end = bisect.bisect_right(within, last_key, key=first_bits)
        return within[begin:end]

    def read(self, place: int) -> EncodedDocument:
        """The document with this index in the part."""
        row, labels = self.array("documents")[place], self.array("labels")
        tokens = slice(row["token"], row["token"] + row["num_tokens"])
        sentences = slice(row["sentence"], row["sentence"] + row["num_sentences"])
        return EncodedDocument(
            row["key"].tobytes(),
            self.languages[row["language"]],
            np.array(self.array("token_ids")[tokens]),
            np.array(self.array("sentences")[sentences]),
            None if labels is None else np.array(labels[tokens]),
        )
