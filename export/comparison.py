"""Models side by side: how good, how like the Keras model, how large, how fast."""

import dataclasses
import itertools
import json
import pathlib
import time

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.export.runtime import load
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.scores import scores

WARM_UP = 3  # calls before the clock counts: the first ones allocate
LATENCY_TEXTS = 64


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a comparison; None is what was not measured, or does not apply.

    Attributes:
        name: of the model.
        accuracy: share of the texts labelled right; of a regression Pearson's correlation.
        macro_f1: mean over the classes.
        agreement: with the reference, measured as `accuracy` is.
        megabytes: size on disk, 1 MB = 1,000,000 bytes.
        median_ms, p95_ms: of one text.
        quantization: "none", "float16" or "int8".
        sequence_length: tokens of the text that is timed.
        threads: of a `.tflite`; None for TensorFlow's own.
    """

    name: str
    accuracy: float | None = None
    macro_f1: float | None = None
    agreement: float | None = None
    megabytes: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    quantization: str | None = None
    sequence_length: int | None = None
    threads: int | None = None


def report(
    files,
    texts=None,
    labels=None,
    preprocessor=None,
    reference=None,
    sequence_lengths=(128,),
    threads=(1,),
    repeats=30,
    picture=None,
    data=None,
    show=True,
):
    """Compares exported files, each with each and with the Keras model they came from.

    Args:
        files: paths of `.tflite` files and SavedModel directories.
        texts: strings to classify, or a pair of lists; None measures size and latency alone.
        labels: their class numbers, or names from the files' labels; numbers in a regression.
        preprocessor: the `RobertaPreprocessor` of the texts; the reference's by default.
        reference: the Keras task.
        sequence_lengths: lengths to time at, in tokens; those beyond a file's longest are left out.
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
        InputError: a file is not an export, or texts lack a tokenizer or labels.
    """
    if not files:
        raise InputError("files: give at least one exported file")
    num_texts = 0 if texts is None else len(texts_and_pairs(texts)[0])
    if labels is not None and len(labels) != num_texts:
        raise InputError(f"labels: {len(labels)} of them for {num_texts} texts")
    tokenizer = getattr(preprocessor or getattr(reference, "preprocessor", None), "tokenizer", None)
    measured = {file: {} for file in files}
    if texts is not None:
        expected = None if reference is None else reference.predict(texts, verbose=0)
        for file in files:
            runner = load(file, tokenizer)
            truth = None if labels is None else _numbers(labels, runner.labels)
            measured[file] = quality(runner.predict(texts)["logits"], truth, expected)
    rows = []
    for length in sequence_lengths:
        timed = _timed(files, tokenizer, length, threads, repeats)
        rows += [Row(**measured[file], **fields) for file, fields in timed]
    if data is not None:
        with atomic_file(data) as temporary:
            temporary.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    if picture is not None:
        from keras_roberta.export.picture import draw  # Matplotlib is slow to import

        draw(picture, rows)
    if show:
        Console().print(as_table(rows))
    return rows


def quality(logits, targets=None, reference=None):
    """`accuracy` and `macro_f1` of a `Row` where there are targets, `agreement` with a reference.

    Args:
        logits: (rows, classes); one class is a regression.
        targets: class numbers, or floats, or None.
        reference: the reference's logits, or None.
    """
    found = {}
    if targets is not None:
        measures = scores(logits, targets)
        found["accuracy"] = measures.get("accuracy", measures.get("pearson"))
        found["macro_f1"] = measures.get("macro_f1")
    if reference is not None:
        reference = keras.ops.convert_to_numpy(reference)
        regression = reference.shape[-1] == 1
        answers = reference[:, 0] if regression else reference.argmax(axis=-1)
        found["agreement"] = scores(logits, answers)["pearson" if regression else "accuracy"]
    return found


def latencies(calls, repeats, warm_up=WARM_UP):
    """Times of functions that take turns.

    Args:
        calls: dict of names to functions without arguments.
        repeats: timed calls of each.
        warm_up: calls of each before them.

    Returns:
        dict of names to float arrays (repeats), in milliseconds.
    """
    times = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warm_up):
            call()
    for turn in range(repeats):
        for name in list(calls)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            calls[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(values) for name, values in times.items()}


def median_latencies(models, texts):
    """Median milliseconds of one text, over texts that each model has seen once before.

    Args:
        models: functions of a list of one text, or of a pair of such lists.
        texts: a list, or a pair of lists; the first 64 are used.

    Returns:
        list of floats, one a model.
    """
    if isinstance(texts, tuple):
        singles = [([first], [second]) for first, second in zip(*texts, strict=True)]
    else:
        singles = [[text] for text in texts]
    singles = singles[:LATENCY_TEXTS]

    def over_texts(model):
        turns = itertools.cycle(singles)
        return lambda: model(next(turns))

    calls = {i: over_texts(model) for i, model in enumerate(models)}
    times = latencies(calls, repeats=len(singles), warm_up=len(singles))
    return [float(np.median(values)) for values in times.values()]


def as_table(rows, title=None):
    """A rich table of the rows, with a column for each thing that was measured."""
    columns = {
        "weights": ("quantization", ""),
        "accuracy": ("accuracy", ".3f"),
        "macro F1": ("macro_f1", ".3f"),
        "agreement": ("agreement", ".3f"),
        "MB": ("megabytes", ".2f"),
        "tokens": ("sequence_length", ""),
        "thr.": ("threads", ""),
        "ms": ("median_ms", ".2f"),
    }
    # Short heads, so that names and numbers fit a terminal of 80 columns.
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    cells = [[Text(row.name)] for row in rows]
    for heading, (field, form) in columns.items():
        values = [getattr(row, field) for row in rows]
        if any(value is not None for value in values):
            table.add_column(heading, justify="right", no_wrap=True)
            for row, value in zip(cells, values, strict=True):
                row.append("–" if value is None else format(value, form))
    for row in cells:
        table.add_row(*row)
    return table


def bytes_on_disk(path):
    """Bytes of a file, or of all files below a directory; 0 where there is none."""
    path = pathlib.Path(path)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files)


def short_name(path):
    """A file's or directory's name; of a version directory as "model/1"."""
    path = pathlib.Path(path)
    return "/".join(path.parts[-2:]) if path.name.isdigit() else path.name


def _timed(files, tokenizer, length, threads, repeats):
    """Pairs of a file and the fields of its `Row` that have nothing to do with texts."""
    timed, calls = [], {}
    for file in files:
        for count in [None] if pathlib.Path(file).is_dir() else threads:
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
        timed[i][1]["median_ms"] = float(np.median(times))
        timed[i][1]["p95_ms"] = float(np.quantile(times, 0.95))
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


def _numbers(labels, names):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "USO":
        return labels
    unknown = next((label for label in labels if label not in names), None)
    if unknown is not None:
        raise InputError(f"label {str(unknown)!r} is none of {', '.join(names)}")
    return np.array([names.index(label) for label in labels])
