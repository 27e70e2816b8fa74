"""What `fit` and `predict` cannot read is said in one line that names the row or argument."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from six_texts import NUMBERS, ROWS, TEXTS, dataset

import keras_roberta as kr
from keras_roberta.errors import InputError

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


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"odd": 1.0}, "class_weight: label 'odd'"), ({2: 1.0}, "class_weight: label 2 is outside"),
     ({0: "much"}, "class_weight of 0: give a number"), ({0: -1}, "give a number from 0"),
     ([0.5, 2.0], 'give "balanced", or a dict of factors'), ("even", 'give "balanced", or')],
)  # fmt: skip
def test_weights_of_no_classes(classifier, weights, message):
    with pytest.raises(InputError, match=message):
        classifier.fit(TEXTS, NUMBERS, class_weight=weights)


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


def test_one_batch_is_no_stream(classifier):
    with pytest.raises(InputError, match="expected one batch, found a .*Dataset; give it to fit"):
        classifier.train_on_batch(dataset((TEXTS, NUMBERS)))
    with pytest.raises(InputError, match="expected one batch, found a generator; give it to pred"):
        classifier.predict_on_batch(text for text in TEXTS)


def test_a_task_without_a_preprocessor(classifier):
    task = kr.RobertaTextClassifier(classifier.backbone, num_classes=2)
    for x in (TEXTS, "a", np.array(TEXTS), {"text": TEXTS}, dataset(TEXTS), iter(TEXTS)):
        with pytest.raises(InputError, match="no preprocessor"):
            task.predict(x)
    features = classifier.preprocessor(TEXTS)
    assert task.predict(features, verbose=0).shape == (6, 2)
