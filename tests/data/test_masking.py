import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.data.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.data.masking import mask_tokens

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
