"""The quantisation schemes of `.tflite` files, in one table.

A scheme of your own is one more `QuantizationScheme` in `SCHEMES`; see
docs/how-to/add-a-quantisation.md. Nothing here imports TensorFlow before a scheme is used.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

from keras_roberta.export.operation_names import POSITION_LOOK_UP, TOKEN_PROJECTION
from keras_roberta.export.recipes import OCTAV, few_bits, static
from keras_roberta.export.sensitivity import keep_sensitive_products
from keras_roberta.export.tflite_rewrites import (
    gather_before_widening,
    look_up_by_rows,
    share_vocabulary,
)


@dataclasses.dataclass(frozen=True)
class Bound:
    """How far the answers of a file may be from those of its task, on the sample texts.

    Attributes:
        agreement: least share of the texts whose answers are the same; for masked tokens, of the
            masks. A text whose answer differs is not counted if no probability in it moved by more
            than half of `largest_change`: it was nearly a tie. Answers that are numbers have no
            such share.
        largest_change: of a probability; of a value, as a share of the largest value (at least 1).
        mean_change: mean over the texts of the largest change of a probability in each. Coarse
            numbers move a few texts by much and most by little; a wrong weight moves them all.
    """

    agreement: float
    largest_change: float
    mean_change: float = math.inf


def _leave(converter) -> None:
    """The converter's default: float32."""


@dataclasses.dataclass(frozen=True)
class QuantizationScheme:
    """How the weights of a `.tflite` file are stored and computed with.

    Attributes:
        name: what `quantization=` calls it.
        summary: what it does, in a few words.
        bound: what it may cost; a file beyond it is refused.
        bits: about how many a weight takes, by which a search tries the small ones first.
        configure: sets up a `tf.lite.TFLiteConverter`, in place.
        rewrites: functions that change the converted model, a `schema.ModelT` of ai-edge-litert,
            in place, one after the other.
        recipe: of ai-edge-quantizer, which quantizes the rewritten model by it: entries such as
            `recipes.few_bits` makes, or read from its JSON; empty where the converter does all.
        adapt_recipe: a function of the recipe, the rewritten model in float32 (bytes) and the
            sample texts (`calibration.Samples`) that returns the recipe for this model.
        min_runtime_version: the oldest TFLite or LiteRT that runs the file, where `recipe` uses
            what the converter does not know of.
        needs_calibration: whether sample texts have to be given, unless a training has left ranges
            with the task.
        least_texts: how many of them.
        one_partition: "demanded" refuses a file that XNNPACK does not run in one piece from the
            embeddings to the head; "reported" only logs how many pieces there are.
    """

    name: str
    summary: str
    bound: Bound
    bits: float = 32.0
    configure: Callable[[Any], None] = _leave
    rewrites: tuple[Callable[[Any], None], ...] = ()
    recipe: tuple[dict[str, Any], ...] = ()
    adapt_recipe: Callable[[list, bytes, Any], list] | None = None
    min_runtime_version: str | None = None
    needs_calibration: bool = False
    least_texts: int = 1
    one_partition: Literal["demanded", "reported"] = "demanded"


def _half_precision(converter) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic_range(converter) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


# Largest changes that were measured, with a 30-million-parameter model that starts random and one
# fine-tuned on SST-2, on the texts of the check and on 300 sentences:
#     none      7e-7 and 4e-6
#     float16   4e-4 and 1e-3
#     int8      0.07 and 0.16, where 1 sentence in 50 changes its label, all of them near a tie
# The mean on the texts of the check is 0.012 with int8, and at most 0.015 in the tests.
# A wrong weight gives 0.2 and more where logits are large; where they are 1 at most, a bias that is
# wrong by a third gives 0.09, and a mean of 0.08.
# docs/measured.md has the changes of most schemes on the 872 sentences of SST-2's dev file.
# The bounds of 4 bits are wide: a tiny model of large random weights moved by 0.14 on average, and
# was refused for its labels. The graph before its conversion has to keep the bound of "none".
_EIGHT_BITS = Bound(agreement=0.9, largest_change=0.15, mean_change=0.05)
_FIXED_RANGES = Bound(agreement=0.85, largest_change=0.3, mean_change=0.1)
_FOUR_BITS = Bound(agreement=0.8, largest_change=0.4, mean_change=0.2)

# Where the look-up's table is the table of the vocabulary's projection too, one entry has to be as
# the other: it stands in the file once then.
_TABLES_OF_4_BITS = (
    few_bits("EMBEDDING_LOOKUP", 4, block_size=(128, 64, None), scales=OCTAV),
    few_bits("EMBEDDING_LOOKUP", 8, layers=POSITION_LOOK_UP),
    few_bits(
        "FULLY_CONNECTED", 4, block_size=(128, 64, None), layers=TOKEN_PROJECTION, scales=OCTAV
    ),
)
_PRODUCTS_OF_4_BITS = few_bits("FULLY_CONNECTED", 4, block_size=(64, 32), scales=OCTAV)
# Fewer tell little about how large activations become.
_LEAST_TEXTS = 16


def _static_products(activation_bits: int) -> tuple[dict[str, Any], ...]:
    """The encoder's products with activations of fixed ranges. What is between them, the layer
    norms, the attention's scores, their mask and their softmax, stays in float32."""
    return (
        few_bits("FULLY_CONNECTED", 8),
        static("FULLY_CONNECTED", activation_bits, layers="^encoder/"),
        few_bits("EMBEDDING_LOOKUP", 8),
    )


SCHEMES: dict[str, QuantizationScheme] = {
    scheme.name: scheme
    for scheme in (
        QuantizationScheme(
            name="none",
            summary="float32, as in Keras",
            bound=Bound(agreement=1.0, largest_change=1e-4),
        ),
        QuantizationScheme(
            name="float16",
            summary="weights in half precision, computed with in float32",
            bound=Bound(agreement=1.0, largest_change=1e-2),
            bits=16,
            configure=_half_precision,
            rewrites=(gather_before_widening,),
        ),
        QuantizationScheme(
            name="int8",
            summary="weights in 8 bits, one scale a row or output, products in 8 bits with "
            "activations scaled as they come",
            bound=_EIGHT_BITS,
            bits=8,
            configure=_dynamic_range,
            rewrites=(share_vocabulary,),
        ),
        QuantizationScheme(
            name="int8-static",
            summary="int8 with activations of fixed ranges, those of sample texts",
            bound=_FIXED_RANGES,
            bits=8,
            rewrites=(look_up_by_rows,),
            recipe=_static_products(8),
            min_runtime_version="2.19.0",
            needs_calibration=True,
            least_texts=_LEAST_TEXTS,
        ),
        QuantizationScheme(
            name="int16x8",
            summary="weights in 8 bits, activations in 16 of fixed ranges, those of sample texts; "
            "for accelerators, slow on a CPU",
            bound=_EIGHT_BITS,
            bits=9,
            rewrites=(look_up_by_rows,),
            recipe=_static_products(16),
            min_runtime_version="2.19.0",
            needs_calibration=True,
            least_texts=_LEAST_TEXTS,
            one_partition="reported",
        ),
        QuantizationScheme(
            name="int4-embedding",
            summary="int8 with the embeddings of tokens in 4 bits",
            bound=Bound(agreement=0.9, largest_change=0.25, mean_change=0.06),
            bits=6,
            rewrites=(look_up_by_rows,),
            recipe=(few_bits("FULLY_CONNECTED", 8), *_TABLES_OF_4_BITS),
            min_runtime_version="2.20.0",
        ),
        QuantizationScheme(
            name="int4",
            summary="weights in 4 bits, in blocks with a scale each; products in 8 bits with "
            "activations scaled as they come; small, on many CPUs slower than float32",
            bound=_FOUR_BITS,
            bits=4,
            rewrites=(look_up_by_rows,),
            recipe=(_PRODUCTS_OF_4_BITS, *_TABLES_OF_4_BITS),
            min_runtime_version="2.20.0",
        ),
        QuantizationScheme(
            name="mixed",
            summary="int4 with 8 bits for the products that move the answers to sample texts most; "
            "small, on many CPUs slower than float32",
            bound=_FOUR_BITS,
            bits=5,
            rewrites=(look_up_by_rows,),
            recipe=(_PRODUCTS_OF_4_BITS, *_TABLES_OF_4_BITS),
            adapt_recipe=keep_sensitive_products,
            min_runtime_version="2.20.0",
            needs_calibration=True,
            least_texts=_LEAST_TEXTS,
        ),
    )
}
