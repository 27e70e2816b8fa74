"""A `.tflite` file of ours or of KerasHub, for benchmarks/edge.py; see rounds.py."""

import edge_options
import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main():
    options = edge_options.parse_options(__doc__)
    run, names = open_file(options.model, options.threads)
    shape = (1, options.length)
    ids = np.random.default_rng(0).integers(5, 200, shape)
    values = {"token_ids": ids, "padding_mask": np.ones(shape)}
    inputs = {name: values[key].astype("int32") for name, key in names.items()}
    edge_options.serve(lambda: run(**inputs))


def open_file(path, threads):
    """A function of a file's inputs, and what each input is."""
    interpreter = Interpreter(str(path), num_threads=threads)
    signatures = interpreter.get_signature_list()
    key = next((name for name in signatures if name.startswith("tokens_")), next(iter(signatures)))
    runner = interpreter.get_signature_runner(key)
    names = {
        name: "padding_mask" if "mask" in name else "token_ids"
        for name in runner.get_input_details()
    }
    return runner, names


if __name__ == "__main__":
    main()
