"""Runs a `.tflite` that takes text, with ai-edge-litert alone: no TensorFlow, no tokenizer.

    pip install ai-edge-litert numpy
    python examples/run_tflite_text.py sentiment.tflite "a gob of drivel"

The file is one that `export.to_tflite(task, path, inputs="text")` wrote. A program on a phone does
the same steps; see docs/android.md.
"""

import json
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


def main(path, *texts):
    labels = read_labels(path)
    interpreter = Interpreter(path)
    signatures = interpreter.get_signature_list()  # text_32, text_64, ...
    lengths = sorted(int(name.removeprefix("text_")) for name in signatures)
    runners = {length: interpreter.get_signature_runner(f"text_{length}") for length in lengths}
    for text in texts:
        for length in lengths:  # a text of more bytes or tokens than a signature has: the next
            buffer, fits = fill(text, runners[length])
            outputs = runners[length](utf8=buffer)
            if fits and outputs["num_tokens"][0] <= length:
                break
        if "value" in outputs:
            print(f"{outputs['value'][0]:.4f}\t{text}")
        else:
            print(f"{labels[outputs['label'][0]]}\t{outputs['score'][0]:.4f}\t{text}")


def fill(text, runner):
    """The text's UTF-8, cut at the end of a character, zeros behind it: uint8 (1, num_bytes); and
    whether all of it fits."""
    buffer = np.zeros(runner.get_input_details()["utf8"]["shape"], np.uint8)
    whole = text.encode(errors="replace")
    utf8 = whole[: buffer.shape[1]].decode(errors="ignore").encode()
    buffer[0, : len(utf8)] = list(utf8)
    return buffer, utf8 == whole


def read_labels(path):
    """The labels, from the JSON in the file's metadata buffer "keras_roberta"."""
    with open(path, "rb") as file:
        model = schema.Model.GetRootAs(file.read())
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (number,) = [entry.Buffer() for entry in entries if entry.Name() == b"keras_roberta"]
    return json.loads(model.Buffers(number).DataAsNumpy().tobytes())["labels"]


if __name__ == "__main__":
    main(*sys.argv[1:])
