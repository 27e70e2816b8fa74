"""Token ids in place of texts: their forms, their labels, and what has no place in a model."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from six_texts import NAMES, NUMBERS, TEXTS, dataset

import keras_roberta as kr
from keras_roberta.errors import InputError


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


def test_steps_that_were_skipped_are_told(classifier, caplog):
    """Where labels or weights cannot be read before training, as in a dataset of token ids."""
    weights = np.array([np.nan] * 3 + [1] * 3)
    data = dataset((dict(classifier.preprocessor(TEXTS)), NUMBERS, weights)).batch(3)
    classifier.compile()
    classifier.fit(data, verbose=0)
    assert "1 of 2 steps changed nothing" in caplog.text
