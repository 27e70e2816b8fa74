"""Ranges of activations that a training has found, as presets keep them."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import TEXT, ListOf, MapOf, Maybe, Number, Record, Whole

_SIDES = ("inputs", "result")
_RANGE = ListOf(Number(), at_least=2, at_most=2)
_KIND = Record(
    {
        "quantization": TEXT,
        "fingerprint": Whole(0),
        "steps": Whole(1),
        "products": MapOf(Maybe(Record(dict.fromkeys(_SIDES, _RANGE)))),
    }
)


@dataclasses.dataclass(frozen=True)
class ActivationRanges:
    """How large activations become in the matrix products of an encoder.

    Attributes:
        quantization: the scheme of `.tflite` files that they were learnt for.
        fingerprint: of the weights that they belong to, see `fingerprint_of`.
        steps: of the training, over which they are averages.
        products: by the name that a product has in exported graphs, such as
            "encoder/block_0/attention/query", the least and the largest number of its "inputs" and
            of its "result", at most and at least 0; None for one that scales its activations as
            they come. The result of a query is that before the scale of attention scores.
    """

    quantization: str
    fingerprint: int
    steps: int
    products: Mapping[str, Mapping[str, tuple[float, float]] | None]

    def unfit_for(self, quantization: str, fingerprint: int | None = None) -> str:
        """Why they cannot be used for a scheme, and for weights if these are given; or ""."""
        if quantization != self.quantization:
            return f"the ranges in the preset were learnt for {self.quantization!r}"
        if fingerprint not in (None, self.fingerprint):
            return "the ranges in the preset were learnt for other weights"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        products = {
            layer: sides and {side: list(ends) for side, ends in sides.items()}
            for layer, sides in self.products.items()
        }
        return {**vars(self), "products": products}

    @classmethod
    def from_dict(cls, values: Any) -> ActivationRanges:
        """Of `to_dict`.

        Raises:
            InputError: names the field that does not fit.
        """
        if problem := _KIND.problem(values, "activation_ranges"):
            raise InputError(problem)
        products = {}
        for layer, sides in values["products"].items():
            products[layer] = sides and {side: tuple(map(float, sides[side])) for side in _SIDES}
            for side, (low, high) in (products[layer] or {}).items():
                if not low <= 0 <= high:
                    raise InputError(
                        f"activation_ranges.products.{layer:.60}.{side}: expected a range around "
                        f"0; got {low} to {high}"
                    )
        return cls(values["quantization"], values["fingerprint"], values["steps"], products)


def fingerprint_of(weights: Mapping[str, Any]) -> int:
    """A number that weights of an encoder have and others have not. The tables of tokens and of
    positions do not count, so that a vocabulary can be trimmed and rows made longer.

    Args:
        weights: of an encoder by name, see `RobertaBackbone.weights_by_name`.
    """
    number = 0
    for name, weight in weights.items():
        if name not in ("embeddings/token", "embeddings/position"):
            number = zlib.crc32(np.ascontiguousarray(weight).tobytes(), number)
    return number
