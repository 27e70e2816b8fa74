"""Do the host tokenizer, the batched graph and TFLite make the same ids of all text there is?

    python benchmarks/tokenizer_parity.py --data DIR

Every distinct line of every text file below DIR, byte for byte with its newline, through four
tokenizers with RoBERTa's vocabulary: the Rust library as `roberta-base-tokenizer/tokenizer.json`
sets it up, `RobertaTokenizer`, `BatchedTokenizer` and `StaticTokenizer` in ai-edge-litert. Lines
longer than the largest buffer go through in pieces of whole characters. Prints how many texts of
each folder differ, and exits with 1 if any does. It takes two to three minutes.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tokenizers import Tokenizer

from keras_roberta import RobertaTokenizer
from keras_roberta.tokenizers import byte_buffer

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHECKPOINTS = ("roberta-base-tokenizer", "granite-30m")
BUFFERS = {64: 32, 256: 8, 1024: 2}  # bytes of a buffer: buffers in one call of TFLite


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    options = parser.parse_args()
    directory = options.data / "roberta-base-tokenizer"
    host = RobertaTokenizer.from_preset(directory)
    library = Tokenizer.from_file(str(directory / "tokenizer.json"))
    ways = {
        "library": lambda texts: [e.ids for e in library.encode_batch(
            [text.decode() for text in texts])],
        "graph": Graph(host),
        "TFLite": TFLite(host),
    }  # fmt: skip
    print(
        f"texts that differ from the host's ids{'texts':>23}{'MB':>8}", *map("{:>9}".format, ways)
    )
    failed, seen = False, set()
    for folder in sorted(path for path in options.data.iterdir() if path.is_dir()):
        if folder.name in CHECKPOINTS:
            continue
        texts = [text for text in texts_of(folder) if text not in seen]
        seen.update(texts)
        expected = host.encode_batch(texts)
        differ = {
            name: sum(a != b for a, b in zip(way(texts), expected, strict=True))
            for name, way in ways.items()
        }
        failed |= any(differ.values())
        megabytes = sum(map(len, texts)) / 1e6
        print(f"{folder.name:37}{len(texts):23,}{megabytes:8.2f}", end=" ")
        print(*map("{:>9}".format, differ.values()), flush=True)
    sys.exit(failed)


def texts_of(folder):
    """The distinct lines of a folder's files, the short ones first, none above the largest buffer:
    list of bytes, well-formed UTF-8."""
    lines = (
        line
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for line in path.read_bytes().splitlines(keepends=True)
    )
    return sorted({piece for line in lines for piece in pieces(line)}, key=lambda t: (len(t), t))


def pieces(line):
    """A line in parts that fit the largest buffer, whole characters each."""
    utf8 = byte_buffer.encode(line)
    while utf8:
        piece = utf8[: max(BUFFERS)].decode(errors="ignore").encode()
        yield piece
        utf8 = utf8[len(piece) :]


class Graph:
    """Ids of texts by the batched tokenizer."""

    def __init__(self, host):
        self.tokenizer = host.batched_in_graph()

    def __call__(self, texts):
        rows = []
        for begin in range(0, len(texts), 8000):
            found = self.tokenizer(texts[begin : begin + 8000], max_length=None)
            lengths = found["padding_mask"].numpy().sum(axis=1)
            rows += [ids[:n].tolist() for ids, n in zip(
                found["token_ids"].numpy(), lengths, strict=True)]  # fmt: skip
        return rows


class TFLite:
    """Ids of texts, in ascending length, by the static tokenizer, each in a buffer of its own."""

    def __init__(self, host):
        self.static = host.static_in_graph()
        self.runners = {size: self.runner(size, rows) for size, rows in BUFFERS.items()}

    def runner(self, num_bytes, rows):
        """The tokenizer as a TFLite model on so many buffers of so many bytes."""
        function = tf.function(
            lambda utf8: self.static(utf8, sequence_length=num_bytes + 2),
            [tf.TensorSpec([rows, num_bytes], tf.uint8, "utf8")],
            autograph=False,
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], self.static
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        interpreter = Interpreter(model_content=converter.convert(), num_threads=1)
        return interpreter.get_signature_runner()

    def __call__(self, texts):
        rows = []
        while len(rows) < len(texts):
            num_bytes = min(n for n in BUFFERS if n >= len(texts[len(rows)]))
            batch = [
                text
                for text in texts[len(rows) : len(rows) + BUFFERS[num_bytes]]
                if len(text) <= num_bytes
            ]
            filled = batch + [b""] * (BUFFERS[num_bytes] - len(batch))
            found = self.runners[num_bytes](utf8=byte_buffer.fill(filled, num_bytes))
            lengths = found["padding_mask"].sum(axis=1)
            rows += [ids[:n].tolist() for ids, n in zip(
                found["token_ids"][: len(batch)], lengths, strict=False)]  # fmt: skip
        return rows


if __name__ == "__main__":
    main()
