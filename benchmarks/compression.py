"""Pruning, clustering and quantisation-aware training of a fine-tuned classifier on real data.

    python benchmarks/compression.py --preset sst2-model/ --train sst2/train.tsv --dev sst2/dev.tsv

For each way the preset is trained on with a part of the training sentences and exported. A row
has the file's accuracy on the dev sentences, its size as it is and packed by deflate, zeros and
distinct values of its matrices of products, and the median milliseconds of the encoder at 64
tokens on one thread, in turn with the first file. "trained on" is the same training without
compression. Fixed ranges of activations are those of the training sentences, or where it says so
learned in training. The last rows begin each with the result of the one before. Given a preset of
`compress trim`, they show what all of it together makes.
"""

import argparse
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.export.compression import (
    MagnitudePruning,
    QuantizationAwareTraining,
    WeightClustering,
    measure_weights,
)
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.reports.latency import latencies
from keras_roberta.training.optimizer import finetuning_optimizer

LENGTH = 64
# Name, scheme of the file, what `fit` gets; whether it begins with the result of the one before.
WAYS = (
    ("as it is", "int8", None, False),
    ("as it is", "int8-static", None, False),
    ("as it is", "int4", None, False),
    ("trained on", "int8", [], False),
    ("trained on", "int8-static", [], True),
    ("trained on", "int4", [], True),
    ("pruned to 50%", "int8", [lambda: MagnitudePruning(0.5)], False),
    ("pruned to 70%", "int8", [lambda: MagnitudePruning(0.7)], False),
    ("pruned 2:4", "int8", [lambda: MagnitudePruning(structure="2:4")], False),
    ("16 clusters", "int8", [lambda: WeightClustering(16)], False),
    ("QAT", "int8", [lambda: QuantizationAwareTraining("int8")], False),
    ("QAT for int8", "int8-static", [], True),
    (
        "QAT, ranges learned",
        "int8-static",
        [lambda: QuantizationAwareTraining("int8-static")],
        False,
    ),
    ("QAT", "int4", [lambda: QuantizationAwareTraining("int4")], False),
    ("50%, embeddings too", "int8", [lambda: MagnitudePruning(0.5, embeddings=True)], False),
    ("… and 16 clusters", "int8", [lambda: WeightClustering(16, embeddings=True)], True),
    ("… and QAT", "int8", [lambda: QuantizationAwareTraining("int8")], True),
    ("… and QAT", "int4", [lambda: QuantizationAwareTraining("int4")], True),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", required=True, help="a fine-tuned classifier")
    parser.add_argument("--train", required=True, help="table of sentences and labels, 0 or 1")
    parser.add_argument("--dev", required=True, help="such a table to measure on")
    parser.add_argument("--sentences", type=int, default=512, help="of --train, the first")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    texts, labels = read(options.train, options.sentences)
    print("| | file | accuracy | MB | zipped | zeros | values | ms | times the first |")
    print("|---" * 9 + "|", flush=True)
    measured = read(options.dev)
    with tempfile.TemporaryDirectory() as directory:
        first, task = None, None
        for number, (name, scheme, callbacks, goes_on) in enumerate(WAYS):
            if not goes_on:
                task = kr.open_task(options.preset)
            if callbacks is not None and (callbacks or not goes_on):
                task.compile(finetuning_optimizer(options.learning_rate))
                made = [make() for make in callbacks]
                task.fit(
                    texts, labels, batch_size=16, epochs=options.epochs, verbose=0, callbacks=made
                )
            path = pathlib.Path(directory) / f"{number}.tflite"
            needs_texts = SCHEMES[scheme].needs_calibration and not has_ranges(task, scheme)
            try:
                export.to_tflite(
                    task,
                    path,
                    scheme,
                    "tokens",
                    sequence_lengths=[LENGTH],
                    calibration=texts if needs_texts else None,
                )
            except export.ExportMismatch as error:
                print(f"| {name} | {scheme} | {error} |", flush=True)
                continue
            runner = export.load(path, tokenizer=task.preprocessor.tokenizer, threads=1)
            first = first or runner
            cells = cells_of(runner, first, measured, options.repeats)
            print("|", " | ".join([name, scheme, *cells]), "|", flush=True)


def has_ranges(task, scheme):
    """Whether training has left ranges of activations for a scheme."""
    ranges = task.backbone.activation_ranges
    return ranges is not None and ranges.quantization == scheme


def read(path, number=None):
    """Sentences and labels of a table, or so many of its rows, evenly spread."""
    table = read_table(path)
    labels = np.array(table.texts("label"), int)
    rows = np.linspace(0, len(labels) - 1, number or len(labels)).astype(int)
    (column,) = {"content", "sentence"} & set(table.columns)
    texts = table.texts(column)
    return [texts[row] for row in rows], labels[rows]


def cells_of(runner, first, measured, repeats):
    texts, labels = measured
    found = runner.predict(texts)["probabilities"].argmax(axis=1)
    weights = measure_weights(runner.path)
    times = latencies({"this": one_call(runner), "first": one_call(first)}, repeats)
    medians = {name: np.median(of_one) for name, of_one in times.items()}
    return [
        f"{np.mean(found == labels):.1%}",
        f"{weights.megabytes:.1f}",
        f"{weights.megabytes_zipped:.1f}",
        f"{weights.zeros:.0%}",
        f"{weights.distinct_values:,}",
        f"{medians['this']:.1f}",
        f"{medians['this'] / medians['first']:.2f}",
    ]


def one_call(runner):
    """A function that runs the encoder on a row without padding."""
    ids = np.random.default_rng(0).integers(5, 1000, (1, LENGTH)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    return lambda: runner.run(f"tokens_{LENGTH}", **features)


if __name__ == "__main__":
    main()
