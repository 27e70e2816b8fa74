"""Exported files side by side: size, latency, agreement with the Keras model, accuracy."""

import dataclasses
import json
import pathlib
import time

import keras
import numpy as np

from keras_roberta.atomic_write import atomic_file
from keras_roberta.errors import InputError
from keras_roberta.export.runtime import load

WARM_UP = 3  # calls before the clock counts: the first ones allocate


@dataclasses.dataclass
class Row:
    """One exported file at one length and number of threads.

    Attributes:
        file: name of the file.
        quantization: "none", "float16" or "int8".
        megabytes: size on disk, 1 MB = 1,000,000 bytes.
        sequence_length: tokens of the text that is timed.
        threads: of a `.tflite`; None for TensorFlow's own.
        median_ms, p95_ms: of one text. Its tokenization is included where a `.tflite` does it.
        agreement: with the reference, see `report`; None without one.
        accuracy: against the labels, see `report`; None without any.
    """

    file: str
    quantization: str
    megabytes: float
    sequence_length: int
    threads: int | None
    median_ms: float
    p95_ms: float
    agreement: float | None = None
    accuracy: float | None = None


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
        texts: strings to classify; None measures size and latency alone.
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
        list of `Row`. `agreement` is the share of texts with the reference's label, `accuracy` the
        share with the right one; both are Pearson's correlation in a regression.

    Raises:
        InputError: a file is not an export, or texts lack a tokenizer or labels.
    """
    if not files:
        raise InputError("files: give at least one exported file")
    if labels is not None and (texts is None or len(labels) != len(texts)):
        raise InputError(f"labels: {len(labels)} of them for {len(texts or [])} texts")
    tokenizer = getattr(preprocessor or getattr(reference, "preprocessor", None), "tokenizer", None)
    rows = []
    for length in sequence_lengths:
        rows += _timed_rows(files, tokenizer, length, threads, repeats)
    if texts is not None:
        expected = None if reference is None else _answers(reference.predict(texts, verbose=0))
        for file in files:
            runner = load(file, tokenizer)
            answers = _answers(runner.predict(texts)["logits"])
            truth = None if labels is None else _numbers(labels, runner.labels)
            for row in rows:
                if row.file == str(file):
                    row.agreement = _likeness(answers, expected)
                    row.accuracy = _likeness(answers, truth)
    if data is not None:
        with atomic_file(data) as temporary:
            temporary.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    if picture is not None:
        draw(rows, picture)
    if show:
        print_table(rows)
    return rows


def latencies(calls, repeats):
    """Times of functions that take turns.

    Args:
        calls: dict of names to functions without arguments.
        repeats: timed calls of each.

    Returns:
        dict of names to float arrays (repeats), in milliseconds.
    """
    times = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    for turn in range(repeats):
        for name in list(calls)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            calls[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(values) for name, values in times.items()}


def print_table(rows):
    """The rows as a table on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Short heads, so that names and numbers fit a terminal of 80 columns.
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("file", no_wrap=True)
    table.add_column("weights", no_wrap=True)
    for name in ("MB", "tokens", "thr.", "ms", "p95", "agree", "accur."):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shares = ["" if x is None else f"{x:.1%}" for x in (row.agreement, row.accuracy)]
        numbers = (f"{row.megabytes:.1f}", row.sequence_length, row.threads or "TF")
        table.add_row(
            _short(row.file), row.quantization, *map(str, numbers), f"{row.median_ms:.1f}",
            f"{row.p95_ms:.1f}", *shares,
        )  # fmt: skip
    Console().print(table)


def draw(rows, path):
    """Writes a PNG of horizontal bars: size, latency and, where measured, the two shares."""
    # Not pyplot, which keeps every figure and may want a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [
        ("Size on disk", "MB", [row.megabytes for row in rows], "{:.1f}"),
        ("Latency of one text (bar: median, line: to p95)", "ms", None, "{:.1f}"),
        ("Agreement with Keras", "%", [row.agreement for row in rows], "{:.1f}"),
        ("Accuracy", "%", [row.accuracy for row in rows], "{:.1f}"),
    ]
    panels = [p for p in panels if p[2] is None or all(value is not None for value in p[2])]
    names = [
        f"{_short(row.file)}\n{row.sequence_length} tokens, "
        f"{f'{row.threads} thread(s)' if row.threads else 'TensorFlow'}"
        for row in rows
    ]
    figure = Figure((4.2 * len(panels) + 1.5, 1.4 + 0.55 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axis, (title, unit, values, form) in zip(axes, panels, strict=True):
        spread = None
        if values is None:
            values = [row.median_ms for row in rows]
            spread = [np.zeros(len(rows)), [row.p95_ms - row.median_ms for row in rows]]
        elif unit == "%":
            values = [100 * value for value in values]
        axis.barh(range(len(rows)), values, xerr=spread, color="#a6c8e8", ecolor="#4477aa")
        for i, value in enumerate(values):
            axis.annotate(
                form.format(value), (0, i), (4, 0), textcoords="offset points", va="center"
            )
        axis.set(title=title, xlabel=unit)
        axis.title.set_fontsize(10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(rows)), names)
    axes[0].invert_yaxis()
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def _timed_rows(files, tokenizer, length, threads, repeats):
    rows, calls = [], {}
    for file in files:
        directory = pathlib.Path(file).is_dir()
        for count in [None] if directory else threads:
            runner = load(file, tokenizer, count)
            used = min(length, runner.max_length)
            call = _one_text(runner, used)
            calls[len(rows)] = call
            row = Row(
                str(file), runner.metadata["quantization"], _megabytes(file), used, count, 0, 0
            )
            rows.append(row)
    for i, times in latencies(calls, repeats).items():
        rows[i].median_ms = float(np.median(times))
        rows[i].p95_ms = float(np.quantile(times, 0.95))
    return rows


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


def _short(path):
    """A file's name; of a SavedModel its directory's too, since its own is a version number."""
    path = pathlib.Path(path)
    return "/".join(path.parts[-2:]) if path.is_dir() else path.name


def _megabytes(path):
    path = pathlib.Path(path)
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / 1e6


def _answers(logits):
    """Class numbers (rows), or the values of a regression."""
    logits = keras.ops.convert_to_numpy(logits)
    return logits[:, 0] if logits.shape[-1] == 1 else logits.argmax(axis=-1)


def _numbers(labels, names):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "USO":
        return labels
    unknown = next((label for label in labels if label not in names), None)
    if unknown is not None:
        raise InputError(f"label {str(unknown)!r} is none of {', '.join(names)}")
    return np.array([names.index(label) for label in labels])


def _likeness(answers, expected):
    if expected is None:
        return None
    if answers.dtype.kind == "f":
        return float(np.corrcoef(answers, expected)[0, 1])
    return float(np.mean(answers == expected))
