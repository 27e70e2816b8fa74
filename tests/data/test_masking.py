import numpy as np
import pytest
import tensorflow as tf
from tokenizers.pre_tokenizers import ByteLevel

from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.data.masking import arguments_of, mask_tokens, num_predictions
from keras_roberta.tokenizers import RobertaTokenizer
from keras_roberta.tokenizers.added_tokens import AddedToken

MASK, VOCABULARY, SPECIALS = 4, 500, (0, 1, 2, 3)


def masked(rows=400, length=100, **kwargs):
    random = np.random.default_rng(0)
    token_ids = random.integers(5, VOCABULARY, (rows, length)).astype("int32")
    lengths = random.integers(3, length + 1, rows)
    token_ids[:, 0] = 0
    token_ids[np.arange(rows), lengths - 1] = 2
    inside = np.arange(length) < lengths[:, None]
    token_ids[~inside] = 1
    maskable = inside & ~np.isin(token_ids, SPECIALS)
    arguments = {"num_predictions": length // 5, **kwargs}
    outputs = mask_tokens(
        tf.constant(token_ids),
        tf.constant(maskable),
        vocabulary_size=VOCABULARY,
        mask_token_id=MASK,
        special_token_ids=SPECIALS,
        **arguments,
    )
    return token_ids, maskable, [tensor.numpy() for tensor in outputs]


def test_what_is_masked_and_what_is_said_of_it():
    token_ids, maskable, (inputs, positions, labels, weights) = masked()
    used = weights == 1
    rows = np.broadcast_to(np.arange(len(token_ids))[:, None], positions.shape)
    assert maskable[rows[used], positions[used]].all()
    np.testing.assert_array_equal(labels[used], token_ids[rows[used], positions[used]])
    changed = inputs != token_ids
    chosen = np.zeros_like(changed)
    chosen[rows[used], positions[used]] = True
    assert not (changed & ~chosen).any()
    assert (positions[~used] == 0).all() and (labels[~used] == 0).all()
    for row, mask in zip(positions, used, strict=True):  # ascending, each once
        assert (np.diff(row[mask]) > 0).all()


def test_shares():
    token_ids, maskable, (inputs, positions, labels, weights) = masked(rows=2000)
    assert weights.sum() / maskable.sum() == pytest.approx(0.15, abs=0.003)
    used = weights == 1
    new = np.take_along_axis(inputs, positions, axis=1)[used]
    old = labels[used]
    assert (new == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (new == old).mean() == pytest.approx(0.1, abs=0.01)
    drawn = new[(new != MASK) & (new != old)]
    assert len(drawn) / len(new) == pytest.approx(0.1, abs=0.01)
    assert not np.isin(drawn, SPECIALS).any()
    counts = weights.sum(axis=1)  # rounded up or down, never further
    wanted = 0.15 * maskable.sum(axis=1)
    assert (np.abs(counts - wanted) < 1).all()


def test_every_draw_differs_but_a_seed_repeats():
    first, second = masked()[2], masked()[2]
    assert not np.array_equal(first[1], second[1])
    a, b = (masked(seed=tf.range(400, dtype=tf.int64))[2] for _ in range(2))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_extreme_rates(rate):
    token_ids, maskable, (_, _, _, weights) = masked(mask_rate=rate, num_predictions=120)
    assert weights.shape[1] == 120
    assert weights.sum() == rate * maskable.sum()


def test_preprocessor_finds_masks(tokenizer):
    preprocessor = RobertaMaskedLMPreprocessor(tokenizer, sequence_length=16)
    out = preprocessor(["a <mask> b<mask>", "a", "<mask>"])
    found = np.take_along_axis(out["token_ids"], out["mask_positions"], axis=1)
    is_mask = found == tokenizer.mask_token_id
    np.testing.assert_array_equal(is_mask, [[1, 1], [0, 0], [1, 0]])
    assert (out["mask_positions"][~is_mask] == 0).all()


STARTS_WORD = np.arange(VOCABULARY) % 3 == 0  # words of one to many tokens


def words_of(token_ids, maskable):
    """The number of the word of each token, -1 at specials, as a person would count them."""
    words = np.full(token_ids.shape, -1)
    for i, row in enumerate(token_ids):
        word = -1
        for j, index in enumerate(row):
            if maskable[i, j]:
                word += STARTS_WORD[index] or j == 0 or not maskable[i, j - 1]
                words[i, j] = word
    return words


@pytest.mark.parametrize("units", ["whole-word", "span"])
def test_words_are_hidden_whole(units):
    token_ids, maskable, (_, positions, _, weights) = masked(
        units=units, starts_word=STARTS_WORD, num_predictions=40
    )
    words = words_of(token_ids, maskable)
    for row, places, used in zip(words, positions, weights == 1, strict=True):
        hidden = set(places[used])
        for word in {row[p] for p in hidden}:
            assert set(np.flatnonzero(row == word)) <= hidden


@pytest.mark.parametrize("units", ["token", "whole-word", "span"])
def test_share_of_hidden_tokens_is_the_same_for_all_units(units):
    token_ids, maskable, (_, _, _, weights) = masked(
        rows=12000, units=units, starts_word=STARTS_WORD, num_predictions=95
    )
    # The standard error for spans, of which a row has one or two, is 0.0016.
    assert weights.sum() / maskable.sum() == pytest.approx(0.15, abs=0.006)


def test_random_tokens_are_tokens():
    """Ids may have gaps, here of five after the vocabulary and of twenty before the last token."""
    ids = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])}
    ids |= {letter: 10 + i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    added = [AddedToken("dog", 286, special=False), AddedToken("<x>", 287)]
    tokenizer = RobertaTokenizer(ids, [], added_tokens=added)
    arguments = arguments_of(tokenizer)
    assert arguments["vocabulary_size"] == 288 and arguments["mask_token_id"] == 4
    token_ids = tf.fill([100, 100], 20)
    masked, *_ = mask_tokens(
        token_ids,
        tf.ones_like(token_ids, bool),
        num_predictions=100,
        mask_rate=1.0,
        mask_token_rate=0.0,
        random_token_rate=1.0,
        **arguments,
    )
    assert set(masked.numpy().ravel()) == {*range(10, 266), 286}


def test_the_mask_is_no_random_token():
    """Also where it is not among the special tokens."""
    masked, *_ = mask_tokens(
        tf.ones([20, 20], tf.int32),
        tf.ones([20, 20], bool),
        num_predictions=20,
        vocabulary_size=3,
        mask_token_id=2,
        mask_rate=1.0,
        mask_token_rate=0.0,
        random_token_rate=1.0,
    )
    assert set(masked.numpy().ravel()) == {0, 1}


def test_seeds_that_differ_in_any_bit_mask_differently():
    seeds = tf.constant([5 ^ 1 << bit for bit in range(62)] + [5], tf.int64)
    _, positions, *_ = mask_tokens(
        tf.fill([63, 200], 20),
        tf.ones([63, 200], bool),
        num_predictions=31,
        vocabulary_size=VOCABULARY,
        mask_token_id=MASK,
        seed=seeds,
    )
    assert len({row.tobytes() for row in positions.numpy()}) == 63


@pytest.mark.parametrize(
    ("length", "rate", "units", "columns"),
    [(512, 0.15, "token", 77), (128, 0.15, "whole-word", 27), (100, 0.2, "span", 36)]
    + [(10, 1.0, "token", 10), (10, 0.0, "token", 1)],
)
def test_columns_hold_the_share_rounded_up_and_the_rest_of_a_unit(length, rate, units, columns):
    assert num_predictions(length, rate, units) == columns


def test_words_meet_a_fate_for_each_token():
    """Of spans all tokens are replaced in the same way, of words each in its own."""
    _, _, (inputs, positions, _, weights) = masked(
        rows=500, units="whole-word", starts_word=np.zeros(VOCABULARY, bool), mask_rate=1.0
    )
    hidden = np.take_along_axis(inputs, positions, axis=1) == MASK
    beside = (np.diff(positions, axis=1) == 1) & (weights[:, 1:] == 1)
    assert (hidden[:, 1:] == hidden[:, :-1])[beside].mean() == pytest.approx(0.68, abs=0.04)


def test_lengths_of_spans():
    """SpanBERT's: geometric with p = 0.2, up to ten words, 3.8 on average."""
    ids = np.full((4000, 200), 5, "int32")
    _, positions, _, weights = (
        tensor.numpy()
        for tensor in mask_tokens(
            tf.constant(ids),
            tf.constant(np.ones_like(ids, bool)),
            num_predictions=40,
            vocabulary_size=VOCABULARY,
            mask_token_id=MASK,
            mask_rate=0.02,  # so few that spans seldom touch
            units="span",
            starts_word=np.ones(VOCABULARY, bool),
        )
    )
    lengths = []
    for row, used in zip(positions, weights == 1, strict=True):
        breaks = np.flatnonzero(np.diff(row[used]) > 1) + 1
        lengths += [len(run) for run in np.split(row[used], breaks) if len(run)]
    assert max(lengths) >= 10
    assert len([n for n in lengths if n > 10]) < 0.05 * len(lengths)


def test_spans_meet_one_fate():
    token_ids, maskable, (inputs, positions, labels, weights) = masked(
        rows=500, units="span", starts_word=np.ones(VOCABULARY, bool), num_predictions=40
    )
    hidden = np.take_along_axis(inputs, positions, axis=1) == MASK
    beside = (np.diff(positions, axis=1) == 1) & (weights[:, 1:] == 1)
    same = (hidden[:, 1:] == hidden[:, :-1])[beside].mean()
    assert same > 0.9  # 0.68 if each token met its own


def test_a_row_is_masked_alike_in_any_batch():
    ids = np.random.default_rng(0).integers(5, VOCABULARY, (6, 50)).astype("int32")
    seeds = np.arange(6, dtype="int64") * 2**40

    def mask(rows, **more):
        return mask_tokens(
            tf.constant(ids[rows]),
            tf.ones([len(rows), 50], tf.bool),
            num_predictions=12,
            vocabulary_size=VOCABULARY,
            mask_token_id=MASK,
            seed=tf.constant(seeds[rows]),
            **more,
        )

    for more in ({}, {"units": "span", "starts_word": STARTS_WORD}):
        whole, part = mask([0, 1, 2, 3, 4, 5], **more), mask([4, 1], **more)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a.numpy()[[4, 1]], b)
