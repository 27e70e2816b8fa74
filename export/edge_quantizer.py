"""Weights in few bits, by Google's ai-edge-quantizer, which is imported where it is used."""

import contextlib
import importlib.util
import io
import logging

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_roberta.errors import InputError
from keras_roberta.export.packed_model import packed
from keras_roberta.export.recipes import fit_blocks, is_static, smallest_blocks
from keras_roberta.export.static_ranges import (
    as_statistics,
    layers_of_products,
    product_ranges,
    spare_outliers,
)
from keras_roberta.options import OptionError

_MARK = b";;"


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
    block = max(smallest_blocks(scheme.recipe), default=1)
    for name in ("hidden_dim", "intermediate_dim", "embedding_dim"):
        if (getattr(config, name) or 0) % block:
            raise OptionError(
                "quantization",
                f": {scheme.name!r} cuts weights into blocks of {block}, and the model's {name} is "
                f"{getattr(config, name)}; choose another",
            )


def quantize_weights(model, scheme, samples=None, ranges=None):
    """A model with its weights in few bits.

    Args:
        model: `schema.ModelT` with weights in float32; not to be used any more.
        scheme: `QuantizationScheme` with a recipe.
        samples: see `calibration.Samples`; None where the scheme needs none.
        ranges: of activations, see `static_ranges.ranges_of_training`; None: those of the samples.

    Returns:
        `schema.ModelT`. Tensors that shared a weight still do.

    Raises:
        InputError: the quantizer refuses it.
    """
    from ai_edge_quantizer.quantizer import Quantizer

    for number, graph in enumerate(model.subgraphs):
        for tensor in graph.tensors:  # it tells tensors by their names, in the whole file
            tensor.name = (tensor.name or b"") + _MARK + str(number).encode()
    content = packed(model)
    recipe = fit_blocks(scheme.recipe, model)
    if scheme.adapt_recipe is not None:
        recipe = scheme.adapt_recipe(recipe, content, samples)
    statistics = None
    if any(map(is_static, recipe)):
        if ranges is None:
            ranges = product_ranges(model, content, samples)
        else:  # a scheme may have more products than a training has ranges of
            ranges = dict.fromkeys(layers_of_products(model)) | ranges
        recipe, statistics = spare_outliers(recipe, ranges), as_statistics(model, ranges)
    quantizer = Quantizer(content, recipe)
    # The quantizer divides a block of zeros by its scale, which is 0.
    with _without_messages(), np.errstate(divide="ignore", invalid="ignore"):
        try:
            found = quantizer.quantize(statistics, enable_progress_report=False).quantized_model
        except ValueError as error:  # as of a head whose width is no multiple of a block
            raise InputError(f"quantization: the model cannot be quantised so ({error})") from None
    quantized = _unpacked(bytes(found))
    _raise_zero_scales(quantized)
    for graph in quantized.subgraphs:
        for tensor in graph.tensors:
            tensor.name = tensor.name.rpartition(_MARK)[0]
    return quantized


@contextlib.contextmanager
def _without_messages():
    """Keeps the quantizer's bars of progress and its messages from users.

    Its messages go to the root logger by functions of `logging` that give a logger without a
    handler one, which would stay, and write to what the error output is at this moment.
    """
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    root.addFilter(_is_of_others)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        root.removeFilter(_is_of_others)
        root.removeHandler(handler)


def _is_of_others(record):
    return "ai_edge_quantizer" not in record.pathname


def _raise_zero_scales(model):
    """Gives blocks of weights the least scale that there is where theirs is 0, as that of pruned
    weights is: XNNPACK refuses it. Such weights are 0, or too small for scales of 16 bits."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            details = tensor.quantization and tensor.quantization.details
            if isinstance(details, schema.BlockwiseQuantizationT):
                buffer = model.buffers[graph.tensors[details.scales].buffer]
                scales = np.asarray(buffer.data, np.uint8).view("<f2")
                least = np.finfo("<f2").smallest_subnormal
                buffer.data = np.where(scales == 0, least, scales).astype("<f2").view(np.uint8)


def _unpacked(content):
    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset:  # in a large file weights stand behind all the rest
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model
