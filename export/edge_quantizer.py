"""Weights in few bits, by Google's ai-edge-quantizer, which is imported where it is used."""

import contextlib
import importlib.util
import io

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError

# The scale with the least squared error, https://arxiv.org/abs/2206.06501, equation 6. By the
# largest weight alone four bits lose a fifth more answers.
OCTAV = "OCTAV"
LARGEST = "min_max_uniform_quantize"
_MARK = b";;"


def few_bits(operation, num_bits, *, block_size=None, layers=".*", scales=LARGEST):
    """An entry of a recipe of ai-edge-quantizer: the weights of one kind of operation.

    Products are of whole numbers: the runtime scales activations to 8 bits as they come.

    Args:
        operation: its name in TFLite, such as "FULLY_CONNECTED".
        num_bits: 2, 4 or 8.
        block_size: how many weights of a row share a scale: 32, 64, 128 or 256, of which the row's
            length has to be a multiple; None: the whole row.
        layers: regular expression, searched for in the names of operations (`operation_names`). Of
            two entries for one operation the later one counts.
        scales: the quantizer's algorithm that finds them.
    """
    return {
        "regex": layers,
        "operation": operation,
        "algorithm_key": scales,
        "op_config": {
            "weight_tensor_config": {
                "num_bits": num_bits,
                "symmetric": True,
                "granularity": f"BLOCKWISE_{block_size}" if block_size else "CHANNELWISE",
                "dtype": "INT",
            },
            "compute_precision": "INTEGER",
            "explicit_dequantize": False,
        },
    }


def check_quantizer(scheme):
    """Raises an OptionError if a scheme needs ai-edge-quantizer and it is not installed."""
    if scheme.recipe and importlib.util.find_spec("ai_edge_quantizer") is None:
        raise OptionError(
            "quantization",
            f": {scheme.name!r} needs the package ai-edge-quantizer; "
            "pip install 'ai-edge-quantizer>=0.10,<0.11'",
        )


def check_widths(scheme, config):
    """Raises an OptionError if the rows of a model's matrices cannot be cut into blocks."""
    weights = (
        entry.get("op_config", {}).get("weight_tensor_config", {}) for entry in scheme.recipe
    )
    sizes = (weight.get("granularity", "") for weight in weights)
    block = max((int(size.partition("_")[2] or 1) for size in sizes), default=1)
    for name in ("hidden_dim", "intermediate_dim"):
        if getattr(config, name) % block:
            raise OptionError(
                "quantization",
                f": {scheme.name!r} cuts weights into blocks of {block}, and the model's {name} is "
                f"{getattr(config, name)}; choose another",
            )


def quantize_weights(model, recipe):
    """A model with its weights in few bits.

    Args:
        model: `schema.ModelT` with weights in float32; not to be used any more.
        recipe: list of entries, see `few_bits`.

    Returns:
        `schema.ModelT`. Tensors that shared a weight still do.

    Raises:
        InputError: the quantizer refuses it.
    """
    from ai_edge_quantizer.quantizer import Quantizer

    for number, graph in enumerate(model.subgraphs):
        for tensor in graph.tensors:  # it tells tensors by their names, in the whole file
            tensor.name = (tensor.name or b"") + _MARK + str(number).encode()
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    quantizer = Quantizer(bytes(builder.Output()), list(recipe))
    with contextlib.redirect_stderr(io.StringIO()):  # it draws bars of progress
        try:
            content = bytes(quantizer.quantize(enable_progress_report=False).quantized_model)
        except ValueError as error:  # as of a head whose width is no multiple of a block
            raise InputError(f"quantization: the model cannot be quantised so ({error})") from None
    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset:  # in a large file weights stand behind all the rest
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = tensor.name.rpartition(_MARK)[0]
    return model
