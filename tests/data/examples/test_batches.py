import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from keras_roberta.data.examples.batches import text_batches
from keras_roberta.data.examples.preprocessor import LENGTHS, RobertaPreprocessor
from keras_roberta.errors import InputError


def identity(labels):
    return labels


def source(tokenizer, x, y=None, batch_size=4, sequence_length=512):
    preprocessor = RobertaPreprocessor(tokenizer, sequence_length)
    return text_batches(preprocessor, x, y, None, batch_size, identity)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=70),
    batch_size=st.integers(1, 9),
    shuffle=st.booleans(),
    group=st.booleans(),
    form=st.sampled_from(["list", "rows", "batches"]),
)
def test_every_text_comes_once_with_its_own_label(
    tokenizer, lengths, batch_size, shuffle, group, form
):
    texts = [" ".join(["film"] * n + [str(i)]) for i, n in enumerate(lengths)]
    labels = np.arange(len(texts))
    if form == "list":
        batches = source(tokenizer, texts, labels, batch_size)
    else:
        data = tf.data.Dataset.from_tensor_slices((texts, labels))
        batches = source(
            tokenizer, data if form == "rows" else data.batch(batch_size), None, batch_size
        )
    seen = []
    count = 0
    for features, y in batches.training(shuffle, group):
        count += 1
        ids, mask = features["token_ids"].numpy(), features["padding_mask"].numpy()
        assert ids.shape[1] in LENGTHS
        for row, real, label in zip(ids, mask, y.numpy(), strict=True):
            assert tokenizer.decode(row[real == 1].tolist()) == texts[label]
            seen.append(label)
    assert sorted(seen) == labels.tolist()
    assert count == batches.steps == -(-len(texts) // batch_size)
    if not shuffle:
        assert seen == labels.tolist()


def test_grouping_saves_padding_and_epochs_differ(tokenizer):
    random = np.random.default_rng(0)
    texts = [" ".join(["film"] * n) for n in random.integers(1, 100, 600)]
    batches = source(tokenizer, texts, np.arange(600), 8)

    def padding(group):
        masks = [f["padding_mask"].numpy() for f, _ in batches.training(True, group)]
        return 1 - sum(m.sum() for m in masks) / sum(m.size for m in masks)

    assert padding(group=True) < 0.6 * padding(group=False)
    first, second = (np.concatenate([y.numpy() for _, y in batches.training()]) for _ in range(2))
    assert not np.array_equal(first, second)


def test_rows_are_cut_to_the_sequence_length(tokenizer):
    batch = next(iter(source(tokenizer, ["film " * 90], sequence_length=20).inference()))
    assert batch["token_ids"].shape == (1, 20)
    assert batch["token_ids"][0, -1] == tokenizer.end_token_id


def test_features_are_not_texts_and_empty_streams_are_named(tokenizer):
    assert source(tokenizer, {"token_ids": np.zeros((1, 2))}) is None
    assert source(tokenizer, np.zeros((3, 2))) is None
    assert source(tokenizer, tf.data.Dataset.range(3)) is None
    empty = tf.data.Dataset.from_tensor_slices((tf.constant([], tf.string), []))
    with pytest.raises(InputError, match="no texts"):
        source(tokenizer, empty).training()
    with pytest.raises(InputError, match="come from the dataset"):
        source(tokenizer, tf.data.Dataset.from_tensor_slices(["a"]), [1])
