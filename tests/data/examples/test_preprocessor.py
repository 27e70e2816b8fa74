"""A preprocessor called by itself, on the host and inside graphs."""

import numpy as np
import pytest
import tensorflow as tf
from small_tokenizers import unigram, write

import keras_roberta as kr
from keras_roberta.data.examples.masked_lm_preprocessor import RobertaMaskedLMPreprocessor
from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer

TEXTS = ["a fine film", "", "film " * 40, "ünïcode <mask> \U0001f600", "dull", "a"]
SECONDS = ["dull", "a fine film " * 9, "flat", "", "b", "warm"]
NAMES = ["bad", "good", "good", "bad", "good", "good"]
NUMBERS = [0, 1, 1, 0, 1, 1]


@pytest.fixture(scope="module")
def preprocessor(tokenizer):
    return kr.RobertaPreprocessor(tokenizer, sequence_length=40, labels=["bad", "good"])


def assert_same(found, expected):
    """But for more padding."""
    assert found.keys() == expected.keys()
    length = expected["token_ids"].shape[-1]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name][..., :length], array)
        if name != "mask_positions":
            assert (found[name][..., length:] == (1 if name == "token_ids" else 0)).all()


@pytest.mark.parametrize(
    ("in_graph", "on_host"),
    [
        (TEXTS, TEXTS),
        ({"text": TEXTS}, TEXTS),
        ({"text": TEXTS, "text_pair": SECONDS}, (TEXTS, SECONDS)),
        ((TEXTS, SECONDS), (TEXTS, SECONDS)),
    ],
)
def test_batches_of_a_dataset(preprocessor, in_graph, on_host):
    data = tf.data.Dataset.from_tensor_slices((in_graph, NUMBERS)).batch(4)
    batches = [batch for batch, _ in data.map(preprocessor).as_numpy_iterator()]
    sides = on_host if isinstance(on_host, tuple) else (on_host,)
    for number, batch in enumerate(batches):
        part = tuple(side[4 * number : 4 * number + 4] for side in sides)
        assert_same(batch, preprocessor(part if len(part) == 2 else part[0]))


def test_pairs_with_labels_and_weights(preprocessor):
    data = tf.data.Dataset.from_tensor_slices(((TEXTS, SECONDS), NAMES, np.arange(6.0))).batch(6)
    (batch,) = data.map(preprocessor).as_numpy_iterator()
    expected = preprocessor((TEXTS, SECONDS), NAMES, np.arange(6.0))
    assert_same(batch[0], expected[0])
    assert batch[1].tolist() == expected[1].tolist() == NUMBERS
    assert batch[2].tolist() == expected[2].tolist() == list(range(6))


def test_rows_of_a_dataset_have_one_length(preprocessor):
    rows = tf.data.Dataset.from_tensor_slices((TEXTS, NAMES)).map(preprocessor)
    assert rows.element_spec[0]["token_ids"].shape == (40,)
    ((features, labels),) = rows.batch(6).as_numpy_iterator()
    assert labels.tolist() == NUMBERS
    for row, (text, name) in enumerate(zip(TEXTS, NAMES, strict=True)):
        alone, number = preprocessor(text, name)
        assert number == NUMBERS[row] and alone["token_ids"].shape == (40,)
        assert_same({k: v[row] for k, v in features.items()}, alone)


@pytest.mark.parametrize("one", ["a film", b"a film", np.array("a film"), tf.constant("a film")])
def test_a_single_text(preprocessor, one):
    batch = preprocessor(["a film"])
    found = preprocessor(one)
    length = batch["token_ids"].shape[1]
    for name, array in found.items():
        assert array.shape == (40,)
        np.testing.assert_array_equal(array[:length], batch[name][0])
    assert not found["padding_mask"][length:].any() and (found["token_ids"][length:] == 1).all()


def test_a_kind_without_a_form_for_graphs(tmp_path):
    tokenizer = open_tokenizer(write(unigram(), tmp_path / "tok"))
    assert tokenizer.batched_in_graph() is None
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16)
    for x in (TEXTS, (TEXTS, SECONDS)):
        data = tf.data.Dataset.from_tensors((x, NUMBERS))
        ((batch, _),) = data.map(preprocessor).as_numpy_iterator()
        assert_same(batch, preprocessor(x))


def test_masks_are_found_in_graphs(tokenizer):
    preprocessor = RobertaMaskedLMPreprocessor(tokenizer, 24)
    texts = ["a<mask> film<mask>", "dull"]
    (batch,) = tf.data.Dataset.from_tensors(texts).map(preprocessor).as_numpy_iterator()
    assert_same(batch, preprocessor(texts))
    assert batch["mask_positions"].shape == (2, 2)


def test_what_does_not_fit(preprocessor, tokenizer):
    unnamed = kr.RobertaPreprocessor(tokenizer, 24)
    named = tf.data.Dataset.from_tensor_slices((TEXTS, NAMES))
    for call in (lambda: named.map(unnamed), lambda: unnamed(TEXTS, NAMES)):
        # TensorFlow puts its own class around errors of what is mapped.
        with pytest.raises(Exception, match="labels are names: give the preprocessor labels="):
            call()
    odd = tf.data.Dataset.from_tensor_slices((["a"], ["odd"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="a label is none of.*bad, good.*odd"):
        list(odd.map(preprocessor))
    with pytest.raises(InputError, match="row 1: label 'odd' is none of bad, good"):
        preprocessor(["a", "b"], ["bad", "odd"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *[({"sequence_length": n}, "_length must be a whole") for n in (16.5, "16", 2, None)],
        *[({"labels": names}, "labels: give a list of names") for names in ("yes", 2, {0: "no"})],
        ({"labels": ["no", "no"]}, "labels: 'no' is named twice"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(tokenizer, arguments, message):
    with pytest.raises(InputError, match=message):
        kr.RobertaPreprocessor(tokenizer, **arguments)
    assert kr.RobertaPreprocessor(tokenizer, labels=np.array(["no", "yes"])).labels == ("no", "yes")
