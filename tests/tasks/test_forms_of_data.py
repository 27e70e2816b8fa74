"""Every form in which people of Keras, KerasHub and data frames have texts and labels."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from six_texts import NAMES, NUMBERS, PAIRS, ROWS, SECONDS, TEXTS, WEIGHTS, dataset

import keras_roberta as kr
from keras_roberta.data.examples.text_forms import holds_strings, texts_and_pairs
from keras_roberta.errors import InputError


def expected_rows(tokenizer, *columns):
    ids = [tuple(row) for row in tokenizer(TEXTS)]
    return sorted(zip(ids, *columns, strict=True))


class Sequence(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


class Loader:
    """As a data loader: to be read again and again, batches are lists."""

    def __iter__(self):
        for i in (0, 3):
            yield [tuple(TEXTS[i : i + 3]), np.array(NUMBERS[i : i + 3])]

    def __len__(self):
        return 2


def objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def batches(*columns, size=3):
    return [tuple(c[i : i + size] for c in columns) for i in range(0, 6, size)]


LABELLED = {
    "lists": lambda: (TEXTS, NUMBERS),
    "tuples": lambda: (tuple(TEXTS), tuple(NUMBERS)),
    "names": lambda: (TEXTS, NAMES),
    "arrays of strings": lambda: (np.array(TEXTS), np.array(NAMES)),
    "arrays of bytes": lambda: (np.array(TEXTS, "S"), np.array(NAMES, "S")),
    "arrays of objects": lambda: (objects(TEXTS), objects(NAMES)),
    "lists of bytes": lambda: ([t.encode() for t in TEXTS], [n.encode() for n in NAMES]),
    "lists of numpy strings": lambda: ([np.str_(t) for t in TEXTS], [np.int64(n) for n in NUMBERS]),
    "columns of texts": lambda: (np.array(TEXTS)[:, None], np.array(NUMBERS)[:, None]),
    "rows of one text": lambda: ([[t] for t in TEXTS], [[n] for n in NUMBERS]),
    "tensors": lambda: (tf.constant(TEXTS), tf.constant(NUMBERS)),
    "tensors of names": lambda: (tf.constant(TEXTS), tf.constant(NAMES)),
    "lists of scalar tensors": lambda: (list(tf.constant(TEXTS)), list(tf.constant(NUMBERS))),
    "pandas columns": lambda: (pd.Series(TEXTS, index=range(9, 15)), pd.Series(NAMES)),
    "pandas strings": lambda: (
        pd.Series(TEXTS, dtype="string"), pd.Series(NAMES, dtype="category"),
    ),
    "polars columns": lambda: (pl.Series(TEXTS), pl.Series(NAMES)),
    "arrow columns": lambda: (pa.array(TEXTS), pa.chunked_array([NAMES])),
    "data frame of texts": lambda: (pd.DataFrame({"sentence": TEXTS}), NUMBERS),
    "dict": lambda: ({"text": TEXTS}, NUMBERS),
    "floats": lambda: (TEXTS, np.array(NUMBERS, "float32")),
    "truth values": lambda: (TEXTS, [bool(n) for n in NUMBERS]),
    "one-hot": lambda: (TEXTS, np.eye(2)[NUMBERS]),
    "texts and labels": lambda: ((TEXTS, NUMBERS),),
    "texts and names": lambda: ((TEXTS, NAMES),),
    "list of texts and labels": lambda: ([TEXTS, NUMBERS],),
    "arrays and labels": lambda: ((np.array(TEXTS), np.array(NUMBERS)),),
    "rows of text and label": lambda: (list(zip(TEXTS, NUMBERS, strict=True)),),
    "rows of text and name": lambda: ([list(row) for row in zip(TEXTS, NAMES, strict=True)],),
    "matrix of text and name": lambda: (np.array(list(zip(TEXTS, NAMES, strict=True))),),
    "dicts": lambda: (ROWS,),
    "dict with labels": lambda: ({"text": TEXTS, "label": NAMES},),
    "pandas frame": lambda: (pd.DataFrame(ROWS),),
    "polars frame": lambda: (pl.DataFrame(ROWS),),
    "arrow table": lambda: (pa.Table.from_pylist(ROWS),),
    "tf.data rows": lambda: (dataset((TEXTS, NUMBERS)),),
    "tf.data batches": lambda: (dataset((TEXTS, NAMES)).batch(4),),
    "tf.data of dicts": lambda: (dataset({"text": TEXTS, "label": NAMES}).batch(4),),
    "tf.data columns": lambda: (dataset((np.array(TEXTS)[:, None], NUMBERS)).batch(4),),
    "generator of rows": lambda: (zip(TEXTS, NUMBERS, strict=True),),
    "generator of batches": lambda: ((batch for batch in batches(TEXTS, NAMES)),),
    "generator of dicts": lambda: (iter(ROWS),),
    "PyDataset": lambda: (Sequence(batches(np.array(TEXTS), np.array(NUMBERS))),),
    "data loader": lambda: (Loader(),),
}  # fmt: skip


@pytest.mark.parametrize("form", LABELLED)
def test_texts_and_labels(classifier, tokenizer, seen, form):
    for method in (classifier.evaluate, classifier.fit):
        method(*LABELLED[form](), batch_size=3)
        assert sorted(seen) == expected_rows(tokenizer, NUMBERS)


WEIGHTED = {
    "weights": lambda: dict(x=TEXTS, y=NUMBERS, sample_weight=WEIGHTS),
    "pandas weights": lambda: dict(x=TEXTS, y=NUMBERS, sample_weight=pd.Series(WEIGHTS)),
    "a column of weights": lambda: dict(
        x=TEXTS, y=NUMBERS, sample_weight=np.array(WEIGHTS)[:, None]
    ),
    "three in a tuple": lambda: dict(x=(TEXTS, NAMES, WEIGHTS)),
    "table": lambda: dict(x={"text": TEXTS, "label": NAMES, "sample_weight": WEIGHTS}),
    "tf.data": lambda: dict(x=dataset((TEXTS, NUMBERS, WEIGHTS))),
    "generator": lambda: dict(x=zip(TEXTS, NUMBERS, WEIGHTS, strict=True)),
}


@pytest.mark.parametrize("form", WEIGHTED)
def test_weights(classifier, tokenizer, seen, form):
    classifier.fit(**WEIGHTED[form](), batch_size=4)
    assert sorted(seen) == expected_rows(tokenizer, NUMBERS, WEIGHTS)


CLASS_WEIGHTS = {
    "names": {"good": 2.0, "bad": 0.5},
    "numbers": {0: 0.5, 1: 2.0},
    "numpy numbers": {np.int64(0): np.float32(0.5), np.int64(1): 2},
    "one of them": {"good": 2.0},
}


@pytest.mark.parametrize("form", CLASS_WEIGHTS)
def test_weights_of_classes(classifier, tokenizer, seen, form):
    bad = 1.0 if form == "one of them" else 0.5
    factors = [2.0 if number else bad for number in NUMBERS]
    for data in ((TEXTS, NAMES), (dataset((TEXTS, NUMBERS)),)):
        classifier.fit(*data, class_weight=CLASS_WEIGHTS[form], batch_size=4)
        assert sorted(seen) == expected_rows(tokenizer, NUMBERS, factors)
    classifier.fit(TEXTS, NAMES, sample_weight=WEIGHTS, class_weight=CLASS_WEIGHTS[form])
    both = [factor * weight for factor, weight in zip(factors, WEIGHTS, strict=True)]
    assert sorted(seen) == expected_rows(tokenizer, NUMBERS, both)


def test_validation_data_is_not_weighed(classifier):
    """As with Keras's own `class_weight`."""
    losses = []
    for weights in (None, {"good": 1000.0, "bad": 1000.0}):
        classifier.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        arguments = dict(validation_split=0.5, class_weight=weights, verbose=0)
        losses.append(classifier.fit(TEXTS, NAMES, **arguments).history)
    assert losses[1]["val_loss"] == pytest.approx(losses[0]["val_loss"], rel=1e-5)
    assert losses[1]["loss"][0] > 500 * losses[0]["loss"][0]
    classifier.compile()


PAIRED = {
    "rows": lambda: PAIRS,
    "rows of lists": lambda: [list(pair) for pair in PAIRS],
    "matrix": lambda: np.array(PAIRS),
    "tensor": lambda: tf.constant(PAIRS),
    "dict": lambda: {"text": TEXTS, "text_pair": SECONDS},
    "arrays": lambda: (np.array(TEXTS), np.array(SECONDS)),
    "list of arrays": lambda: [np.array(TEXTS), tf.constant(SECONDS)],
    "dicts": lambda: [{"text": a, "text_pair": b} for a, b in PAIRS],
    "frame": lambda: pl.DataFrame({"text": TEXTS, "text_pair": SECONDS}),
    "tf.data": lambda: dataset({"text": TEXTS, "text_pair": SECONDS}),
    "generator": lambda: ((pair,) for pair in PAIRS),
    "with labels": lambda: list(zip(PAIRS, NUMBERS, strict=True)),
}


@pytest.mark.parametrize("form", PAIRED)
def test_pairs(classifier, seen, form):
    expected = classifier.predict((TEXTS, SECONDS), batch_size=4)
    assert len(set(expected)) == 6
    assert classifier.predict(PAIRED[form](), batch_size=4).tolist() == expected.tolist()


@pytest.mark.parametrize("form", [*LABELLED, "three in a tuple"])
def test_predict_leaves_labels_out(classifier, seen, form):
    """Numbers, and names of the preprocessor's classes. Texts come back in order."""
    expected = classifier.predict(TEXTS, batch_size=3).tolist()
    given = LABELLED[form]() if form in LABELLED else (TEXTS, NAMES, WEIGHTS)
    for x in (given[0], given)[: len(given)]:
        assert classifier.predict(x, batch_size=3).tolist() == expected


def test_second_texts_are_no_labels(classifier, seen):
    """Where one of them is no class's name, or a column says that they are texts."""
    alone = classifier.predict(TEXTS).tolist()
    pairs = classifier.predict((TEXTS, [*NAMES[:5], "odd"])).tolist()
    assert pairs != alone
    named = {"text": TEXTS, "text_pair": NAMES}
    assert classifier.predict(named).tolist()[:5] == pairs[:5]


def test_one_long_text_among_many(classifier):
    """Short texts do not take the room of the longest: it would be gigabytes."""
    seconds = ["a"] * 20_000
    seconds[3] = "b" * 200_000
    for x in ((["a"] * 20_000, seconds), [("a", second) for second in seconds]):
        assert texts_and_pairs(x) == (["a"] * 20_000, seconds)


def test_a_dataset_is_told_by_its_types():
    assert not holds_strings(dataset({"string_ids": [1], "token_ids": [2]}))
    assert holds_strings(dataset({"ids": ["a"]}))
    assert holds_strings(tf.data.Dataset.from_tensors(tf.ragged.constant([["a"], []])))


def test_a_single_text(classifier):
    expected = classifier.predict(["a fine film"], verbose=0)
    loss = classifier.evaluate(["a fine film"], [1], verbose=0)
    for one in ("a fine film", b"a fine film", np.array("a fine film"), tf.constant("a fine film")):
        np.testing.assert_allclose(classifier.predict(one, verbose=0), expected, atol=1e-5)
        np.testing.assert_allclose(classifier.predict_on_batch(one), expected, atol=1e-5)
        assert classifier.answers(one) == classifier.answers(["a fine film"])
        np.testing.assert_allclose(classifier.evaluate(one, "good", verbose=0), loss, atol=1e-5)
        np.testing.assert_allclose(classifier.test_on_batch((one, 1)), loss, atol=1e-5)


def test_fit_takes_what_flows(classifier, tokenizer):
    """As many epochs as Keras would, and validation of every form."""
    done = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: done.append(1))
    for x, arguments, steps in (
        (Sequence(batches(TEXTS, NUMBERS)), dict(epochs=2), 4),
        (Loader(), dict(epochs=2), 4),
        (iter(batches(TEXTS, NUMBERS)), {}, 2),
        (iter(batches(TEXTS, NUMBERS) * 4), dict(epochs=2, steps_per_epoch=3), 6),
        (ROWS, dict(epochs=2, batch_size=4, validation_data=pd.DataFrame(ROWS)), 4),
        (TEXTS, dict(y=NAMES, validation_data=iter(ROWS), epochs=2), 2),
        ((TEXTS, NAMES), dict(validation_split=0.5, batch_size=2), 2),
    ):
        done.clear()
        history = classifier.fit(x, verbose=0, callbacks=[count], **arguments).history
        assert len(done) == steps
        assert np.isfinite(history["loss"]).all()
        validated = "validation_data" in arguments or "validation_split" in arguments
        assert len(history.get("val_loss", [])) == (arguments.get("epochs", 1) if validated else 0)
    with pytest.raises(InputError, match="a generator is read once; give steps_per_epoch"):
        classifier.fit(iter(ROWS), epochs=2)


VALIDATION = {
    "rows of lists": [["a fine film", "good"], ["a dull film", "bad"]],
    "rows of lists with numbers": [["a fine film", 1], ["a dull film", 0]],
    "rows of tuples": [("a fine film", "good"), ("a dull film", "bad")],
    "columns in a list": [["a fine film", "a dull film"], [1, 0]],
    "columns": (["a fine film", "a dull film"], ["good", "bad"]),
    "columns with weights": [["a fine film", "a dull film"], [1, 0], [1.0, 1.0]],
}


@pytest.mark.parametrize("form", VALIDATION)
def test_validation_data_is_read_as_fit_reads_data(classifier, tokenizer, monkeypatch, form):
    found = {}
    monkeypatch.setattr(keras.Model, "fit", lambda *args, **given: found.update(given))
    classifier.fit(TEXTS, NUMBERS, validation_data=VALIDATION[form])
    rows = [
        (tuple(ids[mask == 1].tolist()), int(label))
        for features, labels, *_ in found["validation_data"].as_numpy_iterator()
        for ids, mask, label in zip(*features.values(), labels, strict=True)
    ]
    expected = zip(map(tuple, tokenizer(["a fine film", "a dull film"])), [1, 0], strict=True)
    assert sorted(rows) == sorted(expected)


def test_many_labels_in_a_ragged_tensor(classifier):
    """As a column, and in a dataset, batched or not; also where rows are alike by chance."""
    task = kr.RobertaMultiLabelClassifier(classifier.backbone, preprocessor=classifier.preprocessor)
    for rows in ([["good"], [], ["bad", "good"]] * 2, [[1], [0], [1]] * 2):
        expected = task.evaluate(TEXTS, rows, verbose=0)
        labels = tf.ragged.constant(rows)
        data = dataset((TEXTS, labels))
        for given in ((TEXTS, labels), (data,), (data.batch(4),), (data.batch(1),)):
            found = task.evaluate(*given, batch_size=4, verbose=0)
            np.testing.assert_allclose(found, expected, atol=1e-5)
        history = task.fit(data, batch_size=2, verbose=0).history
        assert np.isfinite(history["loss"]).all()
