"""Exported files, each compared with each and with the Keras model that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.export.runtime import load
from keras_roberta.reports.contents import Report, Row
from keras_roberta.reports.latency import latencies, summary
from keras_roberta.reports.quality import quality
from keras_roberta.reports.side_by_side import check_same_kind
from keras_roberta.reports.size_on_disk import bytes_on_disk, short_name
from keras_roberta.reports.table import as_table
from keras_roberta.reports.write import write_json
from keras_roberta.unknown_arguments import named_arguments


@named_arguments
def report(
    files: Sequence[str | Path],
    texts=None,
    labels=None,
    preprocessor=None,
    reference=None,
    sequence_lengths: Sequence[int] = (128,),
    threads: Sequence[int] = (1,),
    repeats: int = 30,
    picture: str | Path | None = None,
    data: str | Path | None = None,
    show: bool = True,
) -> list[Row]:
    """Compares exported files, each with each and with the Keras model they came from.

    Args:
        files: paths of `.tflite` files and SavedModel directories.
        texts: strings to answer, or a pair of lists; None measures size and latency alone.
        labels: the right answers, as the task learns them: class numbers or names, numbers of a
            regression.
        preprocessor: the `RobertaPreprocessor` of the texts; the reference's by default.
        reference: the Keras task.
        sequence_lengths: lengths to time at, in tokens; a file's longest takes the place of those
            beyond it.
        threads: numbers of threads to time `.tflite` files with.
        repeats: timed calls. The files take turns, forwards and backwards, so that a slow moment
            of the machine hits all of them.
        picture: path of a PNG to write.
        data: path of a JSON file to write, the rows as they are returned.
        show: print the table.

    Returns:
        list of `Row`, one for each file, length and number of threads. Its latency is that of one
        text as long as that, tokenization included where the file does it.

    Raises:
        InputError: a file is not an export, texts lack a tokenizer or labels, or the files answer
            different questions.
    """
    if not files:
        raise InputError("files: give at least one exported file")
    num_texts = 0 if texts is None else len(texts_and_pairs(texts)[0])
    if labels is not None and len(labels) != num_texts:
        raise InputError(f"labels: {len(labels)} of them for {num_texts} texts")
    tokenizer = getattr(preprocessor or getattr(reference, "preprocessor", None), "tokenizer", None)
    judged = {file: {} for file in files}
    if texts is not None:
        judged = _judged(files, texts, labels, tokenizer, reference)
    rows = []
    for length in sequence_lengths:
        timed = _timed(files, tokenizer, length, threads, repeats)
        rows += [Row(**judged[file], **fields) for file, fields in timed]
    found = Report(rows=rows)
    if data is not None:
        write_json(data, found.to_dict()["models"])
    if picture is not None:
        from keras_roberta.reports.picture import draw  # Matplotlib is slow to import

        draw(picture, found)
    if show:
        Console().print(as_table(rows))
    return rows


def _judged(files, texts, labels, tokenizer, reference):
    """Fields of a `Row` by file: how good its answers are."""
    runners = {file: load(file, tokenizer) for file in files}
    schemas = {str(file): runner.schema for file, runner in runners.items()}
    expected = None
    if reference is not None:
        schemas = {"the reference": reference.schema, **schemas}
        expected = reference.named_outputs(texts)
    check_same_kind(schemas)
    judged = {}
    for file, runner in runners.items():
        schema = schemas[str(file)]
        targets = None if labels is None else schema.targets(labels)
        judged[file] = quality(schema, runner.predict(texts), targets, expected)
    return judged


def _timed(files, tokenizer, length, threads, repeats):
    """Pairs of a file and the fields of its `Row` that have nothing to do with texts."""
    timed, calls = [], {}
    for file in files:
        for count in [None] if Path(file).is_dir() else threads:
            runner = load(file, tokenizer, count)
            used = min(length, runner.max_length)
            calls[len(timed)] = _one_text(runner, used)
            fields = {
                "name": short_name(file),
                "megabytes": bytes_on_disk(file) / 1e6,
                "quantization": runner.metadata["quantization"],
                "sequence_length": used,
                "threads": count,
            }
            timed.append((file, fields))
    for i, times in latencies(calls, repeats).items():
        timed[i][1].update(summary(times))
    return timed


def _one_text(runner, length):
    """A function that runs one row of `length` tokens, as the file takes them."""
    if not runner.takes_token_ids:
        # " a" is one token of nearly every vocabulary; the signature's length decides in any case.
        count = max(length // (1 + runner.metadata["pairs"]) - 2, 1)
        sides = [[" a" * count]] * (1 + runner.metadata["pairs"])
        return lambda: runner.run_texts(*sides)
    token_ids = np.full((1, length), runner.metadata["end_token_id"], "int32")
    token_ids[0, 0] = runner.metadata["start_token_id"]
    return lambda: runner.predict({"token_ids": token_ids})
