"""The in-graph tokenizers beside the Rust library and KerasHub, on real text, in one run.

    python benchmarks/tokenization.py --data DIR

DIR holds `roberta-base-tokenizer/` (vocab.json, merges.txt, tokenizer.json) and `sst2/train.tsv`.
The contestants take turns, so that what else the machine does hits them alike; medians are printed.
Every turn has sentences of its own: the library and KerasHub keep the words that they have seen.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parents[1]
NUM_BYTES, LENGTH = 512, 128  # of the static tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--sentences", type=int, default=6000)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 1024], help="smaller ones")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--longest", type=int, default=10**6, help="bytes of the longest word")
    options = parser.parse_args()

    directory = options.data / "roberta-base-tokenizer"
    vocabulary = json.loads((directory / "vocab.json").read_text("utf-8"))
    lines = (directory / "merges.txt").read_text("utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    sst2 = (options.data / "sst2" / "train.tsv").read_text("utf-8").splitlines()[1:]
    texts = [line.split("\t")[-1] for line in sst2]

    measure_table(vocabulary, merges)
    from tokenizers import Tokenizer

    from keras_roberta.tokenizers.in_graph import BatchedTokenizer

    host = Tokenizer.from_file(str(directory / "tokenizer.json"))
    graph = BatchedTokenizer(vocabulary, merges)
    print(f"TFLite: {NUM_BYTES} bytes in, {LENGTH} tokens out")
    for size in sorted({*options.batches, options.sentences}):
        turns = [texts[size * turn :][:size] for turn in range(1 + options.turns)]
        compare(turns, vocabulary, merges, host, graph)
    measure_long_words(graph, host, merges, options.longest)


def measure_table(vocabulary, merges):
    from keras_roberta.tokenizers.in_graph.merge_table import MergeTable

    MergeTable({"a": 0, "aa": 1}, [("a", "a")])  # starts TensorFlow
    begin = time.perf_counter()
    table = MergeTable(vocabulary, merges)
    seconds = time.perf_counter() - begin
    print(f"merge table: {len(merges)} merges, {seconds:.2f} s, {table.nbytes / 1e6:.2f} MB")


def compare(turns, vocabulary, merges, host, graph):
    """Sentences and megabytes a second of everyone, a batch a turn."""
    import keras_hub
    import tensorflow as tf

    hub = keras_hub.models.RobertaTokenizer(
        vocabulary=vocabulary, merges=[" ".join(pair) for pair in merges]
    )
    hub_graph = tf.function(lambda texts: hub(texts), [tf.TensorSpec([None], tf.string)])
    run_tflite = static_tokenizer(vocabulary, merges)
    contestants = {
        "host: tokenizers encode_batch": lambda texts, _: host.encode_batch(
            texts, add_special_tokens=False
        ),
        "graph: BatchedTokenizer": lambda _, batch: graph.tokenize(batch),
        "TFLite: StaticTokenizer, 1 thread": lambda texts, _: run_tflite(texts),
        "KerasHub: RobertaTokenizer": lambda _, batch: hub_graph(batch),
    }
    for run in contestants.values():
        run(["trace"], tf.constant(["trace"]))
    times = {name: [] for name in contestants}
    for texts in turns:
        batch = tf.constant(texts)
        for name, run in contestants.items():
            begin = time.perf_counter()
            run(texts, batch)
            times[name].append(time.perf_counter() - begin)
        expected = host.encode_batch(texts, add_special_tokens=False)
        assert graph.tokenize(batch).to_list() == [row.ids for row in expected], "the ids differ"

    size = len(turns[0])
    megabytes = statistics.median(len("".join(texts).encode()) for texts in turns) / 1e6
    base = statistics.median(times["graph: BatchedTokenizer"][1:])
    print(f"\nbatches of {size} sentences, {megabytes * 1e3:.0f} kB: the first, and the median of")
    print(f"{f'{len(turns) - 1} more':34}{'first ms':>10}{'ms':>10}", end="")
    print(f"{'sentences/s':>13}{'MB/s':>7}{'time / graph':>14}")
    for name, (first, *more) in times.items():
        seconds = statistics.median(more)
        print(f"{name:34}{first * 1e3:10.2f}{seconds * 1e3:10.2f}", end="")
        print(f"{size / seconds:13,.0f}{megabytes / seconds:7.2f}{seconds / base:14.2f}")


def static_tokenizer(vocabulary, merges):
    """A function that runs the static tokenizer, as TFLite, on one text after the other."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from keras_roberta.tokenizers.in_graph import StaticTokenizer, fill_buffer

    tokenizer = StaticTokenizer(vocabulary, merges, LENGTH)
    function = tf.function(
        lambda utf8: tokenizer(utf8),
        [tf.TensorSpec([1, NUM_BYTES], tf.int32, "utf8")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tokenizer
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    model = converter.convert()
    print(f"\nTFLite file: {len(model) / 1e6:.2f} MB")
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]

    def run(texts):
        for buffer in fill_buffer(texts, NUM_BYTES):
            interpreter.set_tensor(place, buffer[None])
            interpreter.invoke()

    return run


def measure_long_words(graph, host, merges, longest):
    """The curve of time against bytes for single words without white space, the worst input."""
    import tensorflow as tf

    chance = random.Random(1)
    tokens = [left + right for left, right in merges if (left + right).isalpha()]
    tokens = [token for token in tokens if token.isascii()]
    kinds = {
        "one letter": lambda n: "a" * n,
        "random letters": lambda n: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=n)),
        "tokens without spaces": lambda n: "".join(chance.choices(tokens, k=n))[:n],
        "combining marks": lambda n: "e" + "\u0301" * (n // 2),
    }
    print(f"\none word of{'':13}{'bytes':>10}{'graph ms':>11}{'us/byte':>9}{'host ms':>10}")
    for kind, make in kinds.items():
        size = 1000
        while size <= longest:
            text = make(size)
            batch = tf.constant([text])
            begin = time.perf_counter()
            found = graph.tokenize(batch)
            middle = time.perf_counter()
            expected = host.encode(text, add_special_tokens=False).ids
            end = time.perf_counter()
            assert found.to_list() == [expected], "the ids differ"
            print(
                f"{kind:24}{len(text.encode()):10}{(middle - begin) * 1e3:11.1f}"
                f"{(middle - begin) / size * 1e6:9.2f}{(end - middle) * 1e3:10.1f}"
            )
            size *= 10


if __name__ == "__main__":
    main()
