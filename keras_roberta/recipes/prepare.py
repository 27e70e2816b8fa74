"""A corpus into shards, on one machine with all its cores.

Three passes, each over independent tasks: encode the work units of the corpus; find duplicates;
write the shards. What a task wrote stays, so that a run that was cut off goes on where it was.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_roberta import __version__
from keras_roberta.atomic_write import atomic_directory, atomic_file
from keras_roberta.data import near_duplicates
from keras_roberta.data.corpora import read_documents, work_units
from keras_roberta.data.encoding import DocumentEncoder
from keras_roberta.data.parts import Part, write_part
from keras_roberta.data.prepare_options import PrepareOptions
from keras_roberta.data.shards import FORMAT, MANIFEST, SPLITS, encode_shard, index_name, shard_name
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.roberta_tokenizer import RobertaTokenizer

PROGRESS = ".progress"  # in the output directory, while there is no manifest
_BATCH_CHARACTERS = 1 << 20  # encoded at a time
_TOKENS_A_PART = 1 << 23
_DOCUMENTS_AT_A_TIME = 1 << 22  # compared with each other


@dataclass(frozen=True)
class Job:
    """What every task needs; it travels to each process once."""

    out: Path
    tokenizer: RobertaTokenizer
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


def prepare(corpus, tokenizer, out, options=None, overwrite=False, processes=None, progress=None):
    """Tokenises a corpus and writes shards and their manifest.

    Args:
        corpus: a file or a directory; see `data/corpora.py`.
        tokenizer: `RobertaTokenizer`, or a source of one.
        out: directory.
        options: `PrepareOptions`
        overwrite: whether to replace shards that are there, and to begin anew where an earlier run
            did not finish; otherwise that one is gone on with.
        processes: as many as there are cores by default.
        progress: function of (what is going on, tasks done, tasks in all).

    Returns:
        the manifest, a dict.

    Raises:
        InputError: something in what was given, or the disk is full.
    """
    options, out = options or PrepareOptions(), Path(out)
    if not isinstance(tokenizer, RobertaTokenizer):
        tokenizer = RobertaTokenizer.from_preset(tokenizer)
    units = work_units(corpus, options.corpus)
    job = Job(out, tokenizer, options, units)
    with output_errors(out):
        begin(out, describe(job), overwrite)
        manifest = _run(job, processes or _num_cores(), progress or (lambda *_: None))
        finish(out, tokenizer, manifest)
    return manifest


@contextlib.contextmanager
def output_errors(out):
    """A disk that is full, or may not be written to, as an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror or error}); once that is put right the "
            "same command goes on from here"
        ) from None


def begin(out, description, overwrite):
    """Makes the output directory ready; `description` tells this job from others.

    Raises:
        InputError: it holds shards, another job's progress or other files, and may not be
            overwritten.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a directory for the shards")
    path = out / PROGRESS / "job.json"
    manifest = out / MANIFEST
    if not overwrite:
        if manifest.exists():
            raise InputError(f"{out}: there are shards already; add --overwrite to replace them")
        if path.exists() and path.read_text(encoding="utf-8") != description:
            raise InputError(
                f"{out}: holds an unfinished run with other options, tokenizer or corpus; "
                "add --overwrite to begin anew"
            )
        if out.exists() and not path.exists() and any(out.iterdir()):
            raise InputError(f"{out}: is not empty; give another directory or add --overwrite")
    else:
        _remove_shards(out)
        shutil.rmtree(out / PROGRESS, ignore_errors=True)
    with atomic_file(path) as temporary:
        temporary.write_text(description, encoding="utf-8")


def finish(out, tokenizer, manifest):
    """Writes what makes the directory one of shards: the tokenizer, and last the manifest."""
    tokenizer.save(out / "tokenizer")
    with atomic_file(out / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out / PROGRESS, ignore_errors=True)


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


def encoded_batches(pieces, encoder, options):
    """The documents of a work unit some at a time: (`EncodedDocument`s, how many are cut)."""
    batch, size = [], 0
    for document in read_documents(pieces, options.corpus):
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


# On one machine


def _state(path):
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns


def _remove_shards(out):
    """Removes the shards that a finished or an unfinished run wrote, and nothing else."""
    names = [path.name.removesuffix(".json") for path in (out / PROGRESS / "shards").glob("*.json")]
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        by_split = manifest["shards"].values()
        names += [d["name"] for languages in by_split for ds in languages.values() for d in ds]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # No manifest of ours.
    (out / MANIFEST).unlink(missing_ok=True)  # First, so that nothing takes what is left for whole.
    for name in names:
        (out / name).unlink(missing_ok=True)
        (out / index_name(name)).unlink(missing_ok=True)


def _num_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _run(job, processes, progress):
    units = range(len(job.units))
    threads = max(1, processes // len(units))
    with _Pool(job, min(processes, len(units)), threads) as pool:
        done = dict(pool.run(_encode_unit, units, "tokenising", progress))
        parts = job.parts
        progress("duplicates", 0, 1)
        dropped = _mark_duplicates(parts, job.options.near_duplicates)
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
    encoder = DocumentEncoder(job.tokenizer, job.options.sentences, job.options.corpus_classes)
    _state_of_process.update(job=job, encoder=encoder)


def _encode_unit(unit):
    """Encodes a work unit into parts of bounded size; returns how many documents were cut."""
    job, encoder = _state_of_process["job"], _state_of_process["encoder"]
    directory = job.unit(unit)
    record = directory / "cut.json"
    if not record.exists():
        num_cut = 0
        with atomic_directory(directory) as temporary:
            part = _PartInProgress(temporary, first_number(unit), job.options)
            for documents, cut in encoded_batches(job.units[unit], encoder, job.options):
                part.add(documents)
                num_cut += cut
            part.write()
            (temporary / "cut.json").write_text(json.dumps(num_cut))
    return json.loads(record.read_text())


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


def _mark_duplicates(directories, threshold):
    """Writes `dropped.npy` into each part: bool (documents,). Returns how many and why."""
    parts = [Part(directory) for directory in directories]
    tables = [part.array("documents") for part in parts]
    hashes = [part.array("signatures") for part in parts]
    offsets = np.cumsum([0, *map(len, tables)])
    exact, near = np.zeros(offsets[-1], bool), np.zeros(offsets[-1], bool)
    ranges = -(-int(offsets[-1]) // _DOCUMENTS_AT_A_TIME)
    bands = near_duplicates.NUM_BANDS if threshold else 0

    def columns(band):
        for table, part_hashes in zip(tables, hashes, strict=True):
            if band is None:
                yield table["key"][:, 1].astype(np.uint64)
            else:
                yield near_duplicates.band_keys(part_hashes, band)

    for band in (None, *range(bands)):
        for number in range(ranges):
            keys, places = [], []
            for offset, column in zip(offsets, columns(band), strict=False):
                those = np.flatnonzero(column % np.uint64(ranges) == number)
                keys.append(column[those])
                places.append(those + offset)
            keys, places = np.concatenate(keys), np.concatenate(places)
            table = _gather(tables, offsets, places)

            def likeness(first, other, places=places):
                return near_duplicates.likeness(
                    _gather(hashes, offsets, places[first]), _gather(hashes, offsets, places[other])
                )

            same, alike = near_duplicates.duplicates(
                keys,
                table["key"],
                table["number"],
                likeness if band is not None else None,
                threshold,
            )
            exact[places[same]] = near[places[alike]] = True
    for directory, begin, end in zip(directories, offsets, offsets[1:], strict=False):
        with atomic_file(directory / "dropped.npy") as temporary:
            np.save(temporary, (exact | near)[begin:end])
    return {
        "exact_duplicates": int(exact.sum()),
        "near_duplicates": int((near & ~exact).sum()),
    }


def _gather(arrays, offsets, places):
    """Rows of several arrays as if they were one."""
    out = np.empty((len(places), *arrays[0].shape[1:]), arrays[0].dtype)
    number = np.searchsorted(offsets, places, side="right") - 1
    for i in np.unique(number):
        here = number == i
        out[here] = arrays[i][places[here] - offsets[i]]
    return out


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
    return json.loads(record.read_text(encoding="utf-8"))


def write_shard(out, name, documents):
    """Writes a shard and its index, unless it is empty; returns what the manifest says of it."""
    data, index, description = encode_shard(documents)
    if documents:
        for file, content in ((name, data), (index_name(name), index)):
            with atomic_file(out / file) as temporary:
                temporary.write_bytes(content)
    return {"name": name, **description}
