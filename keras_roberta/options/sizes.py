"""Sizes of files as people write them."""

import math
import numbers
import re

from keras_roberta.options.option import OptionError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
GIGABYTE = 1 << 30  # what Keras calls GB


def bytes_of_text(name: str, size: int | str) -> int:
    """The bytes of a size such as "500MB", in units of 1000 as Hugging Face counts.

    >>> bytes_of_text("max_shard_size", "1.5 GB")
    1500000000

    Args:
        name: of the option, for the message.
        size: text, or a number of bytes.

    Raises:
        OptionError: it is no size, or less than a byte.
    """
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMGT]?B?)\s*", str(size).upper())
    if found is None or found[2] not in _UNITS or isinstance(size, (bool, float)):
        raise OptionError(name, f"{size!r}: give bytes, or a size such as 500MB or 5GB")
    num_bytes = int(float(found[1]) * _UNITS[found[2]])
    if num_bytes < 1:
        raise OptionError(name, f"must be at least 1 byte; got {size!r}")
    return num_bytes


def bytes_of_gigabytes(name: str, size: float | str | None) -> int | None:
    """The bytes of a size in GB as Keras counts them, or of text such as "500MB".

    >>> bytes_of_gigabytes("max_shard_size", 0.5)
    536870912

    Args:
        name: of the option, for the message.
        size: GB of 1024 MB; or text, see `bytes_of_text`; or None for no limit, which is given
            back.

    Raises:
        OptionError: it is no size, or less than a byte.
    """
    if size is None:
        return None
    if isinstance(size, str):
        return bytes_of_text(name, size)
    is_number = isinstance(size, numbers.Real) and not isinstance(size, bool)
    if not is_number or not math.isfinite(size):
        raise OptionError(name, f"{size!r}: give GB, a size such as 500MB, or None for no limit")
    if size * GIGABYTE < 1:
        raise OptionError(name, f"must be at least 1 byte; got {size!r} GB")
    return round(size * GIGABYTE)
