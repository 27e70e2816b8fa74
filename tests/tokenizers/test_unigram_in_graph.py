"""The Unigram tokenizer in graphs: the host's ids and places, for every text, in both forms."""

import dataclasses
import json
import random

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from sentencepiece_models import (
    TEXTS,
    float32_sums_matter,
    generated_texts,
    nearly_tied,
    trained_tokenizer,
)
from tokenizers import Tokenizer as Library

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import byte_buffer, open_tokenizer
from keras_roberta.tokenizers.in_graph.text_parts import cut_long_texts
from keras_roberta.tokenizers.in_graph.unigram_pieces import as_whole_numbers
from keras_roberta.tokenizers.offsets import tokens_in_bytes
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer
from keras_roberta.tokenizers.unigram.character_map import rules_of
from keras_roberta.tokenizers.unigram.long_texts import part_begins
from keras_roberta.tokenizers.unigram.tables import tables_of

NUM_BYTES, LENGTH = 160, 48  # of the static tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return trained_tokenizer(tmp_path_factory.mktemp("trained"))[1]


@pytest.fixture(scope="module")
def batched(tokenizer):
    return tokenizer.batched_in_graph()


@pytest.fixture(scope="module")
def tflite(tokenizer):
    """The static tokenizer for pairs as TFLite, of built-in ops alone."""
    static = tokenizer.static_in_graph()
    signature = [tf.TensorSpec((1, NUM_BYTES), tf.uint8, name) for name in ("utf8", "utf8_pair")]
    function = tf.function(
        lambda utf8, utf8_pair: static(utf8, utf8_pair, sequence_length=LENGTH, with_offsets=True),
        signature,
        autograph=False,
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], static
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert(), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def static_on(static, num_bytes):
    """The static tokenizer as a function of a buffer, with rows that no text fills."""
    return tf.function(
        lambda utf8: static(utf8, sequence_length=num_bytes + 2),
        [tf.TensorSpec((1, num_bytes), tf.uint8)],
        autograph=False,
    )


def check(tokenizer, batched, texts):
    """Ids, places and texts of rows, as on the host."""
    found = batched([text.encode() for text in texts], max_length=None, with_offsets=True)
    lengths = found["padding_mask"].numpy().sum(axis=1)
    for row, (ids, places) in enumerate(tokens_in_bytes(tokenizer, texts)):
        inner = slice(1, lengths[row] - 1)
        assert found["token_ids"][row, inner].numpy().tolist() == ids.tolist(), texts[row]
        assert found["offsets"][row, inner].numpy().tolist() == places.tolist(), texts[row]
    rows = [row[:n].tolist() for row, n in zip(found["token_ids"].numpy(), lengths, strict=True)]
    for skip in (True, False):
        decoded = batched.detokenize(found["token_ids"], skip).numpy().tolist()
        padded = [row.tolist() for row in found["token_ids"].numpy()]
        assert [text.decode() for text in decoded] == tokenizer.decode_batch(padded, skip)
    return rows


def test_batched(tokenizer, batched):
    texts = ["", " ", *TEXTS, *generated_texts(600, seed=1)]
    assert check(tokenizer, batched, texts) == tokenizer(texts)


def test_pairs_and_cutting(tokenizer, batched):
    firsts, seconds = generated_texts(40, seed=4), generated_texts(40, seed=5)
    for max_length in (4, 9, 20):
        found = batched(firsts, seconds, max_length, with_offsets=True)
        lengths = found["padding_mask"].numpy().sum(axis=1)
        rows = [r[:n].tolist() for r, n in zip(found["token_ids"].numpy(), lengths, strict=True)]
        assert rows == tokenizer(firsts, seconds, max_length=max_length)


def test_bytes_that_are_not_utf8(tokenizer, batched):
    texts = [b"a\xff b", b"\xe2\x96", b"the\xf0\x9f fox\xc3", b"\xed\xa0\x80"]
    found = batched(texts, max_length=None, with_offsets=True)
    lengths = found["padding_mask"].numpy().sum(axis=1)
    rows = [row[:n].tolist() for row, n in zip(found["token_ids"].numpy(), lengths, strict=True)]
    assert rows == tokenizer(texts)


def test_spelling_of_tokens(tokenizer, batched):
    ids = list(range(len(tokenizer) + 1))
    spelt = [text.decode() for text in batched.spell(tf.constant(ids)).numpy()]
    texts = tokenizer.token_texts()
    assert all(a == b for a, b in zip(spelt, texts, strict=False) if b is not None)
    assert spelt[-1] == "" and spelt[tokenizer.mask_token_id] == "<mask>"


@pytest.mark.parametrize("seed", [0])
def test_sums_are_rounded_as_sentencepiece_rounds_them(tokenizer, seed):
    content = nearly_tied(tokenizer, seed)
    tied = SentencePieceTokenizer(Library.from_str(json.dumps(content)), kind=tokenizer.kind)
    chance = random.Random(seed)
    texts = ["".join(chance.choices("aabc ", k=chance.randrange(400))) for _ in range(60)]
    texts += ["".join(chance.choices("abc", k=3000)), "a" * 500, ""]
    # Else this would test nothing.
    assert float32_sums_matter(tied._processor, texts) > 10
    assert tied.batched_in_graph().tokenize(texts).to_list() == tied(
        texts, add_special_tokens=False
    )
    short = texts[:25]
    assert float32_sums_matter(tied._processor, short) > 5
    run = static_on(tied.static_in_graph(), 400)
    for text in short:
        found = run(tf.constant(byte_buffer.fill([text], 400)))
        ids = found["token_ids"][0, : int(found["num_tokens"][0])].numpy().tolist()
        assert ids == tied(text), text


def test_long_texts(tokenizer, batched):
    texts = ["the fox sees a dog. " * 2500, "ab" * 20000, "\u65e5 " + "\u65e5" * 12000]
    texts += ["x<mask>" + "the fox " * 3000, "short"]
    check(tokenizer, batched, texts)


@pytest.mark.parametrize("block", [4, 7])
def test_where_long_texts_are_cut(block):
    chance = random.Random(block)
    for _ in range(50):
        text = "".join(chance.choices("ab \u00e9\u65e5\U00013000", k=chance.randrange(1, 30)))
        rest = "".join(chance.choices("ab ", k=9))
        vector = [0, *map(ord, text), 0, *map(ord, rest), 0]
        texts = [0, *[1] * len(text), 0, *[2] * len(rest), 0]
        cut, breaks = cut_long_texts(tf.constant(vector), tf.constant(texts), block)
        for begin, part in ((1, text), (2 + len(text), rest)):
            here = slice(begin, begin + len(part))
            begins = np.flatnonzero((cut.numpy()[here] == 0) | breaks.numpy()[here])
            expected = part_begins(part.encode(), block)[1:]
            assert [len(part[:place].encode()) for place in begins] == expected, part


def test_tflite(tokenizer, tflite):
    operations = {operation["op_name"] for operation in tflite._get_ops_details()}
    assert not [name for name in operations if name.startswith("Flex") or name == "CUSTOM"]
    run = tflite.get_signature_runner()
    texts = ["", " ", *TEXTS, *generated_texts(150, seed=2)]
    texts = [text.rstrip("\0") for text in texts if len(text.encode()) <= NUM_BYTES]
    seconds = texts[::-1]
    cut = tokenizer(texts, seconds, max_length=LENGTH)
    whole = tokenizer(texts, seconds)
    places = [tokens_in_bytes(tokenizer, [text])[0][1].tolist() for text in texts]
    for i, (first, second) in enumerate(zip(texts, seconds, strict=True)):
        found = run(
            utf8=byte_buffer.fill([first], NUM_BYTES),
            utf8_pair=byte_buffer.fill([second], NUM_BYTES),
        )
        length = found["padding_mask"][0].sum()
        assert found["token_ids"][0, :length].tolist() == cut[i], (first, second)
        assert found["num_tokens"].tolist() == [len(whole[i])]
        if len(whole[i]) <= LENGTH:
            expected = [[0, 0], *places[i], [0, 0], [0, 0], *places[-1 - i], [0, 0]]
            assert found["offsets"][0, :length].tolist() == expected


def test_what_has_no_room_is_told(tokenizer, tflite):
    """Each half becomes three characters: more than the buffers have bytes."""
    text = "\u00bd" * (NUM_BYTES // 2)
    run = tflite.get_signature_runner()
    full = byte_buffer.fill([text], NUM_BYTES)
    found = run(utf8=full, utf8_pair=full)
    assert found["num_tokens"][0] > LENGTH
    assert found["token_ids"][0, 1:20].tolist() == tokenizer(text)[1:20]
    empty = byte_buffer.fill(["\u00bd"], NUM_BYTES)
    found = run(utf8=empty, utf8_pair=empty)
    assert found["num_tokens"].tolist() == [len(tokenizer("\u00bd", "\u00bd"))]


def test_no_table_is_of_floats(batched):
    """A quantised file's converter would round them."""
    batched(["a"], max_length=None, with_offsets=True)
    captured = batched._tokens[True].get_concrete_function().captured_inputs
    assert captured and not [tensor for tensor in captured if tensor.dtype.is_floating]


def test_scores_that_span_too_much():
    with pytest.raises(InputError, match="its scores differ too much in size"):
        as_whole_numbers(np.float32([-1e-20, -3.0]))


def test_rows_of_another_layout_stay_on_the_host(tokenizer):
    content = json.loads(tokenizer._rust.to_str())
    content["post_processor"]["single"] = content["post_processor"]["single"][:2]
    other = SentencePieceTokenizer(Library.from_str(json.dumps(content)), kind=tokenizer.kind)
    assert other.batched_in_graph() is None and other.static_in_graph() is None


def test_maps_that_graphs_cannot_follow(tokenizer):
    with pytest.raises(InputError, match="does not turn U\\+2581 into a space"):
        tables_of(dataclasses.replace(tokenizer._model, character_map=b""))


@pytest.mark.slow
def test_xlmr(data_directory, tmp_path, monkeypatch):
    """XLM-R's own vocabulary and nmt_nfkc: every rule, real texts and pieces side by side."""
    directory = data_directory / "xlmr-small"
    if not directory.is_dir():
        pytest.skip(f"no {directory}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where its tables are kept
    tokenizer = open_tokenizer(directory)
    batched, chance = tokenizer.batched_in_graph(), random.Random(0)
    texts = []
    for file in sorted((data_directory / "lingua_sentences").glob("*.txt")):
        texts += file.read_text("utf-8").splitlines()[::10]
    rules = list(rules_of(tokenizer._model.character_map))
    pieces = tokenizer._model.pieces[4:-1]
    for _ in range(1500):
        texts.append("".join(chance.choices(rules, k=chance.randrange(12))))
        texts.append("".join(chance.choices(pieces, k=chance.randrange(12))))
    assert batched.tokenize(texts).to_list() == tokenizer(texts, add_special_tokens=False)
