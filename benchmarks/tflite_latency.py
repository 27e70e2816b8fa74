"""Latency of our `.tflite` files beside those of `keras.Model.export` on a KerasHub model.

Both hold the same weights: those of a RoBERTa-base size model with random ones, or of a fine-tuned
preset of ours. With a preset our file has the tokenizer inside and takes text, without it takes
token ids. The peer is KerasHub's `RobertaTextClassifier` written by its own
`export(format="litert")` at the same fixed shape, (1, length) token ids and mask; its int8 form is
the same TF converter with the same dynamic range quantization, which `export` takes as
`optimizations`. All run in `ai-edge-litert`'s interpreter, in turns.

    python benchmarks/tflite_latency.py --quantization int8
    python benchmarks/tflite_latency.py --preset my-sst2-model --data sst2/dev.tsv
"""

import argparse
import csv
import json
import pathlib
import sys
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.export.tflite import xnnpack_partitions
from keras_roberta.reports.latency import latencies

sys.path.append(str(pathlib.Path(__file__).parent / "peers"))
from keras_hub_twin import keras_hub_twin  # noqa: E402


def main():
    options = parse_options()
    keras.utils.set_random_seed(0)
    if options.preset:
        task = kr.RobertaTextClassifier.from_preset(options.preset)
    else:
        config = kr.RobertaConfig.named(options.size)
        task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), num_classes=2)
    with tempfile.TemporaryDirectory() as directory:
        files = write_files(task, pathlib.Path(directory), options)
        for threads in options.threads:
            compare(files, options, threads)
        if options.data:
            print_accuracy(task, files, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="directory of a fine-tuned preset; random without")
    parser.add_argument("--size", default="base", help="a named RobertaConfig, without a preset")
    parser.add_argument("--data", help="TSV of label and text, to measure accuracy on")
    parser.add_argument("--quantization", nargs="+", default=["none", "int8"])
    parser.add_argument("--length", type=int, default=128, help="tokens")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=30)
    return parser.parse_args()


def write_files(task, directory, options):
    """Paths by (who, quantization)."""
    files = {}
    peer = keras_hub_twin(task)
    signature = [
        {
            name: tf.TensorSpec((1, options.length), tf.int32, name)
            for name in ("token_ids", "padding_mask")
        }
    ]

    def ours(path, quantization):
        inputs = "tokens" if task.preprocessor is None else "text"
        export.to_tflite(task, path, quantization, inputs, sequence_lengths=[options.length])

    def theirs(path, quantization):
        settings = {"optimizations": [tf.lite.Optimize.DEFAULT]} if quantization == "int8" else {}
        peer.export(
            str(path), format="litert", input_signature=signature, verbose=False, **settings
        )

    for quantization in options.quantization:
        for who, write in (("ours", ours), ("keras_hub", theirs)):
            path = directory / f"{who}_{quantization}.tflite"
            begin = time.perf_counter()
            write(path, quantization)
            print(f"{path.name} written in {time.perf_counter() - begin:.0f} s", flush=True)
            files[who, quantization] = path
    return files


def compare(files, options, threads):
    """Prints one line a quantization and number of threads."""
    calls = {key: one_call(path, options.length, threads) for key, path in files.items()}
    times = latencies(calls, options.repeats)
    for quantization in options.quantization:
        ours, peer = (np.median(times[who, quantization]) for who in ("ours", "keras_hub"))
        partitions = [xnnpack_partitions(files[who, quantization]) for who in ("ours", "keras_hub")]
        megabytes = [files[who, quantization].stat().st_size / 1e6 for who in ("ours", "keras_hub")]
        result = dict(
            quantization=quantization,
            length=options.length,
            threads=threads,
            ours_ms=round(ours, 1),
            keras_hub_ms=round(peer, 1),
            ratio=round(peer / ours, 2),
            partitions=partitions,
            megabytes=[round(size, 1) for size in megabytes],
        )
        print(json.dumps(result), flush=True)


def one_call(path, length, threads):
    """A function that runs the file on one full text."""
    interpreter = Interpreter(str(path), num_threads=threads)
    runner = interpreter.get_signature_runner()
    inputs = {
        name: np.ones(details["shape"], details["dtype"])
        for name, details in runner.get_input_details().items()
    }
    return lambda: runner(**inputs)


def print_accuracy(task, files, options):
    """Accuracy of Keras and of our files, and how often they agree with Keras."""
    with open(options.data, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [row.get("content") or row["sentence"] for row in rows]
    labels = np.array([int(row["label"]) for row in rows])
    keras_says = task.predict(texts, verbose=0).argmax(axis=-1)
    print(json.dumps({"accuracy": "keras", "share": round((keras_says == labels).mean(), 4)}))
    for quantization in options.quantization:
        runner = export.load(files["ours", quantization], task.preprocessor.tokenizer)
        said = runner.predict(texts)["label"]
        result = {
            "accuracy": quantization,
            "share": round((said == labels).mean(), 4),
            "agreement": round((said == keras_says).mean(), 4),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
