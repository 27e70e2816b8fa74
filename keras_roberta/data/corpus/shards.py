"""Tokenised documents on disk: TFRecord files with an index each, and one manifest.

A shard holds documents of one split and language, in the order of their keys, which are hashes: a
shuffle that depends on the texts alone. Each record is a `tf.train.Example` of byte strings:
`token_ids` (uint16, or uint32 for a vocabulary beyond 65,536), `sentence_lengths` (uint32, tokens)
and, where the corpus is labelled, `labels` (uint8, one a token); all little-endian. The index says
where each document's tokens lie, so that any stretch of them is read by position.
"""

import io
import json
import mmap
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_roberta.data.corpus import tfrecords
from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.tokenizers import open_tokenizer

MANIFEST = "manifest.json"
FORMAT = "keras_roberta shards 1"
SPLITS = ("train", "heldout")
NO_LABEL = 255  # of a token that belongs to no class


@dataclass(frozen=True)
class EncodedDocument:
    """A document as its tokens.

    Attributes:
        key: 16 bytes, a hash of the text.
        language: its name.
        token_ids: unsigned (tokens,)
        sentence_lengths: uint32 (sentences,), in tokens; they sum up to all tokens.
        labels: uint8 (tokens,), the class of each token or `NO_LABEL`; None without labels.
    """

    key: bytes
    language: str
    token_ids: np.ndarray
    sentence_lengths: np.ndarray
    labels: np.ndarray | None = None


def token_dtype(vocabulary_size):
    """The type that token ids are stored in."""
    return np.dtype("<u2" if vocabulary_size <= 2**16 else "<u4")


def shard_name(split, language, number, count):
    return f"{split}-{language}-{number:05}-of-{count:05}.tfrecord"


def index_name(name):
    return name.removesuffix(".tfrecord") + ".index.npz"


def encode_shard(documents):
    """The bytes of a shard and of its index, and what the manifest says of it.

    The same documents in the same order give the same bytes.
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


def open_shards(directory, on_corrupt="raise"):
    """The shards in a directory, as `prepare` wrote them.

    Args:
        directory: where `manifest.json` lies.
        on_corrupt: what becomes of a document whose record is cut off or fails its checksum, which
            is looked at before its first token is used: "raise", or "skip": its tokens count for
            nothing in the batches, and `Shards.corrupt` lists it.

    Raises:
        InputError: there are none, or they are incomplete; a file is missing or of another size.
    """
    directory = Path(directory)
    if on_corrupt not in ("raise", "skip"):
        raise InputError(f'on_corrupt: expected "raise" or "skip"; got {on_corrupt!r}')
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        why = "no shards here" if directory.is_dir() else "no such directory"
        raise InputError(
            f"{directory}: {why} (no {MANIFEST}); make them with keras-roberta prepare"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{directory / MANIFEST}: cannot be read ({error})") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{directory / MANIFEST}: not a manifest of {FORMAT!r}")
    return Shards(directory, manifest, on_corrupt)


class Shards:
    """Tokenised documents by split and language; see `open_shards`.

    Attributes:
        manifest: dict, as in `manifest.json`.
        fingerprint: of the tokenizer that made the ids.
        languages: names, sorted.
        counts: {split: {language: {"documents", "sentences", "tokens"}}}
        token_labels: names of the classes of tokens, () without.
        token_label_source: "language", "script" or "corpus".
        corrupt: (file, record) of the documents found damaged so far.
        plans: what `samples.py` made of them, to be made once.
    """

    def __init__(self, directory, manifest, on_corrupt="raise"):
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
    def tokenizer(self):
        """The tokenizer that made the ids; a copy of it lies beside the shards."""
        tokenizer = open_tokenizer(self.directory / "tokenizer")
        self.check_tokenizer(tokenizer)
        return tokenizer

    def check_tokenizer(self, tokenizer):
        """Raises `InputError` unless the ids in the shards are this tokenizer's."""
        if tokenizer.fingerprint != self.fingerprint:
            raise InputError(
                f"{self.directory}: these shards are of another tokenizer "
                f"({self.fingerprint[:12]}, not {tokenizer.fingerprint[:12]}); "
                "prepare the corpus again, or use the tokenizer that lies beside them"
            )

    def descriptions(self, split, language):
        """What the manifest says of the files of a split and language: a list of dicts."""
        return self.manifest["shards"].get(split, {}).get(language, [])

    def documents(self, split="train", max_tokens=None):
        """The token ids of the documents, unsigned (tokens,) each, language by language.

        Args:
            split: "train" or "heldout".
            max_tokens: of more text so many, as evenly over the languages as they have text.
                Documents lie in the order of a hash, so that the first ones are a sample.
        """
        of_language = {name: n["tokens"] for name, n in self.counts.get(split, {}).items()}
        left = np.inf if max_tokens is None else max_tokens
        # The smallest first: what it does not use is for the others.
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
                if token_ids is not None:  # else damaged, and passed over
                    yield token_ids

    def open(self, name):
        """One file, by its name; it is mapped into memory, not read."""
        if name not in self._open:
            self._open[name] = _Shard(self, name)
        return self._open[name]

    def _check_size(self, description):
        path = self.directory / description["name"]
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({reason_of(error)}); is the copy complete?"
            ) from None
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
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({reason_of(error)})") from None
        (description,) = [
            d
            for languages in shards.manifest["shards"].values()
            for shards_of_language in languages.values()
            for d in shards_of_language
            if d["name"] == name
        ]
        if zlib.crc32(content) != description["index_crc32"]:
            raise InputError(f"{path}: altered since it was written; prepare the corpus again")
        with np.load(io.BytesIO(content)) as index:
            self._record, self._places = index["record"], index["token_ids"]
            self._label_places = index["labels"]
            self.num_tokens, self.num_sentences = index["num_tokens"], index["num_sentences"]
        self._token_dtype = token_dtype(shards.vocabulary_size)
        self._is_intact = np.full(len(self.num_tokens), -1, np.int8)  # -1: not looked at
        with open(self._path, "rb") as file:
            size = self._path.stat().st_size
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""

    @property
    def sentence_lengths(self):
        """uint32 (sentences,), those of all documents one after the other; read anew each time."""
        path = self._shards.directory / index_name(self._path.name)
        with np.load(path) as index:
            return index["sentence_lengths"]

    def token_ids(self, document, start, length):
        """(length,) token ids of a document from its token `start`; None where it is damaged."""
        if not self._check(document):
            return None
        itemsize = self._token_dtype.itemsize
        place = int(self._places[document]) + start * itemsize
        return np.frombuffer(self._data, self._token_dtype, length, place)

    def labels(self, document, start, length):
        """uint8 (length,), the labels of the same tokens; None where there are none."""
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
