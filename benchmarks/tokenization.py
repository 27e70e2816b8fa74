"""The in-graph tokenizers beside the Rust library and KerasHub, on real text, in one run.

    python benchmarks/tokenization.py --data DIR

DIR holds `roberta-base-tokenizer/` (vocab.json, merges.txt, tokenizer.json) and three corpora:
`sst2/train.tsv`, phrases of nine words; `english_text/*.txt`, lines of English books and reviews;
`lingua_sentences/*.txt`, sentences in ten languages.
The contestants take turns, so that what else the machine does hits them alike; medians are printed.
Every turn has sentences of its own. The library and KerasHub keep the words that they have seen:
"cold" has a new tokenizer at each turn, "warm" one that has seen all sentences of the turns before.
At the end the worst inputs, as a curve of time against bytes.
"""

import argparse
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
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 2300])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--longest", type=int, default=10**6, help="bytes of the longest word")
    options = parser.parse_args()

    from keras_roberta import RobertaTokenizer

    tokenizer = RobertaTokenizer.from_preset(options.data / "roberta-base-tokenizer")
    measure_table(tokenizer)
    contestants = Contestants(tokenizer, options.data / "roberta-base-tokenizer/tokenizer.json")
    print(f"TFLite: one text at a time, {NUM_BYTES} bytes in, {LENGTH} tokens out, one thread")
    for name, texts in corpora(options.data).items():
        for size in options.batches:
            turns = [texts[size * turn :][:size] for turn in range(1 + options.turns)]
            if len(turns[-1]) < size:
                print(f"\n{name}, {size}: left out, {len(texts)} texts are too few for all turns")
                continue
            print_times(f"{name}, {size}, cold", turns[1:], contestants.cold(turns[1:]))
            print_times(f"{name}, {size}, warm", turns[1:], contestants.warm(turns))
    measure_long_words(contestants, tokenizer, options.longest)


def corpora(directory):
    """Lists of texts by name, in a random order."""
    sst2 = (directory / "sst2" / "train.tsv").read_text("utf-8").splitlines()[1:]
    found = {"phrases": [line.split("\t")[-1] for line in sst2]}
    for name, folder in (("English lines", "english_text"), ("ten languages", "lingua_sentences")):
        paths = sorted((directory / folder).glob("*.txt"))
        lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
        found[name] = [line for line in lines if len(line) > 40]
    for texts in found.values():
        random.Random(0).shuffle(texts)
    return found


def measure_table(tokenizer):
    from keras_roberta.tokenizers.in_graph.merge_table import MergeTable

    MergeTable({"a": 0, "aa": 1}, [("a", "a")])  # starts TensorFlow
    begin = time.perf_counter()
    table = MergeTable(tokenizer.vocabulary, tokenizer.merges)
    seconds = time.perf_counter() - begin
    print(f"merge table: {table.no_merge} merges, {seconds:.2f} s, {table.nbytes / 1e6:.2f} MB")


class Contestants:
    """Functions of a list of texts and the same as a tensor, made anew or kept."""

    def __init__(self, tokenizer, tokenizer_json):

        self.tokenizer, self.tokenizer_json = tokenizer, str(tokenizer_json)
        self.graph = tokenizer.batched_in_graph()
        run_static = static_tokenizer(tokenizer)
        self.makers = {
            "Rust library: encode_batch": self.rust,
            "host: RobertaTokenizer": self.host,
            "graph: BatchedTokenizer": lambda: lambda _, batch: self.graph.tokenize(batch),
            "TFLite: StaticTokenizer": lambda: run_static,
            "graph: KerasHub's RobertaTokenizer": self.keras_hub,
        }

    def rust(self):
        from tokenizers import Tokenizer

        rust = Tokenizer.from_file(self.tokenizer_json)
        return lambda texts, _: rust.encode_batch(texts, add_special_tokens=False)

    def host(self):
        make, arguments = self.tokenizer.__reduce__()
        host = make(*arguments)
        return lambda texts, _: host.encode_ragged(texts, add_special_tokens=False)

    def keras_hub(self):
        import keras_hub
        import tensorflow as tf

        merges = [" ".join(pair) for pair in self.tokenizer.merges]
        hub = keras_hub.models.RobertaTokenizer(vocabulary=self.tokenizer.vocabulary, merges=merges)
        run = tf.function(lambda texts: hub(texts), [tf.TensorSpec([None], tf.string)])
        return lambda _, batch: run(batch)

    def cold(self, turns):
        """Seconds of each turn, by name; each turn with new tokenizers."""
        times = {name: [] for name in self.makers}
        for texts in turns:
            for name, make in self.makers.items():
                times[name] += timed(make(), [["trace"], texts])[1:]
        return times

    def warm(self, turns):
        """Seconds of each turn but the first, by name, by the same tokenizers."""
        runs = {name: make() for name, make in self.makers.items()}
        times = {name: [] for name in runs}
        for run in runs.values():
            timed(run, [["trace"], turns[0]])
        for texts in turns[1:]:
            for name, run in runs.items():
                times[name] += timed(run, [texts])
            expected = self.tokenizer.encode_batch(texts, add_special_tokens=False)
            assert self.graph.tokenize(texts).to_list() == expected, "the ids differ"
        return times


def timed(run, turns):
    """Seconds that each of the turns takes."""
    import tensorflow as tf

    seconds = []
    for texts in turns:
        batch = tf.constant(texts)
        begin = time.perf_counter()
        run(texts, batch)
        seconds.append(time.perf_counter() - begin)
    return seconds


def print_times(title, turns, times):
    size = len(turns[0])
    megabytes = statistics.median(len("".join(texts).encode()) for texts in turns) / 1e6
    base = statistics.median(times["graph: BatchedTokenizer"])
    print(f"\n{title:36}{'ms':>10}{'sentences/s':>13}{'MB/s':>8}{'time / graph':>14}")
    for name, values in times.items():
        seconds = statistics.median(values)
        print(f"{name:36}{seconds * 1e3:10.2f}{size / seconds:13,.0f}", end="")
        print(f"{megabytes / seconds:8.2f}{seconds / base:14.2f}", flush=True)


def static_tokenizer(tokenizer):
    """A function that runs the static tokenizer, as TFLite, on one text after the other."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from keras_roberta.tokenizers import byte_buffer

    static = tokenizer.static_in_graph()
    function = tf.function(
        lambda utf8: static(utf8, sequence_length=LENGTH),
        [tf.TensorSpec([1, NUM_BYTES], tf.uint8, "utf8")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], static
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    model = converter.convert()
    print(f"TFLite file of the tokenizer alone: {len(model) / 1e6:.2f} MB")
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]

    def run(texts, _):
        for buffer in byte_buffer.fill(texts, NUM_BYTES):
            interpreter.set_tensor(place, buffer[None])
            interpreter.invoke()

    return run


def measure_long_words(contestants, tokenizer, longest):
    """The curve of time against bytes for single words without white space, the worst input."""
    import tensorflow as tf

    chance = random.Random(1)
    graph = contestants.graph
    tokens = [left + right for left, right in tokenizer.merges if (left + right).isalpha()]
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
            expected = tokenizer(text, add_special_tokens=False)
            end = time.perf_counter()
            assert found.to_list() == [expected], "the ids differ"
            print(
                f"{kind:24}{len(text.encode()):10}{(middle - begin) * 1e3:11.1f}"
                f"{(middle - begin) / size * 1e6:9.2f}{(end - middle) * 1e3:10.1f}"
            )
            size *= 10


if __name__ == "__main__":
    main()
