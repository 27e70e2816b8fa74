"""XLM-R's tokenizer in the graph beside tensorflow-text's SentencePiece, the `tokenizers` library
and sentencepiece itself, on sentences in ten languages, in one run.

    python benchmarks/unigram_tokenization.py --data DIR

DIR holds `xlmr-small/` (`sentencepiece.bpe.model`, `tokenizer.json`) and `lingua_sentences/*.txt`.
The contestants take turns, each turn with sentences of its own, so that what else the machine does
hits them alike; medians are printed. tensorflow-text's operation gives sentencepiece's own numbers,
no row of ids for XLM-R, and has to be in the program that loads the model. Then the static form in
TFLite, one thread, by the length of its buffer: the processor's time, of each text the least of all
turns. At the end the worst inputs: one word without end.
"""

import argparse
import os
import pathlib
import random
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BUFFERS = {512: 128, 128: 32}  # bytes of the static tokenizer, and its tokens
BASE = "graph: BatchedUnigramTokenizer"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 2300])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--longest", type=int, default=10**5, help="characters of the longest word")
    options = parser.parse_args()

    from keras_roberta.tokenizers import open_tokenizer
    from keras_roberta.tokenizers.unigram import tables

    tokenizer = open_tokenizer(options.data / "xlmr-small")
    begin = time.process_time()
    made = tables._made(tokenizer._model)
    seconds, size = time.process_time() - begin, sum(table.nbytes for table in made)
    print(f"tables: {seconds:.1f} s of the processor to make, {size / 1e6:.1f} MB as made")
    interpreters = static_interpreters(tokenizer)
    runs = contestants(tokenizer, options.data / "xlmr-small", interpreters)
    paths = sorted((options.data / "lingua_sentences").glob("*.txt"))
    texts = [line for path in paths for line in path.read_text("utf-8").splitlines() if line]
    random.Random(0).shuffle(texts)
    for run in runs.values():
        timed(run, texts[:100])  # traces
    for size in options.batches:
        times = {name: [] for name in runs}
        for turn in range(1, 1 + options.turns):
            batch = texts[size * turn :][:size]
            if len(batch) < size:
                break
            for name, run in runs.items():
                times[name].append(timed(run, batch))
        print_times(size, texts, times)
    measure_buffers(interpreters, texts, options.turns)
    measure_long_words(runs, options.longest)


def contestants(tokenizer, directory, interpreters):
    """Functions of a list of texts and the same as a tensor, by name."""
    import sentencepiece
    import tensorflow as tf
    import tensorflow_text
    from tokenizers import Tokenizer

    graph = tokenizer.batched_in_graph()
    model = (directory / "sentencepiece.bpe.model").read_bytes()
    library = Tokenizer.from_file(str(directory / "tokenizer.json"))
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    operation = tensorflow_text.SentencepieceTokenizer(model)
    run_operation = tf.function(
        lambda texts: operation.tokenize(texts), [tf.TensorSpec([None], tf.string)]
    )
    return {
        "sentencepiece: encode": lambda texts, _: processor.encode(texts),
        "host: SentencePieceTokenizer": lambda texts, _: tokenizer.encode_ragged(
            texts, add_special_tokens=False
        ),
        "Rust library: encode_batch": lambda texts, _: library.encode_batch(
            texts, add_special_tokens=False
        ),
        BASE: lambda _, batch: graph.tokenize(batch),
        "graph: tensorflow-text": lambda _, batch: run_operation(batch),
        "TFLite: StaticUnigramTokenizer": one_after_the_other(interpreters),
    }


def timed(run, texts):
    """Seconds that a batch takes."""
    import tensorflow as tf

    batch = tf.constant(texts)
    begin = time.perf_counter()
    run(texts, batch)
    return time.perf_counter() - begin


def print_times(size, texts, times):
    base = statistics.median(times[BASE])
    print(f"\n{f'ten languages, {size}':36}{'ms':>10}{'sentences/s':>13}{'time / graph':>14}")
    for name, values in times.items():
        seconds = statistics.median(values)
        row = f"{name:36}{seconds * 1e3:10.2f}{size / seconds:13,.0f}{seconds / base:14.2f}"
        print(row, flush=True)


def static_interpreters(tokenizer):
    """The static tokenizer in TFLite, by the bytes of its buffer."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    static, interpreters = tokenizer.static_in_graph(), {}
    for num_bytes, length in BUFFERS.items():
        function = tf.function(
            lambda utf8, length=length: static(utf8, sequence_length=length),
            [tf.TensorSpec([1, num_bytes], tf.uint8, "utf8")],
            autograph=False,
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], static
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        model = converter.convert()
        print(f"TFLite: {num_bytes} bytes in, {length} tokens out: {len(model) / 1e6:.2f} MB")
        interpreters[num_bytes] = Interpreter(model_content=model, num_threads=1)
        interpreters[num_bytes].allocate_tensors()
    return interpreters


def one_after_the_other(interpreters):
    """A function that runs the longest static tokenizer on each text."""
    from keras_roberta.tokenizers import byte_buffer

    longest = max(interpreters)
    interpreter = interpreters[longest]
    place = interpreter.get_input_details()[0]["index"]

    def run(texts, _):
        for buffer in byte_buffer.fill(texts, longest):
            interpreter.set_tensor(place, buffer[None])
            interpreter.invoke()

    return run


def measure_buffers(interpreters, texts, turns, count=100):
    from keras_roberta.tokenizers import byte_buffer

    print(f"\n{'TFLite, one text':24}{'bytes of text':>14}{'of the buffer':>14}{'ms':>8}")
    encoded, joined = [text.encode() for text in texts], " ".join(texts).encode()
    for num_bytes, interpreter in interpreters.items():
        place = interpreter.get_input_details()[0]["index"]
        sets = {
            "sentences": [text for text in encoded if len(text) < num_bytes][:count],
            "full buffers": [joined[i * num_bytes :][:num_bytes] for i in range(count)],
        }
        for name, chosen in sets.items():
            times = [run_each(interpreter, place, byte_buffer.fill(chosen, num_bytes))
                     for _ in range(turns + 1)]  # the first warms up  # fmt: skip
            least = statistics.mean(map(min, zip(*times[1:], strict=True)))
            size = statistics.mean(map(len, chosen))
            print(f"{name:24}{size:14.0f}{num_bytes:14}{least * 1e3:8.2f}", flush=True)


def run_each(interpreter, place, buffers):
    """The processor's seconds for each."""
    times = []
    for buffer in buffers:
        interpreter.set_tensor(place, buffer[None])
        begin = time.process_time()
        interpreter.invoke()
        times.append(time.process_time() - begin)
    return times


def measure_long_words(runs, longest):
    kinds = {
        "one letter": "a",
        "Japanese": "\u65e5\u672c\u8a9e\u306e\u6587",
        "unknown": "\U00013000",
    }
    print(f"\n{'one word of':24}{'characters':>12}{'graph ms':>10}{'host ms':>10}")
    for kind, letters in kinds.items():
        size = 1000
        while size <= longest:
            text = (letters * size)[:size]
            graph, host = (
                timed(runs[name], [text]) * 1e3 for name in (BASE, "host: SentencePieceTokenizer")
            )
            print(f"{kind:24}{size:12,}{graph:10.1f}{host:10.1f}", flush=True)
            size *= 10


if __name__ == "__main__":
    main()
