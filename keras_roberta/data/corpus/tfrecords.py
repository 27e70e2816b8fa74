"""Writes TFRecords and `tf.train.Example`s of byte strings without TensorFlow.

The processes that tokenise have to start fast and need little memory, so they do not import
TensorFlow.

A record consists of its length (uint64), the masked CRC-32C of the length, the data, and the masked
CRC-32C of the data. All are little-endian (tensorflow/core/lib/io/record_writer.h). An Example is a
protocol buffer (example.proto).
"""

import struct

import google_crc32c

HEADER_BYTES = 12  # before the data
FOOTER_BYTES = 4  # behind it


def frame(data: bytes) -> bytes:
    """The record that holds `data`."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", _masked_crc(length)), data, struct.pack("<I", _masked_crc(data)))
    )


def is_intact(record: bytes) -> bool:
    """Whether a record is complete and both of its checksums are right."""
    if len(record) < HEADER_BYTES + FOOTER_BYTES:
        return False
    length, length_crc = struct.unpack_from("<QI", record)
    if length != len(record) - HEADER_BYTES - FOOTER_BYTES:
        return False
    data, (data_crc,) = record[HEADER_BYTES:-FOOTER_BYTES], struct.unpack("<I", record[-4:])
    return _masked_crc(record[:8]) == length_crc and _masked_crc(data) == data_crc


def example(features: dict[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """A serialised `tf.train.Example` with one byte string for each feature.

    Returns:
        message: the Example.
        places: for each feature, the byte of the message at which its value begins. With it a
            value can be read without parsing the message.

    >>> example({"a": b"xy"})
    (b'\\n\\r\\n\\x0b\\n\\x01a\\x12\\x06\\n\\x04\\n\\x02xy', {'a': 13})
    """
    entries, places, end = [], {}, 0
    for name, value in features.items():
        value_field = _field(1, value)  # BytesList.value
        bytes_list = _field(1, value_field)  # Feature.bytes_list
        entry = _field(1, _field(1, name.encode()) + _field(2, bytes_list))  # Features.feature
        entries.append(entry)
        end += len(entry)
        places[name] = end - len(value)  # every message ends with the value
    body = b"".join(entries)
    whole = _field(1, body)  # Example.features
    front = len(whole) - len(body)
    return whole, {name: place + front for name, place in places.items()}


def _field(number, content):
    """A length-delimited field of a protocol buffer."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _masked_crc(data):
    crc = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
