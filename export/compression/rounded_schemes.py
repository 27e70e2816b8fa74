"""Which schemes of `.tflite` files round weights in a way that a task can be trained with."""

from __future__ import annotations

from keras_roberta.export.quantization import SCHEMES, QuantizationScheme
from keras_roberta.export.recipes import LARGEST, OCTAV, Entry, few_bits
from keras_roberta.options import OptionError

# What the converter does itself, as an entry of a recipe, by the name of the scheme.
_OF_CONVERTER = {"int8": few_bits("FULLY_CONNECTED", 8)}
_ALGORITHMS = (LARGEST, OCTAV)


def schemes_with_rounding() -> tuple[str, ...]:
    """The names of the schemes that `rounding_entry` knows."""
    return tuple(name for name, scheme in SCHEMES.items() if _found(scheme))


def rounding_entry(scheme: QuantizationScheme) -> Entry:
    """The entry of a recipe by which a scheme rounds the matrices of products.

    Raises:
        OptionError: it stores floats, or rounds in a way that is not known here.
    """
    found = _found(scheme)
    if found is None:
        known = ", ".join(schemes_with_rounding())
        raise OptionError(
            "quantization",
            f"{scheme.name!r}: weights are not rounded, or in another way than training knows; "
            f"expected one of {known}",
        )
    return found


def _found(scheme):
    if scheme.name in _OF_CONVERTER:
        return _OF_CONVERTER[scheme.name]
    if scheme.adapt_recipe is not None:  # bits that sample texts decide
        return None
    for entry in scheme.recipe:
        if entry["operation"] == "FULLY_CONNECTED" and entry["regex"] == ".*":
            return entry if entry["algorithm_key"] in _ALGORITHMS else None
    return None
