"""What each quantisation of a `.tflite` costs and brings, on a fine-tuned classifier.

    python benchmarks/quantization.py --preset sst2-model/ --data sst2/dev.tsv

Exports the preset in each scheme, with the tokenizer in the file, and prints a row for each: size,
that size as a share of the int8 file's, accuracy on the table, how many texts get the label that
the float32 file gives, the largest and the mean change of a probability, and the median
milliseconds of the encoder at each length. The files take turns, on one thread.
"""

import argparse
import os
import pathlib
import tempfile

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", required=True, help="a fine-tuned classifier")
    parser.add_argument("--data", required=True, help="table with the columns content and label")
    parser.add_argument("--schemes", nargs="+", help="by default all that need no calibration")
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
    from keras_roberta.export.quantization import SCHEMES

    task = open_task(options.preset)
    plain = [name for name, scheme in SCHEMES.items() if not scheme.needs_calibration]
    names = ["none", *(name for name in options.schemes or plain if name != "none")]
    return {
        name: export.to_tflite(
            task, directory / f"{name}.tflite", name, sequence_lengths=options.lengths
        )
        for name in names
    }


def print_table(options, files):
    from keras_roberta import export
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.reports.latency import latencies

    table = read_table(options.data)
    texts, labels = table.texts("content"), np.array(table.texts("label"), int)
    runners = {name: export.load(path, threads=1) for name, path in files.items()}
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
