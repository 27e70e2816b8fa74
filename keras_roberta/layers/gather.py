"""Which tokens of a row the rest of a model needs."""

import math

from keras import ops

FIRST = "first"  # `<s>` alone


def gather_tokens(x, positions):
    """The vectors at some places of a sequence.

    Args:
        x: (batch, ..., length, size)
        positions: int (batch, positions); or `FIRST`; or None for all.

    Returns:
        (batch, ..., positions, size); one position for `FIRST`. A position outside its row is an
        error, or zeros or NaN on devices that cannot raise one.
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
    # As rows of a matrix, of which a gather takes whole ones.
    sequences = ops.reshape(ops.arange(batch * math.prod(outer[1:])), (batch, -1, 1))
    rows = sequences * length + positions[:, None, :]
    inside = ops.logical_and(positions >= 0, positions < length)[:, None, :]
    rows = ops.where(inside, rows, math.prod(outer) * length)
    taken = ops.take(ops.reshape(x, (-1, size)), rows, axis=0)
    return ops.reshape(taken, (*outer, count, size))
