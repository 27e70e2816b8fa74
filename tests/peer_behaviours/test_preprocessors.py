"""What KerasHub's tests ask of preprocessors and of masking."""

import functools

import pytest
import tensorflow as tf
from peer_harness import (
    END,
    LONG,
    MASK,
    PAD,
    START,
    Refused,
    behaviours,
    check,
    ids,
    padded,
    plain,
    tokenizer_with,
)

import keras_roberta as kr
from keras_roberta.data.masking import mask_tokens
from keras_roberta.errors import InputError


@pytest.fixture
def preprocessor(tok):
    return kr.RobertaPreprocessor(tok, sequence_length=16)


def with_length(preprocessor, length):
    preprocessor.sequence_length = length
    return preprocessor


LABELLED = tf.data.Dataset.from_tensor_slices((["rain day", "rain"], [1, 0]))


@functools.cache  # a graph takes a second to make
def mapped_rows():
    """Features and labels of `LABELLED`, row by row."""
    preprocessor = kr.RobertaPreprocessor(tokenizer_with(), sequence_length=16)
    return list(LABELLED.map(preprocessor).as_numpy_iterator())


@behaviours(
    {
        "a row with its padding": (
            lambda pre: pre(["rain day"]),
            {name: [row] for name, row in padded("<s> rain Ġday </s>", 8).items()},
        ),
        "one string": (lambda pre: pre("rain day"), padded("<s> rain Ġday </s>", 16)),
        "labels and weights pass through": (
            lambda pre: pre(["rain day"], [1], [0.5])[1:],
            [[1], [0.5]],
        ),
        "a pair": (
            lambda pre: pre((["rain"], ["day"]))["token_ids"],
            [padded("<s> rain </s> </s> day </s>", 8)["token_ids"]],
        ),
        "the longer text of a pair is cut first": (
            lambda pre: with_length(pre, 8)(([LONG], ["day"]))["token_ids"],
            [ids("<s> rain Ġrain Ġrain </s> </s> day </s>")],
        ),
        "another length takes effect": (
            lambda pre: with_length(pre, 4)([LONG])["token_ids"],
            [ids("<s> rain Ġrain </s>")],
        ),
        "no other features": (lambda pre: sorted(pre(["rain"])), ["padding_mask", "token_ids"]),
        "padding has the id 1 and the mask 0": (
            lambda pre: (pre(["rain"])["token_ids"] == PAD) == (pre(["rain"])["padding_mask"] == 0),
            [[True] * 8],
        ),
        "made again from its config": (
            lambda pre: type(pre).from_config(pre.get_config()).get_config() == pre.get_config(),
            True,
        ),
        "a column of lists that is no pair is refused": (
            lambda pre: pre([["a", "b", "c"], ["d", "e", "f"]]),
            Refused("text"),
        ),
        "rows of a dataset": (
            lambda pre: [x["token_ids"][:4] for x, y in mapped_rows()],
            [ids("<s> rain Ġday </s>"), ids("<s> rain </s> <pad>")],
        ),
        "which have one length": (
            lambda pre: [len(x["padding_mask"]) for x, y in mapped_rows()],
            [16, 16],
        ),
        "labels of a dataset": (lambda pre: [y for x, y in mapped_rows()], [1, 0]),
        "pairs of a dataset": (
            lambda pre: [
                x["token_ids"][:6]
                for x, y in tf.data.Dataset.from_tensors((("rain", "day"), 1)).map(pre)
            ],
            [ids("<s> rain </s> </s> day </s>")],
        ),
    }
)
def test_preprocessor_of_keras_hub(done, expected, preprocessor):
    check(done, expected, preprocessor)


def test_preprocessor_of_a_preset(classifier, tmp_path):
    classifier.save_to_preset(tmp_path)
    again = kr.RobertaPreprocessor.from_preset(tmp_path)
    assert plain(again(["rain day"])) == plain(classifier.preprocessor(["rain day"]))
    assert kr.RobertaPreprocessor.from_preset(tmp_path, sequence_length=9).sequence_length == 9
    with pytest.raises(InputError, match="no such directory"):
        kr.RobertaPreprocessor.from_preset(tmp_path / "nowhere")


def masked(rows, maskable=None, columns=4, **rates):
    """Masked ids, places, true ids and weights of rows of ids; 1 hides all that may be hidden."""
    settings = {"mask_rate": 1.0, "mask_token_rate": 1.0, "random_token_rate": 0.0, **rates}
    token_ids = tf.constant(rows, tf.int32)
    maskable = tf.ones_like(token_ids, bool) if maskable is None else tf.constant(maskable)
    found = mask_tokens(token_ids, maskable, num_predictions=columns, vocabulary_size=1000,
                        mask_token_id=999, **settings)  # fmt: skip
    return [array.numpy().tolist() for array in found]


@behaviours(
    {
        "every token is hidden, and said where and what": (
            lambda: masked([[5, 3, 2, 4], [1, 2, 3, 4]]),
            [[[999] * 4] * 2, [[0, 1, 2, 3]] * 2, [[5, 3, 2, 4], [1, 2, 3, 4]], [[1] * 4] * 2],
        ),
        "a shorter row has columns to spare": (
            lambda: masked([[5, 3, 2, 0]], [[True, True, True, False]]),
            [[[999, 999, 999, 0]], [[0, 1, 2, 0]], [[5, 3, 2, 0]], [[1, 1, 1, 0]]],
        ),
        "tokens that may not be hidden stay": (
            lambda: masked([[5, 3]], [[False, False]], 2),
            [[[5, 3]], [[0, 0]], [[0, 0]], [[0, 0]]],
        ),
        "at a rate of 0 nothing is hidden": (
            lambda: masked([[5, 3]], columns=2, mask_rate=0.0),
            [[[5, 3]], [[0, 0]], [[0, 0]], [[0, 0]]],
        ),
        "no more than there are columns": (
            lambda: sum(masked([[5, 3, 2, 4, 6, 7]], columns=2)[3][0]),
            2,
        ),
        "places and true ids under random tokens": (
            lambda: masked([[5, 3, 2, 4]], mask_token_rate=0.0, random_token_rate=1.0)[1:3],
            [[[0, 1, 2, 3]], [[5, 3, 2, 4]]],
        ),
        "random tokens are other tokens": (
            lambda: (
                masked([[5, 3, 2, 4]], mask_token_rate=0.0, random_token_rate=1.0)[0]
                == [[5, 3, 2, 4]]
            ),
            False,
        ),
        "a token may stay as it is and be asked for": (
            lambda: masked([[5, 3]], columns=2, mask_token_rate=0.0)[0::3],
            [[[5, 3]], [[1, 1]]],
        ),
    }
)
def test_masking_of_keras_hub(done, expected):
    check(done, expected)


@behaviours(
    {
        "where the masks of a text stand": (
            lambda pre: pre(["rain<mask> day<mask>", "<mask>"])["mask_positions"],
            [[2, 4], [1, 0]],
        ),
        "all tokens but special ones are hidden at a rate of 1": (
            lambda pre: pre.mask(pre(["rain day"]))[0]["token_ids"],
            [[START, MASK, MASK, END, *[PAD] * 4]],
        ),
        "and are what is asked for": (
            lambda pre: pre.mask(pre(["rain day"]))[1][:, :2],
            [ids("rain Ġday")],
        ),
        "with a weight each": (lambda pre: pre.mask(pre(["rain day"]))[2][:, :3], [[1, 1, 0]]),
        "a rate of more than 1 is refused": (
            lambda pre: type(pre)(pre.tokenizer, mask_rate=1.5),
            Refused("mask_rate"),
        ),
        "shares of more than 1 are refused": (
            lambda pre: type(pre)(pre.tokenizer, mask_token_rate=0.9, random_token_rate=0.2),
            Refused("mask_token_rate, random_token_rate"),
        ),
        "made again from its config": (
            lambda pre: type(pre).from_config(pre.get_config()).get_config() == pre.get_config(),
            True,
        ),
    }
)
def test_masked_lm_preprocessor_of_keras_hub(done, expected, tok):
    cls = kr.RobertaMaskedLM.preprocessor_cls
    check(done, expected, cls(tok, 16, mask_rate=1.0, mask_token_rate=1.0, random_token_rate=0.0))
