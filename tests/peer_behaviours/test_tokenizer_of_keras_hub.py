"""What KerasHub's tests ask of the tokenizer."""

import keras_hub
import pytest
import tensorflow as tf
from peer_harness import (
    MERGES,
    TOKENS,
    VOCABULARY,
    Refused,
    behaviours,
    check,
    ids,
    plain,
    text_ids,
    tokenizer_with,
)

import keras_roberta as kr

TEXTS = tf.data.Dataset.from_tensor_slices(["rain day", "rain"])


@behaviours(
    {
        "a list gives a row a text": (
            lambda tok: text_ids(tok, ["rain day", "day"]),
            [ids("rain Ġday"), ids("day")],
        ),
        "a string gives one row": (lambda tok: text_ids(tok, "rainy"), ids("rain y")),
        "a tensor gives the same": (
            lambda tok: text_ids(tok, tf.constant(["rain day"])),
            [ids("rain Ġday")],
        ),
        "special tokens are found in a text": (
            lambda tok: text_ids(tok, "<s> rain day</s><pad>"),
            ids("<s> Ġrain Ġday </s> <pad>"),
        ),
        "a space in front of all on request": (
            lambda tok: text_ids(tokenizer_with(add_prefix_space=True), ["rain day", "day"]),
            [ids("Ġrain Ġday"), ids("Ġday")],
        ),
        "tokens as strings": (lambda tok: tok.tokenize("rainy day"), ["rain", "y", "Ġday"]),
        "one text comes back": (lambda tok: tok.decode(tok("a rainy day")), "a rainy day"),
        "many texts come back": (
            lambda tok: tok.decode_batch(tok([" rain", "day."])),
            [" rain", "day."],
        ),
        "special tokens come back on request": (
            lambda tok: tok.decode(tok("rain"), skip_special_tokens=False),
            "<s>rain</s>",
        ),
        "a token by its id": (lambda tok: tok.id_to_token(VOCABULARY["rain"]), "rain"),
        "the id of a token": (lambda tok: tok.token_to_id("rain"), VOCABULARY["rain"]),
        "how many tokens there are": (lambda tok: tok.vocabulary_size, len(TOKENS)),
        "the whole vocabulary": (lambda tok: tok.vocabulary, VOCABULARY),
        "the special tokens by what they do": (
            lambda tok: [
                *(tok.start_token_id, tok.pad_token_id, tok.end_token_id),
                *(tok.unk_token_id, tok.mask_token_id),
            ],
            [0, 1, 2, 3, len(TOKENS) - 1],
        ),
        "a vocabulary without special tokens is refused": (
            lambda tok: kr.RobertaTokenizer({"a": 0, "b": 1, "c": 2}, []),
            Refused("lacks <s> <pad> </s>"),
        ),
        "a merge that makes no token is refused": (
            lambda tok: kr.RobertaTokenizer(VOCABULARY, ["q z"]),
            Refused("q z"),
        ),
        "a row of a dataset": (
            lambda tok: [row.numpy() for row in TEXTS.map(tok)],
            [ids("<s> rain Ġday </s>"), ids("<s> rain </s>")],
        ),
    }
)
def test_tokenizer_of_keras_hub(done, expected, tok):
    check(done, expected, tok)


@pytest.mark.parametrize(
    "text",
    [
        "rainy day",
        " rain\tday ",
        "day's rain 1234",
        "RAIN, day!",
        "über-rain",
        "雨 の day",
        "🌧 rain",
    ],
)
def test_tokenizer_gives_keras_hubs_ids(text, tok):
    theirs = keras_hub.models.RobertaTokenizer(vocabulary=VOCABULARY, merges=MERGES)
    assert text_ids(tok, text) == plain(theirs(text))


@pytest.fixture(scope="module")
def roberta_base(data_directory):
    return kr.RobertaTokenizer.from_preset(data_directory / "roberta-base-tokenizer")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am just a test string", [100, 524, 95, 10, 1296, 6755]),
        ("The quick brown fox.", [133, 2119, 6219, 23602, 4]),
        ("\n\n\n  s", [50140, 50118, 1437, 579]),
        ("  \n\n\ns", [1437, 1437, 50140, 50118, 29]),
        ("Hello\n\n", [31414, 50140]),
        ("\xa0 \xa0 000 s", [50141, 50143, 12096, 579]),
        ("素晴らしい", [36714, 20024, 21402, 37127, 27, 20024, 48945, 47918, 47780]),
        ("Hello world! cécé herlolip", [31414, 232, 328, 740, 1140, 12695, 69, 46078, 1588]),
        ("A, <mask> AllenNLP sentence.", [250, 6, 50264, 3823, 487, 21992, 3645, 4]),
    ],
)  # fmt: skip
def test_tokenizer_of_roberta_base(text, expected, roberta_base):
    """Ids that both peers' tests have of the published tokenizer."""
    assert text_ids(roberta_base, text) == expected
