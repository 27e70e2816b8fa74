"""What each quantisation of a `.tflite` costs and brings, on a fine-tuned classifier.

    python benchmarks/quantization.py --preset sst2-model/ --data sst2/dev.tsv \\
        --calibration sst2/train.tsv

Exports the preset in each scheme, with the tokenizer in the file unless told otherwise, and prints
a row for each: size, that size as a share of the int8 file's, accuracy on the table, how many texts
get the label that the float32 file gives, the largest and the mean change of a probability, and the
median milliseconds of the encoder at each length. The files take turns, on one thread.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", required=True, help="a fine-tuned classifier")
    parser.add_argument("--data", required=True, help="table with the columns content and label")
    parser.add_argument("--calibration", help="table with the column content or sentence")
    parser.add_argument("--texts", type=int, default=256, help="how many of them")
    parser.add_argument("--schemes", nargs="+", help="by default all, or all without calibration")
    parser.add_argument("--inputs", choices=("text", "tokens"), default="text")
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as directory:
        files = write_files(options, pathlib.Path(directory))
        print_table(options, files)


def write_files(options, directory):
    """Paths by the names of schemes."""
    from keras_roberta import export, open_task
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.export.quantization import SCHEMES

    task = open_task(options.preset)
    texts = None
    if options.calibration is not None:
        table = read_table(options.calibration)
        texts = table.texts("content" if "content" in table.columns else "sentence")
        texts = texts[:: -(-len(texts) // options.texts)]
    able = [name for name, scheme in SCHEMES.items() if texts or not scheme.needs_calibration]
    names = ["none", *(name for name in options.schemes or able if name != "none")]
    files = {}
    for name in names:
        begin = time.perf_counter()
        try:
            files[name] = export.to_tflite(
                task,
                directory / f"{name}.tflite",
                name,
                options.inputs,
                sequence_lengths=options.lengths,
                calibration=texts if SCHEMES[name].needs_calibration else None,
            )
        except export.ExportMismatch as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(f"{name}: written in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return files


def print_table(options, files):
    from keras_roberta import export
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.reports.latency import latencies
    from keras_roberta.tokenizers.open import open_tokenizer

    table = read_table(options.data)
    texts, labels = table.texts("content"), np.array(table.texts("label"), int)
    tokenizer = open_tokenizer(options.preset) if options.inputs == "tokens" else None
    runners = {name: export.load(path, tokenizer, threads=1) for name, path in files.items()}
    times = latencies(
        {
            (name, length): one_call(runner, length)
            for name, runner in runners.items()
            for length in options.lengths
        },
        options.repeats,
    )
    sizes = {name: path.stat().st_size / 1e6 for name, path in files.items()}
    print("| | MB | of int8 | accuracy | as float32 | largest change | mean change", end="")
    print("".join(f" | ms, {length}" for length in options.lengths), "|")
    print("|---" * (7 + len(options.lengths)) + "|")
    expected = None
    for name, runner in runners.items():
        found = runner.predict(texts)["probabilities"]
        expected = found if expected is None else expected
        change = np.abs(found - expected).max(axis=1)
        label = found.argmax(axis=1)
        cells = [
            name,
            f"{sizes[name]:.1f}",
            f"{sizes[name] / sizes['int8']:.0%}" if "int8" in sizes else "–",
            f"{np.mean(label == labels):.1%}",
            f"{np.mean(label == expected.argmax(axis=1)):.1%}",
            f"{change.max():.2g}",
            f"{change.mean():.2g}",
            *(f"{np.median(times[name, length]):.1f}" for length in options.lengths),
        ]
        print("|", " | ".join(cells), "|", flush=True)


def one_call(runner, length):
    """A function that runs the encoder on a row without padding."""
    ids = np.random.default_rng(0).integers(5, 1000, (1, length)).astype("int32")
    features = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    return lambda: runner.run(f"tokens_{length}", **features)


if __name__ == "__main__":
    main()
