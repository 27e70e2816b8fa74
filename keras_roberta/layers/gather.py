"""Taking out the vectors of those tokens that the rest of a model needs."""

import math

from keras import ops

from keras_roberta.layers.tensor import Tensor

FIRST = "first"  # the first token alone, `<s>`


def gather_tokens(x: Tensor, positions: Tensor | str | None) -> Tensor:
    """The vectors at some positions of each row.

    Args:
        x: (batch, ..., length, size)
        positions: int (batch, positions); or `FIRST` for the first token; or None for all.

    Returns:
        (batch, ..., positions, size), with one position for `FIRST`; `x` itself for None. A
        position outside its row raises an error, or gives zeros or NaN on devices that cannot
        raise one.
    """
    if positions is None:
        return x
    if isinstance(positions, str):
        if positions != FIRST:
            raise ValueError(f"positions must be integers, {FIRST!r} or None; got {positions!r}")
        return x[..., :1, :]
    *outer, length, size = ops.shape(x)
    positions = ops.cast(positions, "int32")
    batch, count = ops.shape(positions)
    # A lookup takes whole rows of a matrix, so all vectors become rows of one.
    sequences = ops.reshape(ops.arange(batch * math.prod(outer[1:])), (batch, -1, 1))
    rows = sequences * length + positions[:, None, :]
    inside = ops.logical_and(positions >= 0, positions < length)[:, None, :]
    rows = ops.where(inside, rows, math.prod(outer) * length)
    taken = ops.take(ops.reshape(x, (-1, size)), rows, axis=0)
    return ops.reshape(taken, (*outer, count, size))
