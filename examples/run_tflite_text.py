"""Runs a `.tflite` that takes text, with ai-edge-litert alone: no TensorFlow, no tokenizer.

    pip install ai-edge-litert numpy
    python examples/run_tflite_text.py sentiment.tflite "a gob of drivel"

The file is one that `export.to_tflite(task, path, inputs="text")` wrote. A program on a phone does
the same steps; see docs/guides/phone.md.
"""

import json
import sys

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


def main(path, *texts):
    sys.stdout.reconfigure(errors="replace")  # lone surrogates cannot be printed
    labels = read_labels(path)
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    signatures = interpreter.get_signature_list()  # text_32, text_64, ..., and others
    lengths = sorted(int(name.removeprefix("text_")) for name in signatures if "text_" in name)
    runners = {length: interpreter.get_signature_runner(f"text_{length}") for length in lengths}
    for text in texts:
        for length in lengths:  # a text of more bytes or tokens than a signature has: the next
            buffer, fits = fill(text, runners[length])
            outputs = runners[length](utf8=buffer)
            if fits and outputs["num_tokens"][0] <= length:
                break
        if "value" in outputs:  # a regression
            print(f"{outputs['value'][0]:.4f}\t{text}")
        elif "labels" in outputs:  # any number of labels
            given = [labels[i] for i in np.flatnonzero(outputs["labels"][0])]
            print(f"{', '.join(given) or '-'}\t{text}")
        else:
            print(f"{labels[outputs['label'][0]]}\t{outputs['score'][0]:.4f}\t{text}")


def fill(text, runner):
    """The text's UTF-8, cut at the end of a character, zeros behind it: uint8 (1, num_bytes); and
    whether all of it fits."""
    buffer = np.zeros(runner.get_input_details()["utf8"]["shape"], np.uint8)
    size = buffer.shape[1]
    # Joins surrogate pairs; lone ones become U+FFFD.
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    utf8 = whole[:size].decode(errors="ignore").encode()
    fits = utf8 == whole
    if utf8.endswith(b"\0"):  # NULs of the text's own: FF tells them from the zeros behind
        fits = fits and len(whole) < size
        utf8 = utf8[: size - 1] + b"\xff"
    buffer[0, : len(utf8)] = list(utf8)
    return buffer, fits


def read_labels(path):
    """The labels, from the JSON in the file's metadata buffer "keras_roberta"."""
    with open(path, "rb") as file:
        model = schema.Model.GetRootAs(file.read())
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (number,) = [entry.Buffer() for entry in entries if entry.Name() == b"keras_roberta"]
    return json.loads(model.Buffers(number).DataAsNumpy().tobytes())["labels"]


if __name__ == "__main__":
    main(*sys.argv[1:])
