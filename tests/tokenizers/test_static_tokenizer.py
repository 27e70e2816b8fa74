"""The tokenizer of fixed shapes, as a function and in TFLite: the same ids again."""

import random

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from hypothesis import strategies as st
from tokenizer_reference import decoded, library_ids, rows
from tokenizer_texts import TEXTS, generated_texts, malformed, quick, real_texts, strings

from keras_roberta.tokenizers import byte_buffer
from keras_roberta.tokenizers.in_graph import StaticTokenizer

NUM_BYTES, LENGTH = 160, 48  # of the static tokenizer


def static_function(tokenizer, num_sides, shape=(1, NUM_BYTES), sequence_length=LENGTH, **kwargs):
    names = ["utf8", "utf8_pair"][:num_sides]
    signature = [tf.TensorSpec(shape, tf.uint8, name) for name in names]

    def run(*sides):
        return tokenizer(*sides, sequence_length=sequence_length, **kwargs)

    return tf.function(run, signature, autograph=False)


def tflite_interpreter(tokenizer, function):
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tokenizer
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    return interpreter


def np_bytes(text):
    """Bytes as they are, malformed or not, in a buffer."""
    text = text.encode() if isinstance(text, str) else text
    return np.array([list(text) + [0] * (NUM_BYTES - len(text))], np.uint8)


def fits(text):
    return len(decoded(text).encode()) <= NUM_BYTES


@pytest.fixture(scope="module")
def static(vocabulary_and_merges):
    """The static tokenizer for pairs, as a function of two buffers."""
    return static_function(StaticTokenizer(*vocabulary_and_merges), 2, with_offsets=True)


@pytest.fixture(scope="module")
def tflite(vocabulary_and_merges):
    """The static tokenizer as a TFLite interpreter, of built-in ops alone."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    return tflite_interpreter(tokenizer, static_function(tokenizer, 1))


@quick
@hypothesis.given(st.tuples(strings | malformed, strings | malformed))
def test_static_is_batched(static, batched, pair):
    hypothesis.assume(all(map(fits, pair)))
    # Zeros at the end are padding there, and FF before them ends the text.
    texts, pairs = [[t.rstrip("\0" if isinstance(t, str) else b"\0\xff")] for t in pair]
    found = static(*(np_bytes(side[0]) for side in (texts, pairs)))
    expected = batched(texts, pairs, max_length=LENGTH, with_offsets=True)
    longest = expected["token_ids"].shape[1]
    for name in ("token_ids", "padding_mask", "offsets"):
        np.testing.assert_array_equal(found[name][:, :longest], expected[name], name)
    assert rows(found) == rows(expected)


def test_static_lengths(vocabulary_and_merges, reference):
    """With lengths, zeros at the end belong to the text; bytes behind it do not."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    texts = ["a\0\0", "dog fox", ""]
    buffers = np.concatenate([np_bytes(text + "dog")[:, :8] for text in texts])
    found = tokenizer(buffers, lengths=tf.constant([3, 7, 0]), sequence_length=LENGTH)
    assert rows(found) == library_ids(reference, texts)


def test_static_buffer_overflow(static, reference):
    """Replacement needs more room than there is: cut at the end of a character."""
    found = static(np_bytes(b"\xff" * NUM_BYTES), np_bytes(""))
    replaced = (2 * NUM_BYTES + 2) // 3
    ids = reference.encode("\ufffd" * replaced, add_special_tokens=False).ids
    expected = [0, *ids[: LENGTH - 4], 2, 2, 2]
    assert rows(found) == [expected[:LENGTH]]


def test_static_terminator(static, reference):
    """NULs at the end of a text, told from the zeros behind it."""
    for text in ("a\0\0", "\0", "", "dog"):
        found = static(byte_buffer.fill([text], NUM_BYTES), byte_buffer.fill([""], NUM_BYTES))
        ids = reference.encode(text, add_special_tokens=False).ids
        assert rows(found) == [[0, *ids, 2, 2, 2]]
        assert found["num_tokens"] == len(ids) + 4


def test_spelling_of_each_token(batched, vocabulary_and_merges):
    """As bytes in rows of equal length, for TFLite: joined they are what `detokenize` gives."""
    tokenizer = StaticTokenizer(*vocabulary_and_merges)
    ids = tf.range(2 + len(vocabulary_and_merges[0]))  # two beyond the last
    utf8, lengths = tokenizer.spell(ids[None, :, None])
    utf8, lengths = utf8.numpy().reshape(len(ids), -1), lengths.numpy().reshape(-1)
    spelt = [row[:n].tobytes() for row, n in zip(utf8, lengths, strict=True)]
    assert not any(row[n:].any() for row, n in zip(utf8, lengths, strict=True))
    assert utf8.shape[1] == max(lengths) and lengths[-2:].tolist() == [0, 0]
    expected = batched.detokenize(ids[:, None], skip_special_tokens=False).numpy().tolist()
    assert [text.decode(errors="replace").encode() for text in spelt] == expected


def test_tflite(tflite, reference):
    ops = {op["op_name"] for op in tflite._get_ops_details()}
    assert not [op for op in ops if op.startswith("Flex") or op == "CUSTOM"], ops
    run = tflite.get_signature_runner()
    chance = random.Random(3)
    words = "the fox's <mask> \n\n  12 \u65e5\u672c\u8a9e <s> 'll aaa e\u0301".split(" ")
    texts = [t for t in TEXTS if fits(t)]
    texts += [" ".join(chance.choices(words, k=chance.randrange(20))) for _ in range(100)]
    texts = [text for text in texts if fits(text)]
    reference.enable_truncation(LENGTH)
    expected = library_ids(reference, texts)
    reference.no_truncation()
    for text, ids in zip(texts, expected, strict=True):
        found = {name: tf.constant(value) for name, value in run(utf8=np_bytes(text)).items()}
        assert rows(found) == [ids], text


def pieces(text, num_bytes):
    """A text in parts of at most so many bytes, whole characters each."""
    utf8 = byte_buffer.encode(text)
    while utf8:
        piece = utf8[:num_bytes].decode(errors="ignore").encode()
        yield piece
        utf8 = utf8[len(piece) :]


@pytest.mark.slow
def test_real_and_generated_texts_in_tflite(roberta, data_directory):
    """A tenth of all lines, byte for byte; all of them take minutes, in
    `benchmarks/tokenizer_parity.py`. Lines longer than the largest buffer go through in pieces.
    Several texts share a call, each in a buffer of its own."""
    tokenizer = StaticTokenizer(*roberta[:2])
    sizes = {64: 32, 256: 8, 1024: 2}  # bytes of a buffer: buffers in a call
    chance, texts = random.Random(0), real_texts(data_directory)
    texts = chance.sample(texts, len(texts) // 10) + list(generated_texts(3000, seed=1))
    texts = dict.fromkeys(piece for text in texts for piece in pieces(text, max(sizes)))
    texts, differ = sorted(texts, key=len), []
    for num_bytes, num_buffers in sizes.items():
        function = static_function(tokenizer, 1, (num_buffers, num_bytes), num_bytes + 2)
        run = tflite_interpreter(tokenizer, function).get_signature_runner()
        fitting = [text for text in texts if len(text) <= num_bytes]
        texts = texts[len(fitting) :]
        fitting += [b""] * (-len(fitting) % num_buffers)
        expected = library_ids(roberta[2], fitting)
        for begin in range(0, len(fitting), num_buffers):
            batch = slice(begin, begin + num_buffers)
            found = run(utf8=byte_buffer.fill(fitting[batch], num_bytes))
            found = {name: tf.constant(value) for name, value in found.items()}
            for text, a, b in zip(fitting[batch], rows(found), expected[batch], strict=True):
                differ += [text] if a != b else []
    assert differ == [] and texts == []
