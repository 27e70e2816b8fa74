"""Protocol buffers as they lie in a file, read and written without a schema.

A message is a row of fields. Each has a number and one of four wire types: a whole number of seven
bits a byte, eight bytes, a length with as many bytes behind it, or four bytes. Source: the encoding
page of protobuf.dev. Nothing of a message is run, and its lengths are held against what there is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FIXED = {1: 8, 5: 4}  # wire type: bytes
_LONGEST_NUMBER = 10  # bytes
_ONE_BYTE = [bytes([value]) for value in range(128)]


class WireError(ValueError):
    """Bytes are no message; says why in a few words."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The number and the value of each field: whole numbers, or bytes of all other types.

    Raises:
        WireError: the bytes are no message.

    >>> list(fields(bytes([8, 150, 1]) + field(2, b"ab") + float_field(3, 1.5)))
    [(1, 150), (2, b'ab'), (3, b'\\x00\\x00\\xc0?')]
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _number(message, at)
        number, wire_type = key >> 3, key & 7
        if not number:
            raise WireError("it has a field with the number 0")
        if wire_type == 0:
            value, at = _number(message, at)
            yield number, value
            continue
        if wire_type == 2:
            length, at = _number(message, at)
        elif wire_type in _FIXED:
            length = _FIXED[wire_type]
        else:
            raise WireError(f"field {number} has the wire type {wire_type}, which nobody writes")
        if length > end - at:
            raise WireError(f"it ends within field {number}")
        yield number, message[at : at + length]
        at += length


def field(number: int, content: bytes) -> bytes:
    """A field of bytes: a string, or a message."""
    return _written(number << 3 | 2) + _written(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field of a whole number from 0, or of a truth value."""
    return _written(number << 3) + _written(value)


def float_field(number: int, value: float) -> bytes:
    """A field of a float32."""
    return _written(number << 3 | 5) + struct.pack("<f", value)


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A whole number, lowest bits first, and the place behind it."""
    if at < len(message) and message[at] < 128:  # most are
        return message[at], at + 1
    value = 0
    for i, byte in enumerate(message[at : at + _LONGEST_NUMBER]):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    raise WireError("it ends within a number" if len(message) - at < _LONGEST_NUMBER
                    else "it holds a number of more than 64 bits")  # fmt: skip


def _written(value: int) -> bytes:
    if value < 128:
        return _ONE_BYTE[value]
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
