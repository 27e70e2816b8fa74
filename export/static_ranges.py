"""Fixed ranges for activations, from what sample texts make of them or a training has found."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_roberta.checkpoints.activation_ranges import ActivationRanges
from keras_roberta.export.calibration import Samples, products_of, runs
from keras_roberta.export.recipes import Entry, few_bits, is_static
from keras_roberta.export.tflite_rewrites import signature_graphs

# The largest error that a fixed range may make, as a share of a typical token's root mean square.
# Where each token has a scale of its own, 8 bits make one of about a hundredth.
MOST_NOISE = 0.1

logger = logging.getLogger("keras_roberta")


class Range(NamedTuple):
    """Of the numbers in one place of a model.

    Attributes:
        low, high: the least and the largest of all tokens of the sample texts, or of a training the
            averages over its batches; at most and at least 0.
        typical: the median over the tokens of their root mean square, or a mean that outliers
            hardly move; NaN where it is not known.
    """

    low: float
    high: float
    typical: float = np.nan

    def noise(self, num_bits: int) -> float:
        """The root mean square of what rounding to so many bits changes, as a share of a typical
        token's."""
        step = (self.high - self.low) / (2**num_bits - 1)
        return step / np.sqrt(12) / max(self.typical, 1e-9)


class ProductRanges(NamedTuple):
    """Of what goes into a matrix product and what comes out."""

    inputs: Range
    result: Range


def product_ranges(model, content: bytes, samples: Samples) -> dict[str, ProductRanges]:
    """The ranges of all matrix products by the names of their layers.

    Args:
        model: `schema.ModelT` in float32.
        content: the same, packed.
        samples: see `Samples`.
    """
    lows, highs = defaultdict(list), defaultdict(list)
    sizes = defaultdict(list)
    for graph, rows_of in runs(content, model, samples):
        for product in products_of(model, graph):
            for side in ProductRanges._fields:
                rows = rows_of(getattr(product, side))
                place = product.layer, side
                lows[place].append(rows.min())
                highs[place].append(rows.max())
                sizes[place].append(np.sqrt(np.square(rows).mean(axis=1)))

    def range_of(place):
        low, high = min(0.0, *map(float, lows[place])), max(0.0, *map(float, highs[place]))
        return Range(low, high, float(np.median(np.concatenate(sizes[place]))))

    layers = dict.fromkeys(layer for layer, _ in lows)
    return {
        layer: ProductRanges(*(range_of((layer, side)) for side in ProductRanges._fields))
        for layer in layers
    }


def layers_of_products(model) -> list[str]:
    """The names of the layers of all matrix products, each once.

    Args:
        model: `schema.ModelT`
    """
    products = (product for g in signature_graphs(model) for product in products_of(model, g))
    return list(dict.fromkeys(product.layer for product in products))


def ranges_of_training(
    learned: ActivationRanges, query_scale: float
) -> dict[str, ProductRanges | None]:
    """As `product_ranges`, of what a training has found; None for products with outliers.

    Args:
        learned: the task's.
        query_scale: the scale of attention scores, which exported graphs have in the query.
    """

    def ranges_of(layer, sides):
        scale = query_scale if layer.endswith("/attention/query") else 1.0
        result = Range(*(end * scale for end in sides["result"]))
        return ProductRanges(Range(*sides["inputs"]), result)

    return {layer: sides and ranges_of(layer, sides) for layer, sides in learned.products.items()}


def as_statistics(
    model, ranges: Mapping[str, ProductRanges | None]
) -> dict[str, dict[str, np.ndarray]]:
    """Ranges as ai-edge-quantizer takes them, by the names of tensors, the same in each signature.

    Args:
        model: `schema.ModelT`
        ranges: see `product_ranges`; products without ranges are left out.
    """
    return {
        graph.tensors[getattr(product, side)].name.decode(): {
            "min": np.float32([[getattr(ranges[product.layer], side).low]]),
            "max": np.float32([[getattr(ranges[product.layer], side).high]]),
        }
        for graph in signature_graphs(model)
        for product in products_of(model, graph)
        if ranges.get(product.layer) is not None
        for side in ProductRanges._fields
    }


def spare_outliers(
    recipe: Sequence[Entry], ranges: Mapping[str, ProductRanges | None]
) -> list[Entry]:
    """A recipe in which products with outliers scale their activations as they come.

    In trained models a few tokens have numbers a thousand times as large as the others in some
    products; a range that holds them leaves the others a step or two.

    Args:
        recipe: entries, see `recipes.static`.
        ranges: see `product_ranges`; None for a product that is known to have outliers.
    """
    kept = []
    for entry in filter(is_static, recipe):
        bits = entry["op_config"]["activation_tensor_config"]["num_bits"]
        kept += [
            layer
            for layer, sides in ranges.items()
            if re.search(entry["regex"], f"{layer}/")
            and (sides is None or max(side.noise(bits) for side in sides) > MOST_NOISE)
        ]
    if not kept:
        return list(recipe)
    logger.info("outliers: %s scale activations as they come", ", ".join(kept))
    layers = "|".join(map(re.escape, kept))
    return [*recipe, few_bits("FULLY_CONNECTED", 8, layers=f"^({layers})/")]
