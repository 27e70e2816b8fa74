import keras
import numpy as np
import pytest

from keras_roberta.layers import RobertaEmbeddings, position_ids


@pytest.mark.parametrize(
    ("padding_mask", "segment_ids", "expected"),
    [
        ([[1, 1, 1, 0, 0]], None, [[2, 3, 4, 1, 1]]),
        ([[0, 0, 1, 1, 1]], None, [[1, 1, 2, 3, 4]]),  # padding before the text
        ([[1, 0, 1, 1, 0]], None, [[2, 1, 3, 4, 1]]),
        ([[1, 1, 1, 1, 1, 0]], [[7, 7, 8, 8, 8, 0]], [[2, 3, 2, 3, 4, 1]]),
        ([[1, 1, 1]], [[1, 2, 1]], [[2, 2, 3]]),
    ],
)
def test_positions_count_tokens_from_behind_the_padding_id(padding_mask, segment_ids, expected):
    segments = None if segment_ids is None else np.array(segment_ids)
    np.testing.assert_array_equal(position_ids(np.array(padding_mask), 1, segments), expected)


@pytest.mark.parametrize("pad_token_id", [0, 3])
def test_positions_follow_another_padding_id(pad_token_id):
    mask = np.array([[1, 1, 0, 1], [0, 1, 1, 0]])
    expected = np.array([[1, 2, 0, 3], [0, 1, 2, 0]]) + pad_token_id
    np.testing.assert_array_equal(position_ids(mask, pad_token_id), expected)
    segments = np.array([[1, 1, 0, 2], [0, 1, 2, 0]])
    expected = np.array([[1, 2, 0, 1], [0, 1, 1, 0]]) + pad_token_id
    np.testing.assert_array_equal(position_ids(mask, pad_token_id, segments), expected)


@pytest.mark.parametrize("pad_token_id", [0, 3])
def test_the_layer_looks_positions_up_behind_the_padding_id(config, pad_token_id):
    layer = RobertaEmbeddings(config.replace(pad_token_id=pad_token_id, max_sequence_length=4))
    layer.build((None, None))
    layer.token_embedding.embeddings.assign(np.zeros(layer.token_embedding.embeddings.shape))
    rows = pad_token_id + 1 + 4
    layer.position_embedding.embeddings.assign(np.eye(rows, config.hidden_dim))  # says which row
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    found = np.asarray(layer(np.full((2, 4), 5), mask)).argmax(axis=-1)
    expected = np.array([[1, 2, 3, 4], [1, 2, 0, 0]]) + pad_token_id
    np.testing.assert_array_equal(found, expected)


def test_token_types_default_to_row_zero(config):
    layer = RobertaEmbeddings(config.replace(num_token_types=2))
    ids, mask = np.array([[0, 5, 6, 2]]), np.ones((1, 4), int)
    plain = layer(ids, mask)
    np.testing.assert_allclose(plain, layer(ids, mask, token_type_ids=np.zeros((1, 4), int)))
    assert not np.allclose(plain, layer(ids, mask, token_type_ids=np.ones((1, 4), int)))


def test_config_round_trip_and_mixed_precision(config):
    layer = RobertaEmbeddings(config, dtype="mixed_float16")
    copy = RobertaEmbeddings.from_config(layer.get_config())
    assert copy.config == config and copy.dtype_policy.name == "mixed_float16"
    out = copy(np.array([[0, 5, 2]]), np.ones((1, 3), int))
    assert out.dtype == "float16"
    assert {v.dtype for v in copy.weights} == {"float32"}
    assert keras.saving.get_registered_name(type(copy)) == "keras_roberta>RobertaEmbeddings"


def test_dropout_comes_behind_the_norm(config):
    """What it leaves is exactly twice as large, and half of it is exactly 0."""
    layer = RobertaEmbeddings(config.replace(dropout=0.5))
    ids, mask = np.arange(5, 37).reshape(2, 16), np.ones((2, 16), int)
    without, found = np.asarray(layer(ids, mask)), np.asarray(layer(ids, mask, training=True))
    dropped = found == 0
    assert dropped.mean() == pytest.approx(0.5, abs=0.08)
    np.testing.assert_allclose(found[~dropped], 2 * without[~dropped], rtol=1e-5)


def test_each_table_starts_with_numbers_of_its_own(config):
    layer = RobertaEmbeddings(config.replace(num_token_types=2))
    layer.build((None, None))
    layers = layer.token_embedding, layer.position_embedding, layer.token_type_embedding
    tokens, positions, types = (np.asarray(each.embeddings)[:2] for each in layers)
    for one, other in ((tokens, positions), (tokens, types), (positions, types)):
        assert not np.isclose(one, other).any()
