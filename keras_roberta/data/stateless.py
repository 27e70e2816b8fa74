"""Random numbers computed by hashing keys: the same in any order and on any machine.

`hash64` applies SplitMix64's finaliser (Steele et al. 2014, figure 15) to each argument in turn.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash64(*parts: int | np.ndarray) -> np.ndarray:
    """A hash of integers, or of arrays of integers: uint64, of their broadcast shape.

    >>> int(hash64(1, 2)), int(hash64(2, 1)) == int(hash64(1, 2))
    (13608149317741381227, False)
    """
    value = np.zeros((), np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is intended
        for part in parts:
            value = (value ^ np.asarray(part).astype(np.uint64)) + _GOLDEN
            value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
            value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
            value = value ^ value >> np.uint64(31)
    return value


def uniform(*parts: int | np.ndarray) -> np.ndarray:
    """Random numbers in [0, 1) from keys: float64, of the shape of `hash64(*parts)`."""
    return (hash64(*parts) >> np.uint64(11)) * 2.0**-53


def permuted(positions: np.ndarray, size: int | np.integer, key: int | np.ndarray) -> np.ndarray:
    """Applies a random permutation of `range(size)` to some positions, in constant memory.

    A Feistel network permutes the numbers below the next power of four. It is applied again until
    the value is below `size` (cycle walking: Black and Rogaway 2002, section 3).

    Args:
        positions: integers (n,) in [0, size).
        size: the number of positions.
        key: integers (n,), or one integer. Each key gives another permutation.

    Returns:
        int64 (n,) in [0, size).

    >>> sorted(permuted(np.arange(5), 5, 7).tolist())
    [0, 1, 2, 3, 4]
    """
    half = np.uint64(max(1, (int(size - 1).bit_length() + 1) // 2))
    low = np.uint64(2 ** int(half) - 1)

    def encrypt(values, keys):
        left, right = values >> half, values & low
        for round in range(4):
            left, right = right, left ^ hash64(keys, round, right) & low
        return left << half | right

    keys = np.broadcast_to(np.asarray(key).astype(np.uint64), np.shape(positions))
    values = encrypt(np.asarray(positions).astype(np.uint64), keys)
    while (outside := values >= size).any():
        values[outside] = encrypt(values[outside], keys[outside])
    return values.astype(np.int64)
