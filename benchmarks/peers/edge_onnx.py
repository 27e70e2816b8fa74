"""Transformers' classifier in ONNX Runtime, for benchmarks/edge.py; see rounds.py.

The files are written beside the checkpoint by the first process that needs them.
"""

import edge_options
import numpy as np
import onnxruntime


def main():
    options = edge_options.parse_options(__doc__)
    path = options.model / f"{options.precision}.onnx"
    if not path.exists():
        write(options.model, options.length)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    shape = (1, options.length)
    inputs = {
        "input_ids": np.random.default_rng(0).integers(5, 200, shape),
        "attention_mask": np.ones(shape, np.int64),
    }
    edge_options.serve(lambda: session.run(None, inputs))


def write(directory, length):
    import torch
    import transformers
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(directory).eval()
    ids = torch.ones((1, length), dtype=torch.int64)
    plain = directory / "none.onnx"
    torch.onnx.export(
        model, (ids, ids), plain, input_names=["input_ids", "attention_mask"], dynamo=True,
        external_data=False, verbose=False,
    )  # fmt: skip
    prepared = directory / "prepared.onnx"
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    quantize_dynamic(
        prepared, directory / "int8.onnx", per_channel=True, weight_type=QuantType.QInt8
    )


if __name__ == "__main__":
    main()
