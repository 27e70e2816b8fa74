"""Buffers of fixed size for texts."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_roberta.tokenizers import byte_buffer


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", b"\0\0\0\0"),
        ("abcdef", b"abcd"),
        ("ab\u65e5x", b"ab\0\0"),
        ("a\u65e5\u672c", b"a\xe6\x97\xa5"),
        (b"a\xffbcd", b"a\xef\xbf\xbd"),
        ("\ud83d\ude00", b"\xf0\x9f\x98\x80"),
        ("\ud83d", b"\xef\xbf\xbd\0"),
        ("a\0", b"a\0\xff\0"),
        ("a\0\0\0", b"a\0\0\xff"),
        ("a\0b", b"a\0b\0"),
        ("ab\0\u65e5", b"ab\0\xff"),
    ],
)
def test_fill(text, expected):
    buffer = byte_buffer.fill([text], 4)
    assert buffer.dtype == np.uint8 and buffer.tobytes() == expected


@hypothesis.given(st.text() | st.binary(), st.integers(1, 20))
def test_what_is_cut_is_still_a_start_of_the_text(text, num_bytes):
    whole = byte_buffer.encode(text)
    kept = byte_buffer.fill([text], num_bytes)[0].tobytes().rstrip(b"\0").rstrip(b"\xff")
    assert whole.startswith(kept) and kept.decode() is not None
    if len(whole) < num_bytes:
        assert kept == whole


def test_encode_is_what_python_replaces():
    for raw in (b"\xed\xa0\x80", b"\xe3\x81x", b"\xf0\x9f\x98", b"\xc0\xaf"):
        assert byte_buffer.encode(raw).decode() == raw.decode(errors="replace")
