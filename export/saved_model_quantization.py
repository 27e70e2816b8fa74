"""The quantisation schemes of SavedModels, in one table.

A scheme of your own is one more `SavedModelScheme` in `SAVED_MODEL_SCHEMES`; see
docs/how-to/add-a-quantisation.md. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import ml_dtypes
import numpy as np

from keras_roberta.export.quantization import SCHEMES, Bound

# Numbers of a matrix, and a float32 scale for each output or None.
Packed = tuple[np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class SavedModelScheme:
    """How the matrices of a SavedModel are stored, on disk and in memory.

    Products are computed in float32, from a matrix that is widened for each (see `PackedGraph`).

    Attributes:
        name: what `quantization=` calls it.
        summary: what it does, in a few words.
        bound: what it may cost; a model beyond it is refused.
        pack: function of a matrix, float32 (rows, columns), and of the axis along which its outputs
            lie: 1 of a kernel, 0 of a table of embeddings, whose rows are looked up. It returns the
            numbers to store, of the same shape and any type that TensorFlow casts to float32, and
            the scales that they are to be multiplied by, float32 (outputs,), or None. None: the
            matrices stay as they are.
    """

    name: str
    summary: str
    bound: Bound
    pack: Callable[[np.ndarray, int], Packed] | None = None


def as_float16(matrix: np.ndarray, axis: int) -> Packed:
    """Each number rounded to half precision, IEEE 754: 11 bits of precision, at most 65504."""
    with np.errstate(over="ignore"):  # infinity then, which the check of the export finds
        return matrix.astype("float16"), None


def as_bfloat16(matrix: np.ndarray, axis: int) -> Packed:
    """Each number rounded to bfloat16: 8 bits of precision, and the range of float32."""
    return matrix.astype(ml_dtypes.bfloat16), None


def as_int8(matrix: np.ndarray, axis: int) -> Packed:
    """Whole numbers from -127 to 127 and a scale for each output, by its largest weight.

    >>> numbers, scales = as_int8(np.array([[0.5, -2.0], [-1.0, 1.0]], "float32"), 1)
    >>> numbers.tolist(), (127 * scales).round(5).tolist()
    ([[64, -127], [-127, 64]], [1.0, 2.0])
    """
    scales = np.abs(matrix).max(axis=1 - axis) / np.float32(127)
    # An output of zeros, or of the smallest numbers that there are, becomes zeros.
    scales = np.where(scales >= np.finfo("float32").tiny, scales, np.float32(1))
    with np.errstate(invalid="ignore"):  # weights that are no numbers are found by the check
        numbers = np.rint(matrix / np.expand_dims(scales, 1 - axis)).astype("int8")
    return numbers, scales


# With a model of 30 million parameters fine-tuned on SST-2, on its 872 dev sentences, the largest
# and the mean change of a probability:
#     bfloat16  0.004 and 0.0005
#     float16   0.0005 and 0.0001
#     int8      0.08 and 0.019; 1.8 sentences in 100 change their label
# The bounds leave room for tiny models of large random weights, as the ones of `SCHEMES` do.
SAVED_MODEL_SCHEMES: dict[str, SavedModelScheme] = {
    scheme.name: scheme
    for scheme in (
        SavedModelScheme(
            name="none",
            summary="float32, as in Keras",
            bound=SCHEMES["none"].bound,
        ),
        SavedModelScheme(
            name="bfloat16",
            summary="matrices in 16 bits with the range of float32, widened in each call",
            bound=Bound(agreement=1.0, largest_change=0.05, mean_change=0.015),
            pack=as_bfloat16,
        ),
        SavedModelScheme(
            name="float16",
            summary="matrices in half precision, widened in each call",
            bound=Bound(agreement=1.0, largest_change=1e-2),
            pack=as_float16,
        ),
        SavedModelScheme(
            name="int8",
            summary="matrices in 8 bits, one scale a row or output, widened in each call",
            bound=Bound(agreement=0.9, largest_change=0.15, mean_change=0.05),
            pack=as_int8,
        ),
    )
}
