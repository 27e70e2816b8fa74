"""What the tokenizer inside a `.tflite` adds to the latency of a text.

A model of RoBERTa-base size with random weights and RoBERTa's vocabulary, int8, written once with
`inputs="text"` and once with `inputs="tokens"`, and the tokenizer of the first alone. All three run
in `ai-edge-litert`, in turns, on the same sentences of SST-2, joined until they fill the length.

    python benchmarks/tokenizer_latency.py --data DIR

DIR holds `roberta-base-tokenizer/` and `sst2/train.tsv`.
"""

import argparse
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.reports.latency import latencies
from keras_roberta.tokenizers import byte_buffer

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    options = parse_options()
    keras.utils.set_random_seed(0)
    tokenizer = kr.RobertaTokenizer.from_preset(options.data / "roberta-base-tokenizer")
    config = kr.RobertaConfig.named(options.size)
    task = kr.RobertaTextClassifier(
        kr.RobertaBackbone(config),
        num_classes=2,
        preprocessor=kr.RobertaPreprocessor(tokenizer, config.max_sequence_length),
    )
    text = full_text(tokenizer, options)
    ids = np.array([tokenizer(text, max_length=options.length)], np.int32)
    with tempfile.TemporaryDirectory() as directory:
        files = {}
        for inputs in ("text", "tokens"):
            path = pathlib.Path(directory) / f"{inputs}.tflite"
            files[inputs] = export.to_tflite(
                task, path, "int8", inputs, sequence_lengths=[options.length]
            )
        sizes = {name: path.stat().st_size / 1e6 for name, path in files.items()}
        (num_bytes,) = export.read_metadata(files["text"])["num_bytes"]
        utf8 = byte_buffer.fill([text], num_bytes)
        runners = {
            name: Interpreter(str(path), num_threads=options.threads)
            .get_signature_runner(f"{name}_{options.length}")
            for name, path in files.items()
        }  # fmt: skip
        alone = tokenizer_alone(tokenizer, num_bytes, options)
        calls = {
            "text in": lambda: runners["text"](utf8=utf8),
            "token ids in": lambda: runners["tokens"](
                token_ids=ids, padding_mask=np.ones_like(ids)
            ),
            "tokenizer alone": lambda: alone(utf8=utf8),
        }
        assert (calls["text in"]()["token_ids"] == ids).all(), "the ids differ"
        ms = {name: np.median(t) for name, t in latencies(calls, options.repeats).items()}
    print(f"{options.size}, int8, {options.length} tokens, {options.threads} thread(s)")
    print(f"a text of {len(text.encode())} bytes in a buffer of {num_bytes}")
    for name, value in ms.items():
        print(f"{name:16}{value:9.2f} ms")
    print(f"tokenizer / encoder: {ms['tokenizer alone'] / ms['token ids in']:.2%}")
    print(f"files: {sizes['text']:.1f} MB with, {sizes['tokens']:.1f} MB without the tokenizer")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--size", default="base", help="a named RobertaConfig")
    parser.add_argument("--length", type=int, default=128, help="tokens")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=30)
    return parser.parse_args()


def full_text(tokenizer, options):
    """Sentences of at least `length` tokens, no more than needed."""
    lines = (options.data / "sst2" / "train.tsv").read_text("utf-8").splitlines()[1:]
    text = ""
    for line in lines:
        text = f"{text} {line.split(chr(9))[-1].strip()}".strip()
        if len(tokenizer(text)) >= options.length:
            return text
    raise SystemExit("too few sentences")


def tokenizer_alone(tokenizer, num_bytes, options):
    """A signature runner of the tokenizer that is in the file."""
    static = tokenizer.static_in_graph()
    function = tf.function(
        lambda utf8: static(utf8, sequence_length=options.length),
        [tf.TensorSpec([1, num_bytes], tf.uint8, "utf8")],
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], static
    )
    return Interpreter(
        model_content=converter.convert(), num_threads=options.threads
    ).get_signature_runner()


if __name__ == "__main__":
    main()
