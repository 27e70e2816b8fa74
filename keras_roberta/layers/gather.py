"""Taking out the vectors of those tokens that the rest of a model needs."""

import math

from keras import ops

from keras_roberta.layers.tensor import Tensor

FIRST = "first"  # the first token alone, `<s>`


def first_token(padding_mask: Tensor) -> Tensor:
    """The place of each row's first token: int32 (batch, 1), 0 where there is no padding in front.

    Args:
        padding_mask: int (batch, length), 1 for tokens and 0 for padding.
    """
    return ops.cast(ops.argmax(padding_mask, axis=1), "int32")[:, None]


def rotated_to_first_token(x: Tensor, first: Tensor) -> Tensor:
    """Rows rotated so that they begin with their first token; padding in front goes to the end.

    Args:
        x: int (batch, length)
        first: int (batch, 1), see `first_token`.
    """
    ones = ops.ones_like(x)  # the length may not be known yet
    places = ops.cumsum(ones, axis=1) - 1 + first  # (batch, length)
    length = ops.sum(ones, axis=1, keepdims=True)
    return ops.take_along_axis(x, ops.mod(places, length), axis=1)


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
