"""What making shards is, on one machine or on many: the job, its documents, its manifest."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from keras_roberta import __version__
from keras_roberta.data.corpus.corpora import read_documents
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import FORMAT, SPLITS, encode_shard, index_name
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.prepare.shards_directory import PROGRESS
from keras_roberta.tokenizers import Tokenizer

_BATCH_CHARACTERS = 1 << 20  # encoded at a time


@dataclass(frozen=True)
class Job:
    """What every task needs; it travels to each process once."""

    out: Path
    tokenizer: Tokenizer
    options: PrepareOptions
    units: list

    def unit(self, number):
        """Where a work unit's parts are."""
        return self.out / PROGRESS / "parts" / f"{number:06}"

    @property
    def parts(self):
        """The directories of all parts, once every unit is done."""
        units = map(self.unit, range(len(self.units)))
        return [path for unit in units for path in sorted(unit.iterdir()) if path.is_dir()]

    @property
    def shards(self):
        return self.out / PROGRESS / "shards"


def describe(job):
    """A job in a string that another job does not share: tokenizer, options, files."""
    units = [
        [(piece.name, piece.begin, piece.end, *_state(piece.path)) for piece in unit]
        for unit in job.units
    ]
    digest = hashlib.sha256(json.dumps(units).encode()).hexdigest()
    return json.dumps([job.tokenizer.fingerprint, job.options.to_dict(), digest])


def _state(path):
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns


def encoded_batches(pieces, encoder, options):
    """The documents of a work unit some at a time: (`EncodedDocument`s, how many are cut)."""
    batch, size = [], 0
    for document in read_documents(pieces, options.corpus, bool(options.corpus_classes)):
        batch.append(document)
        size += len(document.text)
        if size >= _BATCH_CHARACTERS:
            yield encoder(batch), sum(document.is_cut for document in batch)
            batch, size = [], 0
    if batch:
        yield encoder(batch), sum(document.is_cut for document in batch)


def first_number(unit):
    """The number of a work unit's first document, of which the others follow on."""
    return unit << 32


def num_shards(num_tokens, options):
    """How many shards a split and language of so many tokens takes."""
    return max(1, round(num_tokens / options.tokens_a_shard))


def first_key(number, count):
    """The smallest 64 bits with which the keys of a shard's documents begin."""
    return -(-number * 2**64 // count)


def write_shard(out, name, documents):
    """Writes a shard and its index, unless it is empty; returns what the manifest says of it."""
    data, index, description = encode_shard(documents)
    if documents:
        for file, content in ((name, data), (index_name(name), index)):
            with atomic_file(out / file) as temporary:
                temporary.write_bytes(content)
    return {"name": name, **description}


def make_manifest(tokenizer, options, shards, dropped):
    """The manifest of some shards.

    Args:
        shards: what `encode_shard` says of each, with `split`, `language` and `name`.
        dropped: dict of documents that are not there as they were: `exact_duplicates`,
            `near_duplicates`, `cut`.

    Raises:
        InputError: there are none.
    """
    if not shards:
        raise InputError("the corpus is empty; there is no text in its files")
    languages = sorted({shard["language"] for shard in shards})
    by_split, counts = {}, {}
    for split in SPLITS:
        by_split[split], counts[split] = {}, {}
        for language in languages:
            those = [s for s in shards if (s["split"], s["language"]) == (split, language)]
            those.sort(key=lambda shard: shard["name"])
            by_split[split][language] = [
                {k: v for k, v in shard.items() if k not in ("split", "language")}
                for shard in those
            ]
            counts[split][language] = {
                name: sum(shard[name] for shard in those)
                for name in ("documents", "sentences", "tokens")
            }
    return {
        "format": FORMAT,
        "version": __version__,
        "tokenizer": {
            "fingerprint": tokenizer.fingerprint,
            "vocabulary_size": tokenizer.vocabulary_size,
        },
        "options": options.to_dict(),
        "languages": languages,
        "token_labels": options.label_description(languages),
        "counts": counts,
        "dropped": {name: dropped[name] for name in ("exact_duplicates", "near_duplicates", "cut")},
        "shards": by_split,
    }
