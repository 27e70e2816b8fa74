"""Every form in which people of Keras, KerasHub and data frames have texts and labels."""

import pickle

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta.data.examples.text_forms import holds_strings, texts_and_pairs
from keras_roberta.errors import InputError

TEXTS = ["a fine film", "a dull film", "warm and lovely", "cold", "", "simply tedious"]
SECONDS = ["dull", "fine", "cold and flat", "a film", "warm", "lovely"]
NUMBERS = [1, 0, 1, 0, 1, 0]
NAMES = ["good" if number else "bad" for number in NUMBERS]
WEIGHTS = [1.0, 2.0, 1.0, 0.5, 1.0, 3.0]


@pytest.fixture(scope="module")
def classifier(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(CONFIG), preprocessor=preprocessor)
    return task


@pytest.fixture
def seen(monkeypatch):
    """What reaches Keras: rows of (token ids without padding, label, weight). It runs no model,
    which would be the same for all forms."""
    rows = []

    def record(self, x, y=None, *args, validation_data=None, steps_per_epoch=None, **kwargs):
        rows.clear()
        for features, *rest in x.take(steps_per_epoch or -1).as_numpy_iterator():
            ids = zip(features["token_ids"], features["padding_mask"], strict=True)
            ids = [tuple(row[mask == 1].tolist()) for row, mask in ids]
            rows.extend(zip(ids, *(np.asarray(array).tolist() for array in rest), strict=True))

    def answer(self, x, *args, **kwargs):
        """One number for each row, which tells it from the others."""
        batches = list(x.as_numpy_iterator())
        return np.concatenate([[hash(tuple(ids[ids != 1])) for ids in b["token_ids"]]
                               for b in batches])  # fmt: skip

    monkeypatch.setattr(keras.Model, "fit", record)
    monkeypatch.setattr(keras.Model, "evaluate", record)
    monkeypatch.setattr(keras.Model, "predict", answer)
    return rows


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


PAIRS = list(zip(TEXTS, SECONDS, strict=True))
ROWS = [{"text": t, "label": n} for t, n in zip(TEXTS, NAMES, strict=True)]
dataset = tf.data.Dataset.from_tensor_slices

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
        classifier.compile(keras.optimizers.SGD(0.0))
        arguments = dict(validation_split=0.5, class_weight=weights, verbose=0)
        losses.append(classifier.fit(TEXTS, NAMES, **arguments).history)
    assert losses[1]["val_loss"] == pytest.approx(losses[0]["val_loss"], rel=1e-5)
    assert losses[1]["loss"][0] > 500 * losses[0]["loss"][0]
    classifier.compile()


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"odd": 1.0}, "class_weight: label 'odd'"), ({2: 1.0}, "class_weight: label 2 is outside"),
     ({0: "much"}, "class_weight of 0: give a number"), ({0: -1}, "give a number from 0"),
     ([0.5, 2.0], "give a dict of factors"), ("balanced", "give a dict of factors")],
)  # fmt: skip
def test_weights_of_no_classes(classifier, weights, message):
    with pytest.raises(InputError, match=message):
        classifier.fit(TEXTS, NUMBERS, class_weight=weights)


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


def test_token_ids_keep_their_own_forms(classifier, tokenizer):
    """With labels by name; and of a task that makes its own targets without any."""
    ids = classifier.preprocessor(TEXTS)
    expected = classifier.evaluate(TEXTS, NUMBERS, verbose=0)
    stream = ((ids, np.array(NUMBERS)) for _ in range(1))
    lists = {name: array.tolist() for name, array in ids.items()}
    forms = ((ids, np.array(NAMES)), ((ids, NAMES),), (stream,), (lists, NUMBERS, None, [1] * 6),
             (ids, np.eye(2)[NUMBERS]))  # fmt: skip
    for arguments in forms:
        np.testing.assert_allclose(classifier.evaluate(*arguments, verbose=0), expected, atol=1e-5)
    for arguments in ((ids, NAMES), (ids, np.array(NUMBERS))):
        found = classifier.train_on_batch(*arguments, class_weight={"good": 0, "bad": 0})
        assert found[0] == 0
    for labels, message in (([0, 7] * 3, "row 1: label 7 is"), ([np.nan] * 6, "row 0: .*nan")):
        with pytest.raises(InputError, match=message):
            classifier.fit(ids, labels)
    with pytest.raises(InputError, match="token_ids: the rows differ in length"):
        classifier.predict({**ids, "token_ids": [[0, 5, 2], [0, 2]] * 3})
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, 24)
    lm = kr.RobertaMaskedLM(classifier.backbone, preprocessor=preprocessor)
    for x in (dict(ids), dataset(dict(ids)).batch(3)):
        assert np.isfinite(lm.evaluate(x, verbose=0)).all()


REFUSED = {
    "numbers": (lambda: dict(x=[1, 2], y=[0, 1]), "expected strings, found 1 in row 0"),
    "array of numbers": (lambda: dict(x=np.ones((2, 4)), y=[0, 1]), "'token_ids'"),
    "nothing": (lambda: dict(), "expected strings, found NoneType"),
    "no rows": (lambda: dict(x=[], y=[]), "there are no texts"),
    "a set": (lambda: dict(x={"a", "b"}, y=[0, 1]), "found a set"),
    "None": (lambda: dict(x=["a", None], y=[0, 1]), "found None in row 1"),
    "nan": (lambda: dict(x=pd.Series(["a", np.nan]), y=[0, 1]), "found nan in row 1"),
    "nan first": (lambda: dict(x=np.array([np.nan, "a"], object), y=[0, 1]), "nan in row 0"),
    "missing": (lambda: dict(x=pd.Series(["a", None], dtype="string"), y=[0, 1]), "<NA> in row 1"),
    "a dict without": (lambda: dict(x=[{"text": "a"}, {}], y=[0, 1]), "None in row 1"),
    "words": (lambda: dict(x=[["a", "b", "c"]] * 2, y=[0, 1]), "rows of 3 values"),
    "a query": (lambda: dict(x=pl.DataFrame(ROWS).lazy()), "LazyFrame holds no rows yet"),
    "a stream of numbers": (lambda: dict(x=iter([1, 2])), "expected a stream of texts.*found 1"),
    "unknown columns": (lambda: dict(x={"a": ["b"], "c": ["d"]}, y=[0]), "under 'text'; found"),
    "token ids by other names": (
        lambda: dict(x={"input_ids": np.ones((1, 3)), "attention_mask": np.ones((1, 3))}, y=[0]),
        "under 'text'; found 'input_ids', 'attention_mask'",
    ),
    "pairs cut short": (lambda: dict(x=(["a", "b"], ["c"]), y=[0, 1]), "1 of them for 2 texts"),
    "labels cut short": (lambda: dict(x=["a", "b"], y=[0]), "2 texts, but 1 labels"),
    "no labels": (lambda: dict(x=["a", "b"]), "there are no labels: give them as y"),
    "no labels in a stream": (lambda: dict(x=dataset(["a", "b"])), "there are no labels"),
    "label of none": (lambda: dict(x=["a", "b"], y=[1, None]), "row 1: .*got None"),
    "label of nan": (lambda: dict(x=["a", "b"], y=pd.Series([1, np.nan])), "row 1: .*got nan"),
    "unknown name": (lambda: dict(x=["a", "b"], y=["bad", "odd"]), "row 1: .*none of bad, good"),
    "rows of four": (lambda: dict(x=[("a", "b", "c", 1)]), "rows of .text, label."),
    "weights of names": (lambda: dict(x=["a"], y=[1], sample_weight=["b"]), "sample_weight"),
    "weights of nan": (lambda: dict(x=["a"], y=[1], sample_weight=[np.nan]), "weight.*row 0"),
    "stream and y": (lambda: dict(x=dataset(["a"]), y=[1]), "brings its own labels"),
    "late in a stream": (
        lambda: dict(x=dataset((TEXTS, [0, 1, 0, 1, 0, 7])).batch(2), shuffle=False),
        "from batch 2 on: row 1: label 7 is outside",
    ),
    "late in a generator": (
        lambda: dict(x=(row for row in [("a", 0)] * 40 + [(None, 0)])),
        "from batch 1 on: .*found None in row 8",
    ),
    "unequal rows in a generator": (
        lambda: dict(x=(row for row in [("a", 0)] * 33 + [("b",)]), batch_size=2),
        "row 33 of the stream has 1 values, and row 32 has 2",
    ),
    "unequal rows at its beginning": (
        lambda: dict(x=iter([("a", 1), ("b",)])), "row 1 of the stream has 1 values",
    ),
    "weights in some batches": (
        lambda: dict(x=iter([(["a"], [1]), (["b"], [0], [1.0])])),
        "from batch 1 on: texts and labels and weights, and before texts and labels",
    ),
    "split of a stream": (lambda: dict(x=dataset((TEXTS, NUMBERS)), validation_split=0.5),
                          "give validation_data instead"),
    "empty stream": (lambda: dict(x=iter([])), "holds no texts"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_why(classifier, seen, case):
    make, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as error:
        classifier.fit(**make())
    assert "\n" not in str(error.value)


NUMBERS_REFUSED = {
    "fit": [
        *[dict(batch_size=value) for value in (0, -1, 2.5, "8", True)],
        *[dict(epochs=value) for value in (0, -3, 1.5, None)],
        *[dict(steps_per_epoch=0), dict(initial_epoch=-1), dict(validation_steps=0)],
        *[dict(validation_split=value) for value in (1.0, -0.1, float("nan"), "a")],
        dict(validation_batch_size=0),
    ],
    "evaluate": [dict(batch_size=0), dict(steps=0), dict(steps=1.5)],
    "predict": [dict(batch_size=0), dict(batch_size=-4), dict(steps=0)],
    "answers": [dict(batch_size=0)],
    "named_outputs": [dict(batch_size=-1)],
}


@pytest.mark.parametrize("method", NUMBERS_REFUSED)
def test_numbers_that_do_not_fit(classifier, method):
    for arguments in NUMBERS_REFUSED[method]:
        labels = {"y": NUMBERS} if method in ("fit", "evaluate") else {}
        with pytest.raises(InputError, match=next(iter(arguments))):
            getattr(classifier, method)(TEXTS, **labels, **arguments)


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


MISSPELT = {
    "fit": ("epoch", "epochs"),
    "evaluate": ("batchsize", "batch_size"),
    "predict": ("batchsize", "batch_size"),
    "compile": ("optimiser", "optimizer"),
}


@pytest.mark.parametrize("method", MISSPELT)
def test_a_misspelt_argument(classifier, method):
    given, meant = MISSPELT[method]
    arguments = () if method == "compile" else (TEXTS,)
    message = f"{method} has no argument '{given}'; did you mean {meant}"
    with pytest.raises(InputError, match=message):
        getattr(classifier, method)(*arguments, **{given: 1})
    with pytest.raises(TypeError, match=f"{method} has no argument 'xyz'; it has"):
        getattr(classifier, method)(*arguments, xyz=1)


def test_tokens_without_a_row_of_the_embedding(classifier, tokenizer):
    """Of a tokenizer that was given tokens after the task was made."""
    own = pickle.loads(pickle.dumps(tokenizer))
    preprocessor = kr.RobertaPreprocessor(own, 24, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(classifier.backbone, preprocessor=preprocessor)
    own.add_tokens(["<ent>"])
    texts, unknown = ["fine", "a <ent>"], "row 1: the token id 300 is outside 0..299"
    for ask in (task.predict, task.predict_on_batch, task.answers):
        with pytest.raises(InputError, match=unknown):
            ask(texts)
    for learn in (task.fit, task.evaluate, task.train_on_batch, task.test_on_batch):
        with pytest.raises(InputError, match=unknown):
            learn(texts, [1, 0])
    with pytest.raises(InputError, match=f"from batch 0 on: {unknown}"):
        task.evaluate(dataset((texts, [1, 0])))


def features_that_do_not_fit(ids, mask):
    unknown, negative = ids.copy(), ids.copy()
    unknown[1, 1], negative[2, 0] = 300, -1
    return {
        "a narrow mask": ({"token_ids": ids, "padding_mask": mask[:, 1:]}, "the shape"),
        "a short mask": ({"token_ids": ids, "padding_mask": mask[:1]}, "the shape"),
        "an id beyond": ({"token_ids": unknown, "padding_mask": mask}, "row 1: the token id 300"),
        "a negative id": ({"token_ids": negative.tolist()}, "row 2: the token id -1"),
        "long rows": ({"token_ids": np.full((6, 40), 5)}, "row 0: has 40 tokens"),
        "texts": ({"token_ids": [["a"]] * 6}, "token_ids must be whole numbers"),
        "one row": ({"token_ids": ids[0]}, "token_ids must be .*the shape .batch, length"),
    }


@pytest.mark.parametrize("case", features_that_do_not_fit(np.zeros((3, 2), int), np.ones((3, 2))))
def test_token_ids_that_do_not_fit(classifier, case):
    """One line on the host, before TensorFlow meets them; on a GPU it would say nothing."""
    features, message = features_that_do_not_fit(*classifier.preprocessor(TEXTS).values())[case]
    lm = kr.RobertaMaskedLM(
        classifier.backbone,
        kr.RobertaMaskedLM.preprocessor_cls(classifier.preprocessor.tokenizer, 24),
    )
    asked = [classifier.predict, classifier.predict_on_batch, lm.predict, lm.named_outputs]
    learnt = [classifier.fit, classifier.evaluate, classifier.train_on_batch]
    for method in (*asked, lm.evaluate, lm.train_on_batch):
        with pytest.raises(InputError, match=message):
            method(features)
    for method in learnt:
        with pytest.raises(InputError, match=message):
            method(features, NUMBERS)
    if "mask" in case:
        for model in (classifier, classifier.backbone):
            with pytest.raises(InputError, match=message):
                model(features)


def test_rows_of_several_documents_have_positions_for_each(classifier):
    features = {"token_ids": np.full((1, 40), 5), "segment_ids": np.arange(40)[None] // 20}
    assert classifier._checked_features(features)["token_ids"].shape == (1, 40)


LABELS_OF_DATASETS = {
    "one-hot": (lambda: np.eye(2)[NUMBERS], "one-hot or .*compile.loss='categorical_crossentropy'"),
    "names": (lambda: NAMES, "found names beside token ids.*dataset.map.preprocessor"),
    "lists": (lambda: tf.ragged.constant([[1], [], [0, 1]] * 2), "lists of unequal lengths"),
}


@pytest.mark.parametrize("form", LABELS_OF_DATASETS)
def test_labels_in_a_dataset_of_token_ids_that_do_not_fit(classifier, form):
    make, message = LABELS_OF_DATASETS[form]
    data = dataset((dict(classifier.preprocessor(TEXTS)), make())).batch(3)
    for method in (classifier.fit, classifier.evaluate):
        with pytest.raises(InputError, match=message):
            method(data)
    with pytest.raises(InputError, match=message):
        classifier.fit(TEXTS, NUMBERS, validation_data=data)


def test_labels_mapped_by_the_preprocessor(classifier):
    """One-hot ones need a loss that takes them."""
    data = dataset((TEXTS, np.eye(2)[NUMBERS])).batch(3).map(classifier.preprocessor)
    with pytest.raises(InputError, match="compile.loss='categorical_crossentropy'"):
        classifier.fit(data)
    classifier.compile(loss="categorical_crossentropy")
    found, expected = (classifier.evaluate(x, verbose=0) for x in (data, (TEXTS, NUMBERS)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    classifier.compile()


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


def test_one_batch_is_no_stream(classifier):
    with pytest.raises(InputError, match="expected one batch, found a .*Dataset; give it to fit"):
        classifier.train_on_batch(dataset((TEXTS, NUMBERS)))
    with pytest.raises(InputError, match="expected one batch, found a generator; give it to pred"):
        classifier.predict_on_batch(text for text in TEXTS)


def test_steps_that_were_skipped_are_told(classifier, caplog):
    """Where labels or weights cannot be read before training, as in a dataset of token ids."""
    weights = np.array([np.nan] * 3 + [1] * 3)
    data = dataset((dict(classifier.preprocessor(TEXTS)), NUMBERS, weights)).batch(3)
    classifier.compile()
    classifier.fit(data, verbose=0)
    assert "1 of 2 steps changed nothing" in caplog.text


def test_a_task_without_a_preprocessor(classifier):
    task = kr.RobertaTextClassifier(classifier.backbone, num_classes=2)
    for x in (TEXTS, "a", np.array(TEXTS), {"text": TEXTS}, dataset(TEXTS), iter(TEXTS)):
        with pytest.raises(InputError, match="no preprocessor"):
            task.predict(x)
    features = classifier.preprocessor(TEXTS)
    assert task.predict(features, verbose=0).shape == (6, 2)


def test_a_masked_language_model_of_token_ids(classifier, tokenizer):
    """Where there is a preprocessor it finds `<mask>`; else the task says what is missing."""
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, 24)
    lm = kr.RobertaMaskedLM(classifier.backbone, preprocessor=preprocessor)
    texts = ["a fine <mask>", "a <mask> <mask> film"]
    expected = lm.predict(texts, verbose=0)
    complete = preprocessor(texts)
    features = {name: complete[name] for name in ("token_ids", "padding_mask")}
    ids = {"token_ids": features["token_ids"].tolist()}
    for x in (complete, ids, dataset(features).batch(2)):
        np.testing.assert_allclose(lm.predict(x, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(lm.predict_on_batch(features), expected, atol=1e-5)
    assert np.isfinite([*lm.train_on_batch(ids), *lm.evaluate(ids, verbose=0)]).all()

    without = kr.RobertaMaskedLM(classifier.backbone)
    np.testing.assert_allclose(without.predict_on_batch(complete), expected, atol=1e-5)
    for x in (features, ids, features["token_ids"], dataset(features).batch(2)):
        for method in ("predict", "predict_on_batch", "named_outputs", "answers"):
            with pytest.raises(InputError, match="no preprocessor"):
                getattr(without, method)(x)
    for x in (complete, features, dataset(features).batch(2)):
        with pytest.raises(InputError, match="no preprocessor; make it with one to hide"):
            without.evaluate(x)
    with pytest.raises(InputError, match="no preprocessor; make it with one to hide"):
        without.train_on_batch(features)
