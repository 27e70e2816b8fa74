"""The tokenizer of batches in a graph against the `tokenizers` library: the same ids for every
string."""

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from tokenizer_reference import decoded, library, library_ids, rows
from tokenizer_texts import (
    LONG_TEXTS,
    TEXTS,
    generated_texts,
    malformed,
    quick,
    strings,
)

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph import BatchedTokenizer
from keras_roberta.tokenizers.spelling import byte_alphabet

# Ids


def test_cases(batched, reference):
    assert rows(batched(TEXTS)) == library_ids(reference, TEXTS)
    assert batched.tokenize(TEXTS).to_list() == library_ids(
        reference, TEXTS, add_special_tokens=False
    )


@pytest.mark.parametrize("name", LONG_TEXTS)
def test_long_texts(batched, reference, name):
    texts = ["before", LONG_TEXTS[name], "after", ""]
    assert rows(batched(texts, max_length=None)) == library_ids(reference, texts)


@quick
@hypothesis.given(st.lists(strings | malformed, max_size=6))
def test_any_text(batched, reference, texts):
    assert rows(batched(texts)) == library_ids(reference, texts)


@pytest.mark.parametrize("special_tokens", [(), ("<mask>",), ("<s>", "</s>")])
def test_choice_of_special_tokens(vocabulary_and_merges, special_tokens):
    added = [
        AddedToken(token, vocabulary_and_merges[0][token], lstrip=token == "<mask>")
        for token in special_tokens
    ]
    tokenizer = BatchedTokenizer(*vocabulary_and_merges, added_tokens=added)
    reference = library(*vocabulary_and_merges, special_tokens=special_tokens)
    assert rows(tokenizer(TEXTS)) == library_ids(reference, TEXTS)


@pytest.fixture(scope="module")
def prefixing(vocabulary_and_merges):
    return (
        BatchedTokenizer(*vocabulary_and_merges, add_prefix_space=True),
        library(*vocabulary_and_merges, add_prefix_space=True),
    )


@quick
@hypothesis.given(st.lists(strings | malformed, max_size=6))
def test_prefix_space(prefixing, texts):
    tokenizer, reference = prefixing
    assert rows(tokenizer(texts)) == library_ids(reference, texts)


@pytest.mark.parametrize("kind", ["roberta", "trained here"])
def test_generated_texts(kind, request):
    """Thousands of them; hypothesis looks for the smallest that differ, above."""
    if kind == "roberta":
        tokenizer = request.getfixturevalue("roberta_in_graph")
        reference = request.getfixturevalue("roberta")[2]
    else:
        tokenizer, reference = map(request.getfixturevalue, ("batched", "reference"))
    texts = list(generated_texts(8000))
    found = tokenizer.tokenize(texts).to_list()
    expected = library_ids(reference, texts, add_special_tokens=False)
    assert [text for text, a, b in zip(texts, found, expected, strict=True) if a != b] == []


# Rows


@quick
@hypothesis.given(st.tuples(strings, strings), st.integers(5, 30))
def test_pairs_are_cut_as_by_the_library(batched, vocabulary_and_merges, pair, max_length):
    reference = library(*vocabulary_and_merges)
    reference.enable_truncation(max_length, strategy="longest_first")
    texts, pairs = [[text] for text in pair]
    expected = [reference.encode(*pair).ids]
    assert rows(batched(texts, pairs, max_length=max_length)) == expected
    assert rows(batched(texts, max_length=max_length)) == [reference.encode(pair[0]).ids]


@pytest.mark.parametrize("pairs", [False, True])
def test_empty_batch(batched, pairs):
    outputs = batched([], [] if pairs else None, with_offsets=True)
    assert outputs["token_ids"].shape == outputs["padding_mask"].shape == (0, 0)
    assert batched.tokenize([]).to_list() == []


def test_padding(batched):
    outputs = batched(["a", "a b c"])
    assert outputs["token_ids"].dtype == outputs["padding_mask"].dtype == tf.int32
    assert outputs["token_ids"][0, -1] == 1
    assert outputs["padding_mask"][0, -1] == 0 and outputs["padding_mask"][1, -1] == 1


@pytest.mark.parametrize("max_length", [0, 1])
def test_no_room(batched, max_length):
    with pytest.raises(InputError, match="no room"):
        batched(["a"], max_length=max_length)


@quick
@hypothesis.given(st.lists(strings | malformed, min_size=1, max_size=4))
def test_offsets_spell_the_tokens(batched, texts):
    """A token's bytes are those that its offsets point to, spaces at its ends left aside, and no
    other text goes missing."""
    spellings = batched.spellings.numpy()
    outputs = batched(texts, texts[::-1], max_length=None, with_offsets=True)
    for text, ids, offsets in zip(texts, rows(outputs), outputs["offsets"].numpy(), strict=True):
        text = text.encode() if isinstance(text, str) else text
        end_of_text = ids.index(2, 1) if 2 in ids[1:] else len(ids)
        at = 0
        for token, (begin, end) in list(zip(ids, offsets, strict=False))[1:end_of_text]:
            if b"\xef\xbf\xbd" not in decoded(text).encode():
                assert text[begin:end].strip() == spellings[token].strip()
                assert text[at:begin].isspace() or at == begin or token == 4
            assert 0 <= begin <= end <= len(text)
            at = end


# Texts out of ids


@quick
@hypothesis.given(strings)
def test_detokenize(batched, reference, text):
    ids = reference.encode(text, add_special_tokens=False).ids
    for skip in (False, True):
        plain = "".join(reference.id_to_token(i) for i in ids if not (skip and i < 5))
        letters = {letter: byte for byte, letter in enumerate(byte_alphabet())}
        expected = bytes(letters[letter] for letter in plain).decode(errors="replace")
        found = batched.detokenize([ids], skip_special_tokens=skip) if ids else [b""]
        assert found[0] == expected.encode()


def test_detokenize_repairs(batched, vocabulary_and_merges):
    vocabulary, alphabet = vocabulary_and_merges[0], byte_alphabet()
    for text in TEXTS:
        if isinstance(text, bytes):
            ids = [[vocabulary[alphabet[byte]] for byte in text]]
            assert batched.detokenize(tf.constant(ids))[0] == decoded(text).encode()


def test_unknown_ids_have_no_spelling(batched, vocabulary_and_merges):
    beyond = max(vocabulary_and_merges[0].values()) + 1
    assert batched.detokenize([[beyond, 10**6]])[0] == b""


# In graphs


def test_in_a_data_pipeline(batched, reference):
    dataset = tf.data.Dataset.from_tensor_slices([decoded(t) for t in TEXTS]).batch(8).map(batched)
    assert [row for batch in dataset for row in rows(batch)] == library_ids(reference, TEXTS)


def test_saved_model(batched, reference, tmp_path):
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = batched

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, texts):
            return batched(texts, max_length=32)

    module = Module()
    tf.saved_model.save(module, str(tmp_path), signatures={"serve": module.serve})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serve"]
    assert rows(loaded(tf.constant(TEXTS))) == rows(batched(TEXTS, max_length=32))


# Errors


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda v, m: v.pop("a"), "lacks"),
        (lambda v, m: m.append(("a", "not there")), "lacks"),
        (lambda v, m: v.update(x=0), "distinct"),
        (lambda v, m: v.update(x=-1), "distinct"),
    ],
)
def test_bad_vocabularies(vocabulary_and_merges, change, message):
    vocabulary, merges = dict(vocabulary_and_merges[0]), list(vocabulary_and_merges[1])
    change(vocabulary, merges)
    with pytest.raises(InputError, match=message):
        BatchedTokenizer(vocabulary, merges)
