"""A corpus into shards on many machines, by Apache Beam: the same shards as `one_machine.py`.

The corpus and the output lie where every machine sees them under the same path.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_roberta.data.corpus import near_duplicates
from keras_roberta.data.corpus.corpora import work_units
from keras_roberta.data.corpus.encoded_parts import split_of
from keras_roberta.data.corpus.encoding import DocumentEncoder
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import SHARD_RECORD, SPLITS, shard_name
from keras_roberta.errors import InputError, ReadError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import Record, Whole
from keras_roberta.jobs.prepare import job as shared
from keras_roberta.jobs.prepare import shards_directory
from keras_roberta.tokenizers import Tokenizer, open_tokenizer

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
except ImportError:
    raise InputError(
        "a runner needs Apache Beam, which is not installed; run pip install keras-roberta[beam]"
    ) from None

# What a run notes of the documents that are not in its shards as they were in the corpus.
_DROPPED = Record({name: Whole(0) for name in ("exact_duplicates", "near_duplicates", "cut")})


def prepare(
    corpus: str | Path,
    tokenizer: Tokenizer | str | Path,
    out: str | Path,
    options: PrepareOptions | None = None,
    *,
    overwrite: bool = False,
    runner: str = "DirectRunner",
    runner_options: Sequence[str] = (),
) -> dict[str, Any]:
    """As `one_machine.prepare`, by a Beam runner.

    Args:
        runner: its name, as Beam knows it.
        runner_options: more of Beam's own options, as `--flink_master=host:8081`.
    """
    options, out = options or PrepareOptions(), Path(out).expanduser()
    tokenizer = open_tokenizer(tokenizer)
    units = work_units(corpus, options.corpus)
    job = shared.Job(out, tokenizer, options, units)
    with shards_directory.held(out), shards_directory.begun(out, shared.describe(job), overwrite):
        records = out / shards_directory.PROGRESS
        with _plain_errors(), beam.Pipeline(options=_beam_options(runner, runner_options)) as p:
            _build(p, job, records)
        hint = "prepare the corpus anew, with --overwrite"
        paths = sorted(job.shards.glob("*.json"))
        shards = [read_json_object(path, SHARD_RECORD, hint=hint) for path in paths]
        dropped = read_json_object(records / "dropped.json", _DROPPED, hint=hint)
        manifest = shared.make_manifest(tokenizer, options, shards, dropped)
        shards_directory.finish(out, tokenizer, manifest)
    return manifest


def _build(pipeline, job, records):
    threshold = job.options.near_duplicates
    encoded = (
        pipeline
        | "units" >> beam.Create(range(len(job.units)))
        | "spread" >> beam.Reshuffle()
        | "encode" >> beam.ParDo(_Encode(job)).with_outputs("cut", main="documents")
    )
    documents = encoded.documents  # (number, EncodedDocument, signature)

    # Duplicates: documents that share a band, or their key, come together.
    together = documents | "bands" >> beam.FlatMap(_bands, bool(threshold))
    found = (
        together
        | "same band" >> beam.GroupByKey()
        | "find duplicates"
        >> beam.ParDo(_FindDuplicates(threshold)).with_outputs("pairs", main="equal")
    )
    # All pairs of like documents, in one place: 16 bytes each.
    near = (
        found.pairs
        | "each once" >> beam.Distinct()
        | "pairs together" >> beam.combiners.ToList()
        | "like one that stays" >> beam.FlatMap(_like_one_that_stays)
    )
    dropped = (
        (
            found.equal | "exact" >> beam.Map(lambda number: (number, False)),
            near | "near" >> beam.Map(lambda number: (number, True)),
        )
        | "both" >> beam.Flatten()
        | "why" >> beam.CombinePerKey(min)
    )
    by_number = documents | "number" >> beam.Map(lambda row: (row[0], (row[0], row[1])))
    kept = (
        {"document": by_number, "dropped": dropped}
        | "join" >> beam.CoGroupByKey()
        | "drop" >> beam.FlatMap(lambda item: [] if item[1]["dropped"] else item[1]["document"])
    )

    # Shards: how many there are of each split and language follows from their tokens.
    tokens = (
        kept
        | "tokens" >> beam.Map(_tokens, job.options.heldout)
        | "count tokens" >> beam.CombinePerKey(sum)
    )
    (
        kept
        | "assign" >> beam.Map(_assign, job.options, beam.pvalue.AsDict(tokens))
        | "same shard" >> beam.GroupByKey()
        | "write" >> beam.Map(_write, job)
    )

    is_near = dropped | "is near" >> beam.Map(lambda item: int(item[1]))
    sums = {
        "exact_duplicates": is_near | "is exact" >> beam.Map(lambda near: 1 - near),
        "near_duplicates": is_near,
        "cut": encoded.cut,
    }
    sums = {
        name: beam.pvalue.AsSingleton(values | f"count {name}" >> beam.CombineGlobally(sum))
        for name, values in sums.items()
    }
    (
        pipeline
        | "once" >> beam.Create([str(records / "dropped.json")])
        | "note" >> beam.Map(lambda path, **counts: _write_json(path, counts), **sums)
    )


class _Encode(beam.DoFn):
    """Work units to (number, `EncodedDocument`, signature), and how many were cut."""

    def __init__(self, job):
        self._job = job

    def setup(self):
        options = self._job.options
        self._encoder = DocumentEncoder(
            self._job.tokenizer, options.sentences, options.corpus_classes
        )

    def process(self, unit):
        number = shared.first_number(unit)
        options = self._job.options
        for documents, cut in shared.encoded_batches(self._job.units[unit], self._encoder, options):
            signatures = [None] * len(documents)
            if options.near_duplicates:
                signatures = near_duplicates.signatures(documents)
            for document, signature in zip(documents, signatures, strict=True):
                yield number, document, signature
                number += 1
            yield beam.pvalue.TaggedOutput("cut", cut)


def _bands(row, with_near):
    number, document, signature = row
    yield (-1, document.key[8:]), (document.key, number, None)
    for band in range(near_duplicates.NUM_BANDS if with_near else 0):
        key = near_duplicates.band_keys(signature[None], band)[0]
        yield (band, int(key).to_bytes(8, "big")), (document.key, number, signature)


class _FindDuplicates(beam.DoFn):
    """(what is shared, documents) to numbers of equal documents, and to pairs of like ones."""

    def __init__(self, threshold):
        self._threshold = threshold

    def process(self, item):
        (band, _), members = item
        keys, numbers, signatures = zip(*members, strict=True)
        keys = np.frombuffer(b"".join(keys), ">u8").reshape(-1, 2)
        numbers, shared = np.array(numbers), np.zeros(len(numbers), np.uint64)
        if band < 0:
            yield from numbers[near_duplicates.repeated(shared, keys, numbers)].tolist()
            return
        signatures = np.stack(signatures)

        def likeness(first, other):
            return near_duplicates.likeness(signatures[first], signatures[other])

        found = near_duplicates.like_pairs(shared, keys, numbers, likeness, self._threshold)
        for pair in zip(*(numbers[places].tolist() for places in found), strict=True):
            yield beam.pvalue.TaggedOutput("pairs", pair)


def _like_one_that_stays(pairs):
    pairs = np.array(pairs, np.int64).reshape(-1, 2)
    return near_duplicates.dropped(*pairs.T).tolist()


def _tokens(row, heldout):
    _, document = row
    split = SPLITS[split_of(document.key, heldout)]
    return (split, document.language), len(document.token_ids)


def _assign(row, options, tokens):
    (group, _), key = _tokens(row, options.heldout), row[1].key
    count = shared.num_shards(tokens[group], options)
    number = int.from_bytes(key[:8], "big") * count >> 64
    return (*group, number, count), row


def _write(item, job):
    (split, language, number, count), rows = item
    ordered = sorted(rows, key=lambda row: (row[1].key, row[0]))
    name = shard_name(split, language, number, count)
    description = shared.write_shard(job.out, name, [document for _, document in ordered])
    _write_json(job.shards / f"{name}.json", {"split": split, "language": language, **description})


def _write_json(path, values):
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(values), encoding="utf-8")


def _beam_options(runner, more):
    try:
        return PipelineOptions([f"--runner={runner}", *more])
    except SystemExit:  # argparse
        raise InputError(f"runner options {' '.join(more)}: Beam does not know them") from None


@contextlib.contextmanager
def _plain_errors():
    """Beam adds where it was to messages, and other runners wrap what they pass on."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        message, is_of_reading = str(error), isinstance(error, ReadError)
        if not isinstance(error, InputError):
            found = re.search(r"(InputError|ReadError): (.*)", message)
            if not found:
                raise
            message, is_of_reading = found[2], found[1] == "ReadError"
        kind = ReadError if is_of_reading else InputError
        raise kind(re.sub(r" \[while running .*\]$", "", message)) from None
