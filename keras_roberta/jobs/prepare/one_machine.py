"""A corpus into shards, on one machine with all its cores.

Three passes, each over independent tasks: encode the work units of the corpus; find duplicates;
write the shards. What a task wrote stays, so that a run that was cut off goes on where it was.
"""

import concurrent.futures
import json
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_roberta.data.corpus import near_duplicates
from keras_roberta.data.corpus.corpora import work_units
from keras_roberta.data.corpus.encoded_parts import Part, write_part
from keras_roberta.data.corpus.encoding import DocumentEncoder
from keras_roberta.data.corpus.part_duplicates import mark_duplicates
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import SHARD_RECORD, shard_name
from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory, atomic_file
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.regular_file import read_regular
from keras_roberta.jobs.prepare import shards_directory
from keras_roberta.jobs.prepare.job import (
    Job,
    describe,
    encoded_batches,
    first_key,
    first_number,
    make_manifest,
    num_shards,
    write_shard,
)
from keras_roberta.jobs.prepare.least_room import least_room
from keras_roberta.tokenizers import Tokenizer, open_tokenizer

_TOKENS_A_PART = 1 << 23


def prepare(
    corpus: str | Path,
    tokenizer: Tokenizer | str | Path,
    out: str | Path,
    options: PrepareOptions | None = None,
    *,
    overwrite: bool = False,
    processes: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Tokenises a corpus and writes shards and their manifest.

    Args:
        corpus: a file or a directory; see `data/corpus/corpora.py`.
        tokenizer: a tokenizer of any kind, or where to read one; see `open_tokenizer`.
        out: directory.
        options: `PrepareOptions`
        overwrite: whether to replace shards that are there, and to begin anew where an earlier run
            did not finish; otherwise that one is gone on with.
        processes: as many as there are cores by default.
        progress: function of (what is going on, tasks done, tasks in all).

    Returns:
        the manifest, a dict.

    Raises:
        InputError: something in what was given, or the disk is full or surely too small.
    """
    options, out = options or PrepareOptions(), Path(out).expanduser()
    tokenizer = open_tokenizer(tokenizer)
    units = work_units(corpus, options.corpus)
    job = Job(out, tokenizer, options, units)
    with shards_directory.held(out):
        to_do = [u for i, u in enumerate(units) if overwrite or not _record_of(job, i).exists()]
        room = least_room(to_do, tokenizer)
        with shards_directory.begun(out, describe(job), overwrite, room):
            manifest = _run(job, processes or _num_cores(), progress or (lambda *_: None))
            shards_directory.finish(out, tokenizer, manifest)
    return manifest


def _num_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _run(job, processes, progress):
    units = range(len(job.units))
    threads = max(1, processes // len(units))
    with _Pool(job, min(processes, len(units)), threads) as pool:
        done = dict(pool.run(_encode_unit, units, "tokenising", progress))
        parts = job.parts
        progress("duplicates", 0, 1)
        dropped = mark_duplicates(parts, job.options.near_duplicates)
        progress("duplicates", 1, 1)
        dropped["cut"] = sum(done.values())
        tasks = _shard_tasks(parts, job.options)
        shards = [shard for _, shard in pool.run(_write_shard, tasks, "shards", progress)]
    return make_manifest(job.tokenizer, job.options, [s for s in shards if s["documents"]], dropped)


class _Pool:
    """Processes that know the job; with a single one the tasks run here."""

    def __init__(self, job, processes, threads):
        self._executor = None
        if processes > 1:
            # Spawned: a fork would copy the threads of TensorFlow or of the tokenizer half-way.
            self._executor = concurrent.futures.ProcessPoolExecutor(
                processes, multiprocessing.get_context("spawn"), _start, (job, threads)
            )
        else:
            _start(job, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def run(self, function, tasks, description, progress):
        """(task, result) of each task, in the order of the tasks."""
        tasks = list(tasks)
        progress(description, 0, len(tasks))
        results = map(function, tasks)
        if self._executor is not None:
            results = self._executor.map(function, tasks)
        for done, (task, result) in enumerate(zip(tasks, results, strict=True), 1):
            progress(description, done, len(tasks))
            yield task, result


_state_of_process = {}


def _start(job, threads):
    if threads is not None:
        # Before the tokenizer's first batch; the processes share the cores between them.
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        _end_with_parent()
    encoder = DocumentEncoder(job.tokenizer, job.options.sentences, job.options.corpus_classes)
    _state_of_process.update(job=job, encoder=encoder)


def _end_with_parent():
    """Lets this process end when the one that started it has gone, even if that was killed."""
    parent = multiprocessing.parent_process()

    def wait():
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _encode_unit(unit):
    """Encodes a work unit into parts of bounded size; returns how many documents were cut."""
    job, encoder = _state_of_process["job"], _state_of_process["encoder"]
    directory, record = job.unit(unit), _record_of(job, unit)
    if not record.exists():
        num_cut = 0
        with atomic_directory(directory) as temporary:
            part = _PartInProgress(temporary, first_number(unit), job.options)
            for documents, cut in encoded_batches(job.units[unit], encoder, job.options):
                part.add(documents)
                num_cut += cut
            part.write()
            (temporary / record.name).write_text(json.dumps(num_cut))
    return _read_number(record)


def _record_of(job, unit):
    """The file that says that a work unit is done, and how many of its documents were cut."""
    return job.unit(unit) / "cut.json"


def _read_number(path):
    content = read_regular(path, at_most=100)
    try:
        return int(content)
    except ValueError:
        raise InputError(f"{path}: is damaged; prepare the corpus anew, with --overwrite") from None


class _PartInProgress:
    """Documents of a work unit until there are enough for a part."""

    def __init__(self, directory, first_number, options):
        self._directory, self._next, self._options = directory, first_number, options
        self._count, self._documents, self._signatures, self._num_tokens = 0, [], [], 0

    def add(self, documents):
        self._documents += documents
        if self._options.near_duplicates:
            self._signatures.append(near_duplicates.signatures(documents))
        self._num_tokens += sum(len(document.token_ids) for document in documents)
        if self._num_tokens >= _TOKENS_A_PART:
            self.write()

    def write(self):
        if not self._documents:
            return
        numbers = np.arange(len(self._documents)) + self._next
        signatures = np.zeros((len(self._documents), 0), np.uint32)
        if self._signatures:
            signatures = np.concatenate(self._signatures)
        directory = self._directory / f"{self._count:06}"
        write_part(directory, self._documents, numbers, signatures, self._options.heldout)
        self._next += len(self._documents)
        self._count += 1
        self._documents, self._signatures, self._num_tokens = [], [], 0


def _shard_tasks(directories, options):
    """(split, language, number, count) of each shard."""
    tokens = {}
    for directory in directories:
        part = Part(directory)
        table, dropped = part.array("documents"), part.array("dropped")
        for group, (begin, end) in part.groups.items():
            kept = table["num_tokens"][begin:end][~dropped[begin:end]]
            tokens[group] = tokens.get(group, 0) + int(kept.sum())
    return [
        (split, language, number, count)
        for (split, language), total in sorted(tokens.items())
        for count in [num_shards(total, options)]
        for number in range(count)
    ]


def _write_shard(task):
    """Merges the documents of one shard from all parts; returns what the manifest says of it."""
    job = _state_of_process["job"]
    split, language, number, count = task
    name = shard_name(split, language, number, count)
    record = job.shards / f"{name}.json"
    if not record.exists():
        bounds = first_key(number, count), first_key(number + 1, count) - 1
        found = []
        parts = [Part(directory) for directory in job.parts]
        for i, part in enumerate(parts):
            places = part.places(split, language, *bounds)
            table, dropped = part.array("documents"), part.array("dropped")
            found += [
                (*map(int, table["key"][place]), int(table["number"][place]), i, place)
                for place in places
                if not dropped[place]
            ]
        documents = [parts[i].read(place) for *_, i, place in sorted(found)]
        description = write_shard(job.out, name, documents)
        with atomic_file(record) as temporary:
            temporary.write_text(
                json.dumps({"split": split, "language": language, **description}), encoding="utf-8"
            )
    return read_json_object(record, SHARD_RECORD, hint="prepare the corpus anew")
