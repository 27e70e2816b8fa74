"""Which tokens of a row the rest of a model needs."""

from keras import ops

FIRST = "first"  # `<s>` alone


def tokens_at(x, positions):
    """The vectors at some places of a sequence.

    Args:
        x: (batch, ..., length, size)
        positions: int (batch, positions), or `FIRST`.

    Returns:
        (batch, ..., positions, size); one position for `FIRST`
    """
    if isinstance(positions, str):
        return x[..., :1, :]  # a slice, which TFLite's delegates know
    *outer, length, size = ops.shape(x)
    positions = ops.cast(positions, "int32")
    batch, count = ops.shape(positions)
    # As rows of a matrix, of which a gather takes whole ones.
    sequences = ops.reshape(ops.arange(batch * _product(outer[1:])), (batch, -1, 1))
    rows = ops.take(ops.reshape(x, (-1, size)), sequences * length + positions[:, None, :], axis=0)
    return ops.reshape(rows, (*outer, count, size))


def _product(sizes):
    product = 1
    for size in sizes:
        product = product * size
    return product
