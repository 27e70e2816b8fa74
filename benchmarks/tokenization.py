"""The in-graph tokenizers beside the Rust library and KerasHub, on real text, in one run.

    python benchmarks/tokenization.py --data DIR

DIR holds `roberta-base-tokenizer/` (vocab.json, merges.txt, tokenizer.json) and `sst2/train.tsv`.
The contestants take turns, so that what else the machine does hits them alike; medians are printed.
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
    texts = [line.split("\t")[-1] for line in sst2[: options.sentences]]

    measure_table(vocabulary, merges)
    from tokenizers import Tokenizer

    from keras_roberta.tokenizers.in_graph import BatchedTokenizer

    host = Tokenizer.from_file(str(directory / "tokenizer.json"))
    graph = BatchedTokenizer(vocabulary, merges)
    for size in sorted({*options.batches, len(texts)}):
        compare(texts[:size], vocabulary, merges, host, graph, options.turns)
    measure_long_words(graph, host, merges, options.longest)


def measure_table(vocabulary, merges):
    from keras_roberta.tokenizers.in_graph.merge_table import MergeTable

    MergeTable({"a": 0, "aa": 1}, [("a", "a")])  # starts TensorFlow
    begin = time.perf_counter()
    table = MergeTable(vocabulary, merges)
    seconds = time.perf_counter() - begin
    print(f"merge table: {len(merges)} merges, {seconds:.2f} s, {table.nbytes / 1e6:.2f} MB")


def compare(texts, vocabulary, merges, host, graph, turns):
    """Sentences and megabytes a second of everyone, on one batch."""
    import keras_hub
    import tensorflow as tf

    batch = tf.constant(texts)
    interpreter, buffers = static_tokenizer(vocabulary, merges, texts)
    place = interpreter.get_input_details()[0]["index"]

    def run_tflite():
        for buffer in buffers:
            interpreter.set_tensor(place, buffer)
            interpreter.invoke()

    hub = keras_hub.models.RobertaTokenizer(
        vocabulary=vocabulary, merges=[" ".join(pair) for pair in merges]
    )
    hub_graph = tf.function(lambda texts: hub(texts), [tf.TensorSpec([None], tf.string)])
    contestants = {
        "host: tokenizers encode_batch": lambda: host.encode_batch(texts, add_special_tokens=False),
        "graph: BatchedTokenizer": lambda: graph.tokenize(batch),
        "TFLite: StaticTokenizer, 1 thread": run_tflite,
        "KerasHub: RobertaTokenizer": lambda: hub_graph(batch),
    }
    expected = [encoding.ids for encoding in host.encode_batch(texts, add_special_tokens=False)]
    assert graph.tokenize(batch).to_list() == expected, "the ids differ"

    times = take_turns(contestants, turns)
    num_bytes = sum(len(text.encode()) for text in texts)
    base = times["graph: BatchedTokenizer"]
    print(f"\n{len(texts)} sentences, {num_bytes} bytes in one batch; median of {turns} turns")
    print(f"{'':36}{'ms':>10}{'sentences/s':>14}{'MB/s':>8}{'time / graph':>14}")
    for name, seconds in times.items():
        print(
            f"{name:36}{seconds * 1e3:10.2f}{len(texts) / seconds:14,.0f}"
            f"{num_bytes / seconds / 1e6:8.2f}{seconds / base:14.2f}"
        )


def take_turns(contestants, turns):
    for run in contestants.values():
        run()
    times = {name: [] for name in contestants}
    for _ in range(turns):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def static_tokenizer(vocabulary, merges, texts):
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
    print(f"\nTFLite file: {len(model) / 1e6:.2f} MB, {NUM_BYTES} bytes in, {LENGTH} tokens out")
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, [fill_buffer([text], NUM_BYTES) for text in texts]


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
