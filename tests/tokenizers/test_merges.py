"""Merges in a graph: the table of them, their order, long words; and the words they work on."""

import itertools
import random

import numpy as np
import pytest
import tensorflow as tf
from tokenizer_reference import library, library_ids, rows
from tokenizers import pre_tokenizers

from keras_roberta.tokenizers.in_graph import BatchedTokenizer
from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.unicode_classes import SPACE, code_point_classes
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS
from keras_roberta.tokenizers.spelling import byte_alphabet


def test_merge_table(vocabulary_and_merges):
    vocabulary, merges = vocabulary_and_merges
    ranks = {(vocabulary[a], vocabulary[b]): rank for rank, (a, b) in enumerate(merges)}
    pairs = np.array(list(itertools.product(vocabulary.values(), repeat=2)), np.int32)
    found = MergeTable(vocabulary, merges).rank(pairs[:, 0], pairs[:, 1])
    expected = [ranks.get(pair, len(merges)) for pair in map(tuple, pairs.tolist())]
    np.testing.assert_array_equal(found, expected)


def test_table_of_real_size(roberta):
    table = MergeTable(*roberta[:2])
    tensors = (value for value in vars(table).values() if tf.is_tensor(value))
    assert sum(value.numpy().nbytes for value in tensors) == table.nbytes < 4e6


@pytest.mark.parametrize("seed", range(6))
def test_merges_in_any_order(seed):
    """Merges that no training would learn: tokens with several derivations, ranks shuffled."""
    chance = random.Random(seed)
    tokens, merges = ["a", "b", "c"], []
    for _ in range(30):
        left, right = chance.choice(tokens), chance.choice(tokens)
        if len(left + right) <= 9 and (left, right) not in merges:
            merges.append((left, right))
            tokens.append(left + right)
    if seed % 2:
        chance.shuffle(merges)
    tokens = [*SPECIAL_TOKENS, *byte_alphabet(), *dict.fromkeys(tokens[3:])]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    texts = ["".join(chance.choices("abc ", (9, 3, 3, k % 3), k=2 * k)) for k in range(60)]
    texts += ["a" * k for k in range(30)]
    tokenizer = BatchedTokenizer(vocabulary, merges)
    assert seed % 2 == 0 or tokenizer.to_tokens.table.out_of_order is not None
    assert rows(tokenizer(texts)) == library_ids(library(vocabulary, merges), texts)


def test_a_merge_that_stands_twice_has_its_last_rank():
    """As in the `tokenizers` library: of "abc" the later "b c" now comes before "a b"."""
    tokens = [*SPECIAL_TOKENS, *byte_alphabet(), "ab", "bc", "abc"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = [("a", "b"), ("b", "c"), ("a", "b"), ("ab", "c")]
    texts = ["abc", "ab", "bc", "abcabc", "aabbcc"]
    found = rows(BatchedTokenizer(vocabulary, merges)(texts))
    assert found == library_ids(library(vocabulary, merges), texts)
    assert found[0][1:-1] == [vocabulary["a"], vocabulary["bc"]]


@pytest.mark.parametrize(
    ("merges", "text"),
    [
        # A run of one pair that begins beside a merge of lower rank is not halved from its start.
        ("b-a a-ba aba-b abab-a b-aba b-baba ba-b a-a", "ab" + 10 * "a"),
        # Merges that make a part of an earlier one wait for each other across segments of a word.
        ("a-a bc-b a-bc b-c", "cbcbcb"),
    ],
)
def test_merges_that_depend_on_their_neighbours(merges, text):
    pairs = [tuple(pair.split("-")) for pair in merges.split()]
    tokens = [*SPECIAL_TOKENS, *byte_alphabet(), *dict.fromkeys(map("".join, pairs))]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    found = rows(BatchedTokenizer(vocabulary, pairs)([text]))
    assert found == library_ids(library(vocabulary, pairs), [text])


@pytest.mark.slow
def test_long_words_of_real_size(roberta):
    """Dependencies over long distances: random words, and every token next to every kind."""
    vocabulary, merges, reference = roberta
    tokenizer = BatchedTokenizer(vocabulary, merges)
    chance = random.Random(5)
    products = [left + right for left, right in merges if (left + right).isalpha()]
    products = [token for token in products if token.isascii()]
    texts = ["".join(chance.choices(products, k=k)) for k in [10] * 2000 + [1000] * 20]
    texts += ["".join(chance.choices("aeinst", k=50_000)), "-" * 5001, "=" * 333 + "-" * 777]
    found = tokenizer.tokenize(texts).to_list()
    assert found == library_ids(reference, texts, add_special_tokens=False)


def test_classes_of_all_code_points():
    """All characters of a class make one word together, so none of them has another class."""
    classes = code_point_classes()
    classes[0xD800:0xE000] = 255  # surrogates are not characters
    for value in range(4):
        text = "".join(map(chr, np.flatnonzero(classes == value)))
        words = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
        # A plain space would go with what follows it; there is nothing but white space here.
        assert len(words) == 1, (value, value == SPACE, len(words))
