import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from keras_roberta.data.examples.batches import InMemoryExamples, example_batches
from keras_roberta.data.examples.examples import Examples
from keras_roberta.data.examples.preprocessor import LENGTHS, RobertaPreprocessor
from keras_roberta.data.examples.ragged import Ragged
from keras_roberta.data.examples.streams import is_stream, open_stream
from keras_roberta.errors import InputError


def source(tokenizer, x, y=None, batch_size=4, sequence_length=512):
    preprocessor = RobertaPreprocessor(tokenizer, sequence_length)

    def make_examples(x, y, sample_weight):
        ids = Ragged(*preprocessor.tokenize(x))
        return Examples(preprocessor, ids, targets=y, sample_weight=sample_weight)

    x = open_stream(x, batch_size) if is_stream(x) else x
    return example_batches(make_examples, x, y, batch_size=batch_size)


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


@pytest.mark.parametrize("form", ["list", "batches"])
def test_a_later_epoch_has_the_order_that_it_has_behind_the_others(tokenizer, form):
    texts, labels = [f"film {i}" for i in range(30)], np.arange(30)
    data = (texts, labels)
    if form == "batches":
        data = (tf.data.Dataset.from_tensor_slices((texts, labels)).batch(4),)

    def order(epochs):
        return np.concatenate([y.numpy() for _, y in epochs])

    whole = source(tokenizer, *data).training(seed=3)
    orders = [order(whole) for _ in range(3)]
    assert not np.array_equal(orders[0], orders[2])
    third = source(tokenizer, *data).training(seed=3, first_epoch=2)
    np.testing.assert_array_equal(order(third), orders[2])


def test_rows_are_cut_to_the_sequence_length(tokenizer):
    batch = next(iter(source(tokenizer, ["film " * 90], sequence_length=20).inference()))
    assert batch["token_ids"].shape == (1, 20)
    assert batch["token_ids"][0, -1] == tokenizer.end_token_id


def test_features_are_not_texts_and_empty_streams_are_named(tokenizer):
    features = tf.data.Dataset.range(3)
    assert open_stream(features, 2) is features
    empty = tf.data.Dataset.from_tensor_slices((tf.constant([], tf.string), []))
    with pytest.raises(InputError, match="no texts"):
        source(tokenizer, empty).training()
    with pytest.raises(InputError, match="brings its own labels"):
        source(tokenizer, tf.data.Dataset.from_tensor_slices(["a"]), [1])


def numbered_rows(counts):
    """Examples of so many rows each; the label of a row's only token is its example's number."""
    rows = np.repeat(np.arange(len(counts)), counts)
    column = Ragged(rows.astype(np.int32), np.ones(len(rows), np.int64))
    return Examples(None, column, targets=column, rows_per_example=counts)


@pytest.mark.parametrize(
    ("counts", "fraction", "held_out"),
    [
        ([1, 1, 1, 9], 0.25, [3] * 9),
        ([9, 1, 1, 1], 0.5, [2, 3]),
        ([2, 3, 4], 0.4, [1, 1, 1, 2, 2, 2, 2]),
    ],
)
def test_the_rows_of_a_text_are_on_one_side_of_a_split(counts, fraction, held_out):
    """And the fraction is one of texts."""
    parts = InMemoryExamples(numbered_rows(counts), 2).split(fraction)
    labels = [part.targets.values.tolist() for part in parts]
    assert labels[1] == held_out and labels[0] == sorted(labels[0])
    assert sum(map(len, labels)) == sum(counts) and not set(labels[0]) & set(labels[1])
    with pytest.raises(InputError, match="of 1 rows leaves one side empty"):
        InMemoryExamples(numbered_rows([5]), 2).split(0.5)


def test_labels_of_tokens_are_padded_with_them(tokenizer):
    """In any order and grouping a token keeps its own label."""
    preprocessor = RobertaPreprocessor(tokenizer)
    texts = [" ".join(["film"] * n) for n in (9, 1, 30, 4, 4, 12)]

    def make_examples(x, y, sample_weight):
        ids = Ragged(*preprocessor.tokenize(x))
        labels = Ragged(ids.values * 2, ids.lengths)  # what each token's label should be
        weights = Ragged(np.ones(len(ids.values), "float32"), ids.lengths)
        return Examples(preprocessor, ids, targets=labels, sample_weight=weights)

    for x in (texts, tf.data.Dataset.from_tensor_slices(texts).batch(2)):
        seen = 0
        source = example_batches(
            make_examples, open_stream(x, 2) if is_stream(x) else x, batch_size=2
        )
        for features, labels, weights in source.training():
            real = features["padding_mask"].numpy() == 1
            ids = features["token_ids"].numpy()
            assert labels.shape == weights.shape == ids.shape
            np.testing.assert_array_equal(labels.numpy()[real], 2 * ids[real])
            assert not labels.numpy()[~real].any() and not weights.numpy()[~real].any()
            seen += int(real.sum())
        assert seen == sum(map(len, tokenizer(texts)))


@settings(max_examples=25, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=9), batch_size=st.integers(1, 4))
def test_options_of_a_question_stay_together(tokenizer, counts, batch_size):
    preprocessor = RobertaPreprocessor(tokenizer)
    texts = [f"{q} film {o} " + "film " * o for q, n in enumerate(counts) for o in range(n)]
    examples = Examples(
        preprocessor,
        Ragged(*preprocessor.tokenize(texts)),
        targets=np.arange(len(counts)),
        rows_per_example=np.array(counts),
        keep_rows_together=True,
    )
    batches = InMemoryExamples(examples, batch_size)
    seen = []
    for features, questions in batches.training():
        mask = features["padding_mask"].numpy().any(axis=2)  # (questions, most options)
        assert mask.sum(axis=1).tolist() == [counts[q] for q in questions.numpy()]
        ids = features["token_ids"].numpy()  # (questions, most options, length)
        for question, options, real in zip(questions.numpy(), ids, mask, strict=True):
            for number, (row, is_real) in enumerate(zip(options, real, strict=True)):
                text = tokenizer.decode(row.tolist())
                expected = f"{question} film {number} " + "film " * number if is_real else ""
                assert text == expected
        seen += questions.numpy().tolist()
    assert sorted(seen) == list(range(len(counts))) and batches.steps == -(
        -len(counts) // batch_size
    )


def test_windows_go_their_own_ways_and_come_back(tokenizer):
    preprocessor = RobertaPreprocessor(tokenizer)
    texts = ["film " * n for n in (30, 2, 9, 9, 1)]
    examples = Examples(
        preprocessor,
        Ragged(*preprocessor.tokenize(texts)),
        features={"first_token": np.array([0, 30, 0, 9, 0], "int32")},
        rows_per_example=[2, 1, 2],
    )
    batches = InMemoryExamples(examples, 2)
    rows = [
        (int(mask.sum()), int(first))
        for features in batches.inference().as_numpy_iterator()
        for mask, first in zip(features["padding_mask"], features["first_token"], strict=True)
    ]
    assert rows == sorted(rows)  # the shortest first
    lengths = [len(ids) for ids in tokenizer(texts)]
    back = examples.by_example(batches.restore_order(rows))
    assert back == [
        [(lengths[0], 0), (lengths[1], 30)],
        [(lengths[2], 0)],
        [(lengths[3], 9), (lengths[4], 0)],
    ]


def test_columns_that_do_not_fit(tokenizer):
    preprocessor = RobertaPreprocessor(tokenizer)
    ids = Ragged(*preprocessor.tokenize(["a", "b"]))
    for arguments, message in (
        (dict(targets=np.zeros(3)), "2 texts, but 3 labels"),
        (dict(rows_per_example=[1]), "1 rows in all, but there are 2"),
        (dict(rows_per_example=[2, 0]), "at least one"),
        (
            dict(targets=np.zeros(2), rows_per_example=[2], keep_rows_together=True),
            "1 texts, but 2 labels",
        ),
        (dict(features={"a": np.zeros(1)}), "2 texts, but 1 rows of a feature"),
    ):
        with pytest.raises(InputError, match=message):
            Examples(preprocessor, ids, **arguments)
    with pytest.raises(InputError, match="3 values in all, but there are 2"):
        Ragged(np.zeros(2), [1, 2])


def test_a_stream_of_more_than_inputs_labels_and_weights(tokenizer):
    for element in (("a", "b", "c", "d"), (["a"], ["b"], ["c"], ["d"])):
        with pytest.raises(InputError, match="found 4 parts; put inputs of several parts into"):
            next(iter(source(tokenizer, iter([element])).inference()))
