"""How large what is packed may become: a few kB of gzip or zstd can stand for any number of GB."""

_ALWAYS = 1 << 23  # bytes
_TIMES = 64  # Prose packs to a third, a table of a few templates to a thirtieth.


def most_unpacked(num_bytes: int) -> int:
    """The bytes that a packed file may unpack to.

    Args:
        num_bytes: of the packed file.

    >>> most_unpacked(10), most_unpacked(10**9)
    (8388608, 64000000000)
    """
    return max(_ALWAYS, _TIMES * num_bytes)
