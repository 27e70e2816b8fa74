"""Tokenised documents on disk: TFRecord files, an index for each, and one manifest.

A shard contains documents of one split and language. They are ordered by their keys, which are
hashes of the texts, so the order is a shuffle that depends only on the texts.

Each record is a `tf.train.Example` of byte strings, all little-endian:

    token_ids          uint16, or uint32 for a vocabulary of more than 65,536 tokens
    sentence_lengths   uint32, in tokens
    labels             uint8, one for each token; only if the corpus is labelled

The index has the position of each document's tokens in the file, so that any stretch of tokens can
be read directly.
"""

import io
import mmap
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keras_roberta.data.corpus import tfrecords
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import TEXT, ListOf, MapOf, Record, Simple, Whole
from keras_roberta.files.regular_file import (
    check_regular,
    open_regular,
    read_regular,
)
from keras_roberta.tokenizers import Tokenizer, open_tokenizer

MANIFEST = "manifest.json"
FORMAT = "keras_roberta shards 1"
SPLITS = ("train", "heldout")
_COUNTS = {name: Whole(0) for name in ("documents", "sentences", "tokens")}
_FILE_NAME = Simple("a shard's name", lambda name: isinstance(name, str) and is_shard_name(name))
_SHARD = Record({"name": _FILE_NAME, **_COUNTS, "bytes": Whole(0), "index_crc32": Whole(0, 2**32)})
# What `prepare` notes of a shard that it has written, until it has written them all.
SHARD_RECORD = Record({"split": TEXT, "language": TEXT, **_SHARD.required})
_MANIFEST = Record(
    {
        "tokenizer": Record({"fingerprint": TEXT, "vocabulary_size": Whole(1, 2**32)}),
        "languages": ListOf(TEXT),
        "token_labels": Record({"source": TEXT, "classes": ListOf(TEXT, at_most=255)}),
        "counts": Record({split: MapOf(Record(_COUNTS)) for split in SPLITS}),
        "dropped": MapOf(Whole(0)),
        "shards": Record({split: MapOf(ListOf(_SHARD)) for split in SPLITS}),
    }
)
NO_LABEL = 255  # the label of a token that belongs to no class


@dataclass(frozen=True)
class EncodedDocument:
    """A tokenised document.

    Attributes:
        key: 16 bytes, a hash of the text.
        language: name of the language.
        token_ids: uint16 or uint32 (tokens,); see `token_dtype`.
        sentence_lengths: uint32 (sentences,), in tokens. Their sum is the number of tokens.
        labels: uint8 (tokens,), the class of each token or `NO_LABEL`. None: there are no labels.
    """

    key: bytes
    language: str
    token_ids: np.ndarray
    sentence_lengths: np.ndarray
    labels: np.ndarray | None = None


def token_dtype(vocabulary_size: int) -> np.dtype:
    """The type of stored token ids: uint16 if all ids fit, else uint32."""
    return np.dtype("<u2" if vocabulary_size <= 2**16 else "<u4")


def shard_name(split: str, language: str, number: int, count: int) -> str:
    """The file name of shard `number` of `count`, for a split and language."""
    return f"{split}-{language}-{number:05}-of-{count:05}.tfrecord"


def is_shard_name(name: str) -> bool:
    """Whether `shard_name` makes such a name: it is that of a file in the directory itself.

    >>> is_shard_name("train-en-00000-of-00001.tfrecord"), is_shard_name("../mine.tfrecord")
    (True, False)
    """
    return re.fullmatch(rf"({'|'.join(SPLITS)})-[^/\0]+-\d+-of-\d+\.tfrecord", name) is not None


def index_name(name: str) -> str:
    """The file name of the index of the shard with this name."""
    return name.removesuffix(".tfrecord") + ".index.npz"


def encode_shard(documents: Sequence[EncodedDocument]) -> tuple[bytes, bytes, dict[str, int]]:
    """Encodes documents as a shard.

    The same documents in the same order give the same bytes.

    Returns:
        shard: content of the TFRecord file.
        index: content of the index file.
        description: the entry for the manifest.
    """
    data, offset = [], 0
    columns = {"record": [], "token_ids": [], "labels": [], "num_tokens": [], "num_sentences": []}
    for document in documents:
        features = {
            "token_ids": document.token_ids.tobytes(),
            "sentence_lengths": document.sentence_lengths.astype("<u4").tobytes(),
        }
        if document.labels is not None:
            features["labels"] = document.labels.tobytes()
        message, places = tfrecords.example(features)
        record = tfrecords.frame(message)
        columns["record"].append(offset)
        columns["token_ids"].append(offset + tfrecords.HEADER_BYTES + places["token_ids"])
        if document.labels is not None:
            columns["labels"].append(offset + tfrecords.HEADER_BYTES + places["labels"])
        columns["num_tokens"].append(len(document.token_ids))
        columns["num_sentences"].append(len(document.sentence_lengths))
        data.append(record)
        offset += len(record)
    columns["record"].append(offset)
    arrays = {name: np.array(values, np.int64) for name, values in columns.items()}
    lengths = [np.asarray(document.sentence_lengths, np.uint32) for document in documents]
    arrays["sentence_lengths"] = np.concatenate(lengths) if lengths else np.zeros(0, np.uint32)
    index = io.BytesIO()
    np.savez(index, **arrays)
    index = index.getvalue()
    description = {
        "documents": len(documents),
        "sentences": int(arrays["num_sentences"].sum()),
        "tokens": int(arrays["num_tokens"].sum()),
        "bytes": offset,
        "index_crc32": zlib.crc32(index),
    }
    return b"".join(data), index, description


def open_shards(directory: str | os.PathLike, on_corrupt: str = "raise") -> "Shards":
    """Opens the shards that `keras-roberta prepare` wrote to a directory.

    Args:
        directory: the directory with `manifest.json`.
        on_corrupt: what to do with a document whose record is cut off or has a wrong checksum.
            "raise" raises an InputError. "skip" leaves its tokens out of the batches and adds it
            to `Shards.corrupt`. A record is checked before its tokens are first used.

    Raises:
        InputError: there are no shards, or a file is missing or has the wrong size.
    """
    directory = Path(directory).expanduser()
    if on_corrupt not in ("raise", "skip"):
        raise InputError(f'on_corrupt: expected "raise" or "skip"; got {on_corrupt!r}')
    path = directory / MANIFEST
    if not path.exists():
        why = "no shards here" if directory.is_dir() else "no such directory"
        raise InputError(
            f"{directory}: {why} (no {MANIFEST}); make them with keras-roberta prepare"
        )
    manifest = read_json_object(path, hint="make it with keras-roberta prepare")
    if manifest.get("format") != FORMAT:
        raise InputError(f"{path}: not a manifest of {FORMAT!r}")
    if problem := _MANIFEST.problem(manifest):
        raise InputError(f"{path}: {problem}")
    _check_counts(path, manifest)
    return Shards(directory, manifest, on_corrupt)


def _check_counts(path, manifest):
    """Raises an InputError unless the parts of a manifest speak of the same languages and sizes."""
    languages, names = set(manifest["languages"]), set()
    if len(languages) < len(manifest["languages"]):
        raise InputError(f"{path}: names a language twice")
    for split in SPLITS:
        counts, shards = manifest["counts"][split], manifest["shards"][split]
        if set(counts) != languages or set(shards) != languages:
            raise InputError(f"{path}: counts and shards of {split} are not of its languages")
        for language in languages:
            for name in ("documents", "sentences", "tokens"):
                there = sum(shard[name] for shard in shards[language])
                if counts[language][name] != there:
                    raise InputError(
                        f"{path}: {split} of {language:.60} has {there} {name} in its shards, and "
                        f"{counts[language][name]} by its counts"
                    )
            of_language = [shard["name"] for shard in shards[language]]
            if not names.isdisjoint(of_language) or len(set(of_language)) < len(of_language):
                raise InputError(f"{path}: names a shard twice")
            names.update(of_language)


class Shards:
    """Tokenised documents by split and language. `open_shards` opens them.

    Attributes:
        directory: path of the shards.
        manifest: content of `manifest.json`.
        on_corrupt: "raise" or "skip"; see `open_shards`.
        fingerprint: fingerprint of the tokenizer that made the ids.
        vocabulary_size: number of tokens in its vocabulary.
        languages: names of the languages, sorted.
        counts: {split: {language: {"documents", "sentences", "tokens"}}}, numbers of each.
        token_labels: names of the classes of tokens; () if there are no labels.
        token_label_source: "language", "script" or "corpus".
        corrupt: list of (file, record) for the damaged documents found so far.
        plans: the packed rows that `samples.py` has planned, kept so that each is planned once.
    """

    def __init__(
        self, directory: str | os.PathLike, manifest: dict[str, Any], on_corrupt: str = "raise"
    ):
        self.directory, self.manifest, self.on_corrupt = directory, manifest, on_corrupt
        self.fingerprint = manifest["tokenizer"]["fingerprint"]
        self.vocabulary_size = manifest["tokenizer"]["vocabulary_size"]
        self.languages = tuple(manifest["languages"])
        self.counts = manifest["counts"]
        self.token_label_source = manifest["token_labels"]["source"]
        self.token_labels = tuple(manifest["token_labels"]["classes"])
        self.corrupt, self.plans, self._open = [], {}, {}
        for split in SPLITS:
            for language in self.languages:
                for description in self.descriptions(split, language):
                    self._check_size(description)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that made the ids, from its copy in the directory of the shards."""
        tokenizer = open_tokenizer(self.directory / "tokenizer")
        self.check_tokenizer(tokenizer)
        return tokenizer

    def check_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Raises an InputError unless this tokenizer made the ids in the shards."""
        if tokenizer.fingerprint != self.fingerprint:
            raise InputError(
                f"{self.directory}: these shards are of another tokenizer "
                f"({self.fingerprint[:12]}, not {tokenizer.fingerprint[:12]}); "
                "prepare the corpus again, or use the tokenizer that lies beside them"
            )

    def descriptions(self, split: str, language: str) -> list[dict[str, Any]]:
        """The manifest's entries for the files of a split and language."""
        return self.manifest["shards"].get(split, {}).get(language, [])

    def documents(
        self, split: str = "train", max_tokens: int | None = None
    ) -> Iterator[np.ndarray]:
        """The token ids of each document, language by language.

        Args:
            split: "train" or "heldout".
            max_tokens: stop after about this many tokens, divided as evenly over the languages as
                their texts allow. Documents are in a random order, so the first are a sample.
                None: all documents.

        Yields:
            uint16 or uint32 (tokens,)
        """
        of_language = {name: n["tokens"] for name, n in self.counts.get(split, {}).items()}
        left = np.inf if max_tokens is None else max_tokens
        # The smallest language first: tokens that it does not use are left for the others.
        for number, language in enumerate(sorted(of_language, key=of_language.get)):
            budget = left / (len(of_language) - number)
            for token_ids in self._documents_of(split, language):
                if budget <= 0:
                    break
                budget, left = budget - len(token_ids), left - len(token_ids)
                yield token_ids

    def _documents_of(self, split, language):
        for description in self.descriptions(split, language):
            shard = self.open(description["name"])
            for document, num_tokens in enumerate(shard.num_tokens.tolist()):
                token_ids = shard.token_ids(document, 0, num_tokens)
                if token_ids is not None:  # None: damaged, and to be skipped
                    yield token_ids

    def open(self, name: str) -> "_Shard":
        """One shard, by its file name. It is mapped into memory, not read as a whole."""
        if name not in self._open:
            self._open[name] = _Shard(self, name)
        return self._open[name]

    def _check_size(self, description):
        path = self.directory / description["name"]
        size = check_regular(path, hint="is the copy complete?")
        if size != description["bytes"] and self.on_corrupt == "raise":
            raise InputError(
                f"{path}: {size} bytes where the manifest says {description['bytes']}; "
                "copy the file again, prepare anew or skip what is damaged"
            )


class _Shard:
    """One TFRecord file and its index."""

    def __init__(self, shards, name):
        self._shards, self._path = shards, shards.directory / name
        path = shards.directory / index_name(name)
        content = read_regular(path)
        (description,) = [
            d
            for split in SPLITS
            for shards_of_language in shards.manifest["shards"][split].values()
            for d in shards_of_language
            if d["name"] == name
        ]
        if zlib.crc32(content) != description["index_crc32"]:
            raise InputError(f"{path}: altered since it was written; prepare the corpus again")
        index = _read_index(path, content)
        self._record, self._places = index["record"], index["token_ids"]
        self._label_places = index["labels"]
        self.num_tokens, self.num_sentences = index["num_tokens"], index["num_sentences"]
        self._token_dtype = token_dtype(shards.vocabulary_size)
        _check_index(path, index, description, self._token_dtype.itemsize)
        self._is_intact = np.full(len(self.num_tokens), -1, np.int8)  # -1: not checked yet
        with open_regular(self._path) as file:
            size = self._path.stat().st_size
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""

    @property
    def sentence_lengths(self):
        """The sentence lengths of all documents: uint32 (sentences,). Read from disk each time."""
        path = self._shards.directory / index_name(self._path.name)
        return _read_index(path, read_regular(path))["sentence_lengths"]

    def token_ids(self, document, start, length):
        """Token ids of a document, from token `start`: (length,). None if it is damaged."""
        if not self._check(document):
            return None
        itemsize = self._token_dtype.itemsize
        place = int(self._places[document]) + start * itemsize
        return np.frombuffer(self._data, self._token_dtype, length, place)

    def labels(self, document, start, length):
        """The labels of the same tokens: uint8 (length,). None if there are no labels."""
        if not len(self._label_places) or not self._check(document):
            return None
        place = int(self._label_places[document]) + start
        return np.frombuffer(self._data, np.uint8, length, place)

    def _check(self, document):
        if self._is_intact[document] < 0:
            begin, end = self._record[document], self._record[document + 1]
            intact = tfrecords.is_intact(self._data[begin:end])
            self._is_intact[document] = intact
            if not intact:
                self._report(document, begin)
        return self._is_intact[document]

    def _report(self, document, place):
        message = f"{self._path}: record {document} (byte {place}) is cut off or altered"
        if self._shards.on_corrupt == "raise":
            raise InputError(f"{message}; copy the file again, prepare anew or skip such records")
        self._shards.corrupt.append((self._path.name, document))


_COLUMNS = ("record", "token_ids", "labels", "num_tokens", "num_sentences", "sentence_lengths")


def _read_index(path, content):
    """The arrays of an index, by name."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as index:
            return {name: index[name] for name in _COLUMNS}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not an index of a shard ({reason_of(error)})") from None
    except (NotImplementedError, RuntimeError, OverflowError, TypeError, SyntaxError) as error:
        raise InputError(f"{path}: not an index of a shard ({reason_of(error)})") from None


def _check_index(path, index, description, itemsize):
    """Raises an InputError unless an index is one of the shard that the manifest describes."""
    documents, lengths = description["documents"], index["sentence_lengths"]
    sizes = {"record": documents + 1, "labels": len(index["labels"])}
    for name in _COLUMNS[:-1]:
        if index[name].dtype != np.int64 or index[name].shape != (sizes.get(name, documents),):
            raise InputError(f"{path}: {name} is not of {documents} documents")
    record, tokens, places = index["record"], index["num_tokens"], index["token_ids"]
    fits = (
        len(index["labels"]) in (0, documents)
        and lengths.dtype == np.uint32
        and lengths.shape == (description["sentences"],)
        and record[0] == 0
        and record[-1] == description["bytes"]
        and (np.diff(record) > 0).all()
        and (tokens >= 0).all()
        and (tokens <= description["bytes"]).all()
        and (index["num_sentences"] >= 0).all()
        and tokens.sum() == description["tokens"] == lengths.sum(dtype=np.int64)
        and index["num_sentences"].sum() == description["sentences"]
        and (places >= record[:-1]).all()
        and (places + tokens * itemsize <= record[1:]).all()
    )
    if fits and len(index["labels"]):
        fits = (index["labels"] >= record[:-1]).all()
        fits &= (index["labels"] + tokens <= record[1:]).all()
    if not fits:
        raise InputError(f"{path}: is not the index of its shard; prepare the corpus again")
