"""What each quantisation of a SavedModel costs and brings, on a fine-tuned classifier.

    python benchmarks/saved_model_quantization.py --preset sst2-model/ --data sst2/dev.tsv

Exports the preset in each scheme and prints a row for each: size on disk; memory that the model
takes once it is loaded, and the most that it takes while it answers requests of all the sizes;
accuracy on the table, how many texts get the label that the float32 model gives, the largest and
the mean change of a probability; and how long a request of token ids takes at each number of texts
and of tokens, in milliseconds of the processor, all cores together, which other programs do not
slow down: a median. Each model's memory is measured in a process of its own, which loads it as TF
Serving does, into a session. For the times the models take turns in one process.
"""

import argparse
import multiprocessing
import os
import pathlib
import tempfile
import time

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", required=True, help="a fine-tuned classifier")
    parser.add_argument("--data", required=True, help="table with the columns content and label")
    parser.add_argument("--schemes", nargs="+", help="by default all")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as directory:
        models = write_models(options, pathlib.Path(directory))
        print_table(options, models)


def write_models(options, directory):
    """Paths by the names of schemes."""
    from keras_roberta import export, open_task
    from keras_roberta.export.saved_model_quantization import SAVED_MODEL_SCHEMES

    task = open_task(options.preset)
    schemes = options.schemes or SAVED_MODEL_SCHEMES
    names = ["none", *(name for name in schemes if name != "none")]
    return {
        name: export.to_saved_model(task, directory / name, quantization=name) for name in names
    }


def print_table(options, models):
    from keras_roberta import export
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.reports.latency import latencies
    from keras_roberta.reports.size_on_disk import bytes_on_disk

    table = read_table(options.data)
    texts, labels = table.texts("content"), np.array(table.texts("label"), int)
    requests = {
        (count, tokens): request(count, tokens)
        for count in options.batch_sizes
        for tokens in options.tokens
    }
    memory = {name: memory_of(path, list(requests.values())) for name, path in models.items()}
    runners = {name: export.load(path) for name, path in models.items()}
    times = latencies(
        {
            (name, size): lambda runner=runner, inputs=inputs: runner.run("tokens", **inputs)
            for name, runner in runners.items()
            for size, inputs in requests.items()
        },
        options.repeats,
        clock=time.process_time,
    )
    print("| | MB on disk | in memory | while answering | accuracy | as float32", end="")
    print(" | largest change | mean change", end="")
    print("".join(f" | ms, {count} × {tokens}" for count, tokens in requests), "|")
    print("|---" * (8 + len(requests)) + "|")
    expected = None
    for name, runner in runners.items():
        found = runner.predict(texts)["probabilities"]
        expected = found if expected is None else expected
        change = np.abs(found - expected).max(axis=1)
        label = found.argmax(axis=1)
        loaded, most = memory[name]
        cells = [
            name,
            f"{bytes_on_disk(models[name]) / 1e6:.1f}",
            f"{loaded:.0f}",
            f"{most:.0f}",
            f"{np.mean(label == labels):.1%}",
            f"{np.mean(label == expected.argmax(axis=1)):.1%}",
            f"{change.max():.2g}",
            f"{change.mean():.2g}",
            *(f"{np.median(times[name, size]):.1f}" for size in requests),
        ]
        print("|", " | ".join(cells), "|", flush=True)


def request(count, tokens):
    """The inputs of rows without padding."""
    ids = np.random.default_rng(0).integers(5, 1000, (count, tokens)).astype("int32")
    return {"token_ids": ids, "padding_mask": np.ones_like(ids)}


def memory_of(path, requests):
    """Megabytes that a model takes once it is loaded, and at most while it answers."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(load_and_answer, (str(path), requests))


def load_and_answer(path, requests):
    """See `memory_of`; in a new process, since memory that was freed is not always given back."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:  # TensorFlow's own threads and buffers
        session.run(tf.matmul(tf.ones((32, 32)), tf.ones((32, 32))))
    before = own_megabytes("VmRSS")
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.loader.load(session, ["serve"], path)
        after = own_megabytes("VmRSS")
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
        signature = loaded.signature_def["tokens"]
        for inputs in requests:
            feed = {signature.inputs[name].name: value for name, value in inputs.items()}
            for _ in range(3):
                session.run(signature.outputs["probabilities"].name, feed)
        return after - before, own_megabytes("VmHWM") - before


def own_megabytes(field):
    """A field of Linux's account of this process, without the pages of files such as libraries."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    kilobytes = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return (int(kilobytes[field][0]) - int(kilobytes["RssFile"][0])) * 1024 / 1e6


if __name__ == "__main__":
    main()
