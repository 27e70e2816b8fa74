"""Where should `fit` tokenise: on the host, or in the graph?

    python benchmarks/fit_tokenization.py --data DIR

DIR holds `sst2/train.tsv` and `roberta-base-tokenizer/`. One epoch over sentences of SST-2, by two
models with random weights and RoBERTa's vocabulary, from strings to trained:

    host             `task.fit(texts, labels)`, the default: tokenised once, rows of like length
                     share a batch
    host, ungrouped  the same with `group_by_length=False`
    graph            `task.fit(dataset)`, with a `BatchedTokenizer` mapped over the batches of a
                     `tf.data.Dataset`, ungrouped

All see the same ids, which is checked. They take turns, after an epoch that is not timed; medians
are printed, and the time of tokenising alone: on the host of all texts at once (its library keeps
the words of the turns before), in the graph of the pipeline without training. It takes eight
minutes on two cores.
"""

import argparse
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.data.autotuning import without_autotuning
from keras_roberta.training import keep_freed_memory

ROOT = pathlib.Path(__file__).resolve().parents[1]
LENGTH, BATCH = 128, 32
# A model as small as one is trained, and one of 30 M parameters, each with its sentences.
MODELS = {
    "tiny": (kr.RobertaConfig.named("tiny"), 6400),
    "6 layers of 384": (
        kr.RobertaConfig(num_layers=6, num_heads=12, hidden_dim=384, intermediate_dim=1536),
        800,
    ),
}


def main():
    keep_freed_memory()  # as `keras-roberta finetune` does
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    tokenizer = kr.RobertaTokenizer.from_preset(options.data / "roberta-base-tokenizer")
    in_graph = tokenizer.batched_in_graph()
    for name in options.models:
        config, count = MODELS[name]
        texts, labels = sentences(options.data, count)
        check_ids(tokenizer, in_graph, texts)
        measure(name, config, tokenizer, in_graph, texts, labels, options.turns)


def sentences(directory, count):
    """A seeded draw: list of str, int32 array."""
    lines = (directory / "sst2" / "train.tsv").read_text("utf-8").splitlines()[1:]
    drawn = np.random.default_rng(0).permutation(len(lines))[:count]
    labels, texts = zip(*(lines[i].split("\t") for i in drawn), strict=True)
    return list(texts), np.array(labels, "int32")


def check_ids(tokenizer, in_graph, texts):
    found = in_graph(texts, max_length=LENGTH)
    rows = tf.RaggedTensor.from_tensor(
        found["token_ids"], tf.reduce_sum(found["padding_mask"], axis=1)
    )
    assert rows.to_list() == tokenizer(texts, max_length=LENGTH), "the ids differ"


def graph_batches(in_graph, texts, labels):
    """Batches of features and labels, tokenised as they flow."""
    dataset = tf.data.Dataset.from_tensor_slices((texts, labels))
    return without_autotuning(
        dataset.shuffle(len(texts), seed=0)
        .batch(BATCH)
        .map(
            lambda texts, labels: (in_graph(texts, max_length=LENGTH), labels),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(4)
    )


def measure(name, config, tokenizer, in_graph, texts, labels, turns):
    keras.utils.set_random_seed(0)
    task = kr.RobertaTextClassifier(
        kr.RobertaBackbone(config),
        num_classes=2,
        preprocessor=kr.RobertaPreprocessor(tokenizer, LENGTH),
    )
    batches = graph_batches(in_graph, texts, labels)

    def fit(*data, **options):
        task.fit(*data, batch_size=BATCH, verbose=0, **options)

    ways = {
        "host": lambda: fit(texts, labels),
        "host, ungrouped": lambda: fit(texts, labels, group_by_length=False),
        "graph": lambda: task.fit(batches, verbose=0),
    }
    alone = {
        "host": lambda: task.preprocessor.tokenize(texts),
        "graph": lambda: batches.reduce(0, lambda count, _: count + 1),
    }
    seconds, seconds_alone = timed(ways, turns), timed(alone, turns)
    print(f"\n{name}, {len(texts)} sentences of SST-2, {len(texts) // BATCH} steps")
    print(f"{'':18}{'epoch, s':>10}{'/ host':>8}{'tokenising alone, s':>22}{'share':>8}")
    for way, value in seconds.items():
        print(f"{way:18}{value:10.2f}{value / seconds['host']:8.2f}", end="")
        if way in seconds_alone:
            share = seconds_alone[way] / value
            print(f"{seconds_alone[way]:22.3f}{share:8.1%}", end="")
        print(flush=True)


def timed(functions, turns):
    """Median seconds of each function, which take turns, the first of them not counted."""
    seconds = {name: [] for name in functions}
    for turn in range(turns + 1):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
