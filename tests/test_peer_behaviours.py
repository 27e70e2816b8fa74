"""What KerasHub's and Transformers' own tests of RoBERTa ask of a RoBERTa, asked of this one.

A row is one behaviour, its name says which. Expected values are written down, or come from another
library. What the peers do and this library leaves out on purpose, or does in another way, stands in
docs/reference/peers.md.
"""

import functools
import json
import pickle

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from tokenizers import pre_tokenizers

import keras_roberta as kr
from keras_roberta.data.masking import mask_tokens
from keras_roberta.errors import InputError
from keras_roberta.layers.embeddings import position_ids

# === A vocabulary that a reader can merge by hand ===

MERGES = ["r a", "i n", "ra in", "Ġ rain", "d a", "da y", "Ġ day"]
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
TOKENS = [*SPECIALS, *LETTERS, *(merge.replace(" ", "") for merge in MERGES), "<mask>"]
VOCABULARY = {token: index for index, token in enumerate(TOKENS)}
START, PAD, END, MASK = (VOCABULARY[token] for token in ("<s>", "<pad>", "</s>", "<mask>"))


def ids(tokens):
    """Ids of tokens that are written with spaces between them."""
    return [VOCABULARY[token] for token in tokens.split()]


def padded(tokens, length):
    """What the encoder takes: a row of token ids, and of ones and zeros."""
    row = ids(tokens)
    rest = length - len(row)
    return {"token_ids": row + [PAD] * rest, "padding_mask": [1] * len(row) + [0] * rest}


def plain(value):
    """Arrays and tensors within lists, tuples and dicts as lists of numbers and texts."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "to_list"):
        return value.to_list()
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "numpy"):
        return np.asarray(value).tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def behaviours(rows):
    """One test for each row of a table of names and (what is done, what comes of it)."""
    return pytest.mark.parametrize(("done", "expected"), rows.values(), ids=rows)


class Refused(str):
    """Expected where an InputError is: a part of its message."""


def check(done, expected, *arguments):
    if isinstance(expected, Refused):
        with pytest.raises(InputError, match=expected):
            done(*arguments)
        return
    assert plain(done(*arguments)) == plain(expected)


def check_numbers(done, expected, model):
    """As `check`; two functions have to give the same numbers, nearly."""
    if callable(expected):
        np.testing.assert_allclose(done(model), expected(model), atol=1e-5)
    else:
        check(done, expected, model)


@pytest.fixture
def tok():
    return kr.RobertaTokenizer(VOCABULARY, MERGES)


def tokenizer_with(**settings):
    return kr.RobertaTokenizer(VOCABULARY, MERGES, **settings)


def text_ids(tok, texts):
    return tok(texts, add_special_tokens=False)


# === The tokenizer, as in KerasHub ===

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


# === The tokenizer, as in Transformers ===

LONG = "rain rain rain rain rain rain"  # six tokens, the first without a space


def added(tok, *tokens, **kwargs):
    tok.add_tokens(list(tokens), **kwargs)
    return tok


@behaviours(
    {
        "input_ids and attention_mask by name": (
            lambda tok: dict(tok("rain day", padding=False)),
            {"input_ids": ids("<s> rain Ġday </s>"), "attention_mask": [1, 1, 1, 1]},
        ),
        "many texts": (
            lambda tok: tok(["rain", "day"], padding=False)["input_ids"],
            [ids("<s> rain </s>"), ids("<s> day </s>")],
        ),
        "a pair": (
            lambda tok: tok("rain", "day", padding=False)["input_ids"],
            ids("<s> rain </s> </s> day </s>"),
        ),
        "without special tokens": (
            lambda tok: tok("rain", add_special_tokens=False, padding=False)["input_ids"],
            ids("rain"),
        ),
        "padding to the longest row": (
            lambda tok: dict(tok(["rain day", "day"], padding=True)),
            {
                "input_ids": [ids("<s> rain Ġday </s>"), ids("<s> day </s> <pad>")],
                "attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
            },
        ),
        "padding to a length": (
            lambda tok: tok("day", padding="max_length", max_length=6)["input_ids"],
            ids("<s> day </s> <pad> <pad> <pad>"),
        ),
        "padding to a multiple": (
            lambda tok: tok("day", padding=True, pad_to_multiple_of=8)["input_ids"],
            ids("<s> day </s>") + [PAD] * 5,
        ),
        "padding on the left": (
            lambda tok: dict(
                tok("day", padding="max_length", max_length=5, padding_side="left")
            ),
            {"input_ids": ids("<pad> <pad> <s> day </s>"), "attention_mask": [0, 0, 1, 1, 1]},
        ),
        "cutting to a length": (
            lambda tok: tok(LONG, truncation=True, max_length=4)["input_ids"],
            ids("<s> rain Ġrain </s>"),
        ),
        "the longer text of a pair is cut first": (
            lambda tok: tok(LONG, "day", truncation=True, max_length=7)["input_ids"],
            ids("<s> rain Ġrain </s> </s> day </s>"),
        ),
        "cutting the first text alone": (
            lambda tok: tok("rain rain", LONG, truncation="only_first", max_length=11)["input_ids"],
            ids("<s> rain </s> </s> rain Ġrain Ġrain Ġrain Ġrain Ġrain </s>"),
        ),
        "cutting the second text alone": (
            lambda tok: tok("rain rain", LONG, truncation="only_second", max_length=8)["input_ids"],
            ids("<s> rain Ġrain </s> </s> rain Ġrain </s>"),
        ),
        "what was cut, as further rows with a stride": (
            lambda tok: tok(
                "rain rain rain day", truncation=True, max_length=5, stride=1,
                return_overflowing_tokens=True,
            )["input_ids"],
            [ids("<s> rain Ġrain Ġrain </s>"), ids("<s> Ġrain Ġday </s>")],
        ),
        "which text a further row is of": (
            lambda tok: tok(
                ["day", "rain rain rain day"], truncation=True, max_length=5, stride=1,
                return_overflowing_tokens=True,
            )["overflow_to_sample_mapping"],
            [0, 1, 1],
        ),
        "where tokens are special": (
            lambda tok: tok("rain", "day", return_special_tokens_mask=True)["special_tokens_mask"],
            [1, 0, 1, 1, 0, 1],
        ),
        "one token type": (
            lambda tok: tok("rain", "day", return_token_type_ids=True)["token_type_ids"],
            [0] * 6,
        ),
        "which text of a pair a token is of": (
            lambda tok: tok("rain", "day", padding=False).sequence_ids(),
            [None, 0, None, None, 1, None],
        ),
        "which word a token is of": (
            lambda tok: tok("rainy day", padding=False).word_ids(),
            [None, 0, 0, 1, None],
        ),
        "which token a character is in": (
            lambda tok: [tok("rainy day", padding=False).char_to_token(0, i) for i in (0, 4, 6)],
            [1, 2, 3],
        ),
        "where tokens lie in the text, without the space": (
            lambda tok: tok("rain day", return_offsets_mapping=True)["offset_mapping"],
            [[0, 0], [0, 4], [5, 8], [0, 0]],
        ),
        "the same with a space in front of all": (
            lambda tok: tokenizer_with(add_prefix_space=True)(
                "rain day", return_offsets_mapping=True
            )["offset_mapping"],
            [[0, 0], [0, 4], [5, 8], [0, 0]],
        ),
        "the same where the text begins with a space": (
            lambda tok: tok(" rain day", return_offsets_mapping=True)["offset_mapping"],
            [[0, 0], [1, 5], [6, 9], [0, 0]],
        ),
        "texts in words": (
            lambda tok: tokenizer_with(add_prefix_space=True)(
                ["rain", "day"], is_split_into_words=True
            )["input_ids"],
            ids("<s> Ġrain Ġday </s>"),
        ),
        "numpy arrays": (
            lambda tok: type(tok(["rain"], return_tensors="np")["input_ids"]).__name__,
            "ndarray",
        ),
        "tensors": (
            lambda tok: tok(["rain"], return_tensors="tf")["input_ids"].shape,
            (1, 3),
        ),
        "rows of unequal length are no tensor": (
            lambda tok: tok(["rain", "rain day"], return_tensors="np"),
            Refused("padding=True"),
        ),
        "lengths on request": (lambda tok: tok("rain", return_length=True)["length"], 3),
        "an empty text is its special tokens": (
            lambda tok: tok("", padding=False)["input_ids"],
            [START, END],
        ),
        "encode gives ids": (lambda tok: tok.encode("rain day"), ids("<s> rain Ġday </s>")),
        "tokens to ids and back": (
            lambda tok: tok.convert_ids_to_tokens(tok.convert_tokens_to_ids(["rain", "Ġday"])),
            ["rain", "Ġday"],
        ),
        "an unknown token has the id of <unk>": (
            lambda tok: tok.convert_tokens_to_ids("snow"),
            VOCABULARY["<unk>"],
        ),
        "the text of tokens": (
            lambda tok: tok.convert_tokens_to_string(["rain", "y", "Ġday"]),
            "rainy day",
        ),
        "tokenize and encode agree": (
            lambda tok: tok.convert_tokens_to_ids(tok.tokenize("a rainy day")),
            ids("a Ġrain y Ġday"),
        ),
        "many rows back at once": (
            lambda tok: tok.batch_decode(tok(["rain day", "day"], padding=True)["input_ids"]),
            ["rain day", "day"],
        ),
        "the special tokens by their names": (
            lambda tok: [
                *(tok.bos_token, tok.eos_token, tok.sep_token, tok.cls_token),
                *(tok.unk_token, tok.pad_token, tok.mask_token),
            ],
            ["<s>", "</s>", "</s>", "<s>", "<unk>", "<pad>", "<mask>"],
        ),
        "their ids": (
            lambda tok: [
                *(tok.bos_token_id, tok.eos_token_id, tok.sep_token_id, tok.cls_token_id),
                *(tok.unk_token_id, tok.pad_token_id, tok.mask_token_id),
            ],
            [START, END, END, START, 3, PAD, MASK],
        ),
        "all special tokens, each once": (
            lambda tok: sorted(tok.all_special_tokens),
            ["</s>", "<mask>", "<pad>", "<s>", "<unk>"],
        ),
        "how many special tokens are put around": (
            lambda tok: [tok.num_special_tokens_to_add(), tok.num_special_tokens_to_add(pair=True)],
            [2, 4],
        ),
        "a mask takes the space before it": (
            lambda tok: tok.tokenize("rain <mask> day"),
            ["rain", "<mask>", "Ġday"],
        ),
        "a word right behind a mask": (
            lambda tok: tok.tokenize("rain <mask>day"),
            ["rain", "<mask>", "day"],
        ),
        "get_vocab": (lambda tok: tok.get_vocab(), VOCABULARY),
        "added tokens have new ids": (
            lambda tok: text_ids(added(tok, "<city>", "snow"), "rain<city>"),
            [VOCABULARY["rain"], len(TOKENS)],
        ),
        "adding says how many are new": (
            lambda tok: tok.add_tokens(["<city>", "<mask>", "<city>"]),
            1,
        ),
        "the tokenizer has grown by them": (
            lambda tok: len(added(tok, "<city>", "snow")),
            len(TOKENS) + 2,
        ),
        "vocab_size has not": (lambda tok: added(tok, "<city>").vocab_size, len(TOKENS)),
        "the longest added token wins": (
            lambda tok: added(tok, "<a>", "<a><b>").tokenize("<a><b>"),
            ["<a><b>"],
        ),
        "an added special token is left out of texts": (
            lambda tok: added(tok, "<city>", special_tokens=True).decode(tok("rain<city>")),
            "rain",
        ),
        "additional special tokens": (
            lambda tok: [
                tok.add_special_tokens({"additional_special_tokens": ["<city>"]}),
                "<city>" in tok.all_special_tokens,
            ],
            [1, True],
        ),
        "another name for a special token is refused": (
            lambda tok: tok.add_special_tokens({"mask_token": "[MASK]"}),
            Refused("mask_token"),
        ),
        "a misspelt option is refused": (
            lambda tok: tok("rain", paddding=True),
            Refused("padding"),
        ),
        "pickled, with added tokens": (
            lambda tok: pickle.loads(pickle.dumps(added(tok, "<city>"))).tokenize("rain<city>"),
            ["rain", "<city>"],
        ),
    }
)  # fmt: skip
def test_tokenizer_of_transformers(done, expected, tok):
    check(done, expected, tok)


def test_tokenizer_is_saved_and_read(tok, tmp_path):
    added(tok, "<city>").save(tmp_path)
    again = kr.RobertaTokenizer.from_preset(tmp_path)
    assert again.get_vocab() == {**VOCABULARY, "<city>": len(TOKENS)}
    assert again("rain <city>") == tok("rain <city>")


def test_tokenizer_of_a_preset_knows_the_models_length(classifier, tmp_path):
    classifier.save_to_preset(tmp_path)
    assert kr.RobertaTokenizer.from_preset(tmp_path).model_max_length == 16


# === Preprocessors ===


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


# === The encoder ===

SIZES = {
    "vocabulary_size": len(TOKENS),
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 16,
}
FEATURES = {
    "token_ids": np.array([ids("<s> rain Ġday </s> <pad>"), ids("<s> a b c </s>")], "int32"),
    "padding_mask": np.array([[1, 1, 1, 1, 0], [1] * 5], "int32"),
}
TOKENS_OF_FEATURES = FEATURES["padding_mask"].astype(bool)


def encoder(dtype=None, **changes):
    return kr.RobertaBackbone(kr.RobertaConfig(**{**SIZES, **changes}), dtype=dtype)


def small_encoder():
    """One to train: dropout takes longer to compile than the rest to run."""
    return encoder(num_layers=1, dropout=0.0, attention_dropout=0.0)


def randomized(model):
    """A model whose biases and gains matter too."""
    random = np.random.default_rng(3)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(weight + random.normal(0, 0.2, weight.shape))
    return model


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(11)
    return randomized(encoder())


def json_round_trip(instance):
    saved = json.dumps(keras.saving.serialize_keras_object(instance), sort_keys=True)
    again = keras.saving.deserialize_keras_object(json.loads(saved))
    return type(again) is type(instance) and again.get_config() == instance.get_config()


def of(x):
    return np.asarray(x, "float32")


def alone(backbone):
    """The encoder's output of the first text without its padding."""
    return of(backbone({name: x[:1, :4] for name, x in FEATURES.items()}))[0]


def in_front(backbone):
    """The encoder's output of the first text with its padding in front."""
    turned = {name: np.roll(x[:1], 1, axis=1) for name, x in FEATURES.items()}
    return of(backbone(turned))[0, 1:]


def bigger(backbone):
    return backbone.resize_vocabulary(len(TOKENS) + 10)


def by_attention(kind):
    """The outputs of the same weights with another way to compute attention."""

    def outputs(backbone):
        other = kr.RobertaBackbone(backbone.config.replace(attention=kind))
        other.set_weights(backbone.get_weights())
        return of(other(FEATURES))[TOKENS_OF_FEATURES]

    return outputs


@behaviours(
    {
        "a vector a token": (lambda b: b(FEATURES).shape, (2, 5, 8)),
        "token ids alone": (
            lambda b: of(b(FEATURES["token_ids"])),
            lambda b: of(b(FEATURES)),
        ),
        "ids without a mask": (
            lambda b: of(b({"token_ids": FEATURES["token_ids"]})),
            lambda b: of(b(FEATURES)),
        ),
        "two, three and four tokens": (
            lambda b: [b({k: x[:, :n] for k, x in FEATURES.items()}).shape for n in (2, 3, 4)],
            [(2, 2, 8), (2, 3, 8), (2, 4, 8)],
        ),
        "the embedding of tokens is a layer": (
            lambda b: b.token_embedding(np.zeros((2, 3), "int32")).shape,
            (2, 3, 8),
        ),
        "predict of arrays": (
            lambda b: b.predict(FEATURES, verbose=0),
            lambda b: of(b(FEATURES)),
        ),
        "predict of a dataset": (
            lambda b: b.predict(tf.data.Dataset.from_tensor_slices(FEATURES).batch(1), verbose=0),
            lambda b: of(b(FEATURES)),
        ),
        "its name": (lambda b: b.name.startswith("roberta_backbone"), True),
        "its configuration, through JSON": (json_round_trip, True),
        "its layers have weights as wide as it says": (
            lambda b: [b.config.hidden_dim, b.count_params()],
            # Tables of tokens, positions and one type, a norm; twice attention, norm, feed-forward
            # layers and norm.
            [8, (268 + 18 + 1) * 8 + 16 + 2 * (4 * 8 * 8 + 32 + 16 + 2 * 8 * 12 + 20 + 16)],
        ),
        "the same answer every time": (lambda b: of(b(FEATURES)), lambda b: of(b(FEATURES))),
        "a row alone as in a batch": (
            lambda b: of(b({name: x[1:] for name, x in FEATURES.items()}))[0],
            lambda b: of(b(FEATURES))[1],
        ),
        "padding changes nothing": (alone, lambda b: of(b(FEATURES))[0, :4]),
        "padding in front changes nothing": (in_front, alone),
        "hidden states: the embeddings and each block's": (
            lambda b: [len(b.hidden_states(FEATURES)), *b.hidden_states(FEATURES)[0].shape],
            [3, 2, 5, 8],
        ),
        "the last hidden state is the output": (
            lambda b: of(b.hidden_states(FEATURES)[-1]),
            lambda b: of(b(FEATURES)),
        ),
        "attentions: one a block, by heads": (
            lambda b: [len(b.attentions(FEATURES)), *b.attentions(FEATURES)[0].shape],
            [2, 2, 2, 5, 5],
        ),
        "they sum to 1, and none falls on padding": (
            lambda b: [
                of(b.attentions(FEATURES)[1]).sum(-1).round(4).min(),
                of(b.attentions(FEATURES)[1])[0, ..., 4].max(),
            ],
            [1.0, 0.0],
        ),
        "embeddings of one's own": (
            lambda b: of(b.encoder(b.embeddings(**FEATURES), FEATURES["padding_mask"])),
            lambda b: of(b(FEATURES)),
        ),
        "a larger vocabulary leaves known tokens alone": (
            lambda b: of(bigger(b)(FEATURES)),
            lambda b: of(b(FEATURES)),
        ),
        "and has rows for new ones": (
            lambda b: [
                bigger(b).config.vocabulary_size,
                bigger(b)(np.array([[0, len(TOKENS) + 9, 2]])).shape,
            ],
            [len(TOKENS) + 10, (1, 3, 8)],
        ),
        "a smaller one has fewer": (
            lambda b: b.resize_vocabulary(100).token_embedding.embeddings.shape,
            (100, 8),
        ),
        "attention in blocks gives the same": (
            by_attention("blocks"),
            lambda b: of(b(FEATURES))[TOKENS_OF_FEATURES],
        ),
        "the backend's own attention gives the same": (
            by_attention("fused"),
            lambda b: of(b(FEATURES))[TOKENS_OF_FEATURES],
        ),
        "positions count tokens from the padding's id on": (
            lambda b: position_ids(np.array([[1, 1, 1, 0]]), PAD),
            [[2, 3, 4, 1]],
        ),
        "sizes by keyword": (
            lambda b: kr.RobertaBackbone(**SIZES).config == b.config,
            True,
        ),
        "a misspelt argument is refused": (
            lambda b: kr.RobertaBackbone(**SIZES, num_layer=3),
            Refused("num_layers"),
        ),
        "heads that do not divide the width are refused": (
            lambda b: encoder(num_heads=3),
            Refused("hidden_dim"),
        ),
    }
)
def test_encoder(done, expected, backbone):
    check_numbers(done, expected, backbone)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_encoder_in_half_precision(dtype):
    """Outputs have the compute dtype, weights and layers what the policy says."""
    policy = keras.dtype_policies.get(dtype)
    model = encoder(dtype, num_layers=1)
    assert model(FEATURES).dtype.name == policy.compute_dtype
    assert model.compute_output_spec(FEATURES).dtype == policy.compute_dtype
    floats = [weight.dtype for weight in model.weights if "float" in weight.dtype]
    assert set(floats) == {policy.variable_dtype}
    for layer in (model.embeddings, model.encoder, *model.encoder.blocks, model.token_embedding):
        assert layer.compute_dtype == policy.compute_dtype
        assert layer.variable_dtype == policy.variable_dtype


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_encoder_quantised(mode):
    """A policy for each layer makes it so; configuration and weights come back."""
    layers = ".*(dense|query_key_value)"
    policies = {layers: keras.dtype_policies.get(f"{mode}_from_float32")}
    dtype = keras.dtype_policies.DTypePolicyMap(policy_map=policies)
    model = encoder(dtype, num_layers=1)
    block = model.encoder.blocks[0]
    assert block.intermediate_dense.quantization_mode == mode
    assert block.attention.query_key_value.quantization_mode == mode
    again = kr.RobertaBackbone.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(FEATURES), model(FEATURES))


def test_encoder_starts_with_small_weights():
    """As `initializer_range` says: biases at 0, gains at 1, the rest normal."""
    model = kr.RobertaBackbone(kr.RobertaConfig(**SIZES, initializer_range=0.05))
    for name, weight in model.weights_by_name().items():
        value = np.asarray(weight)
        if name.endswith(("bias", "beta")):
            assert not value.any(), name
        elif name.endswith("gamma"):
            assert (value == 1).all(), name
        elif value.size > 100:
            assert abs(value.mean()) < 0.02 and 0.03 < value.std() < 0.07, name


def test_encoder_takes_token_types():
    model = kr.RobertaBackbone(
        kr.RobertaConfig(**SIZES, num_token_types=2), optional_inputs=("token_type_ids",)
    )
    types = np.array([[0, 0, 1, 1, 1]] * 2, "int32")
    without = of(model({**FEATURES, "token_type_ids": np.zeros_like(types)}))
    assert not np.allclose(of(model({**FEATURES, "token_type_ids": types})), without, atol=1e-3)


def test_encoder_in_a_keras_file(backbone, tmp_path):
    backbone.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    assert type(again) is kr.RobertaBackbone
    np.testing.assert_array_equal(again(FEATURES), backbone(FEATURES))


# === Presets ===


@pytest.fixture(scope="module")
def presets(backbone, classifier, tmp_path_factory):
    """Directories of an encoder, of a task and of Transformers' form of the task."""
    directory = tmp_path_factory.mktemp("presets")
    backbone.save_to_preset(directory / "encoder")
    classifier.save_to_preset(directory / "task")
    classifier.save_to_hugging_face(directory / "hf")
    return directory


@functools.cache
def opened(cls, preset, **kwargs):
    return cls.from_preset(preset, **kwargs)


def encoder_of(name, **kwargs):
    return lambda presets: opened(kr.RobertaBackbone, presets / name, **kwargs)


def task_of(name, **kwargs):
    return lambda presets: opened(kr.RobertaTextClassifier, presets / name, **kwargs)


def metadata(presets):
    return json.loads((presets / "task/metadata.json").read_text())


def sharded(presets):
    """Names of the files of weights, and whether they are read back."""
    model = encoder_of("encoder")(presets)
    model.save_to_preset(presets / "sharded", max_shard_size=1e-5)
    names = sorted(path.name for path in (presets / "sharded").glob("model*"))
    return [*names, np.array_equal(encoder_of("sharded")(presets)(FEATURES), model(FEATURES))]


def without_weights(presets):
    model = encoder_of("encoder", load_weights=False)(presets)
    return np.allclose(model(FEATURES), encoder_of("encoder")(presets)(FEATURES))


@behaviours(
    {
        "files of an encoder": (
            lambda presets: sorted(path.name for path in (presets / "encoder").iterdir()),
            ["config.json", "metadata.json", "model.weights.h5"],
        ),
        "files of a task": (
            lambda presets: sorted(path.name for path in (presets / "task").glob("*.*")),
            ["config.json", "metadata.json", "model.weights.h5", "task.json", "task.weights.h5"],
        ),
        "the configuration says nothing of building and compiling": (
            lambda presets: [
                name in json.loads((presets / path).read_text())
                for path in ("encoder/config.json", "task/task.json")
                for name in ("build_config", "compile_config")
            ],
            [False] * 4,
        ),
        "the task's names its encoder and preprocessor": (
            lambda presets: sorted(
                {"backbone", "preprocessor"}
                & set(json.loads((presets / "task/task.json").read_text())["config"])
            ),
            ["backbone", "preprocessor"],
        ),
        "versions and the number of weights": (
            lambda presets: [
                metadata(presets)["keras_version"],
                type(metadata(presets)["parameter_count"]).__name__,
            ],
            [keras.__version__, "int"],
        ),
        "weights in several files": (
            sharded,
            ["model.weights.json", "model_00000.weights.h5", "model_00001.weights.h5", True],
        ),
        "another dtype": (
            lambda presets: encoder_of("encoder", dtype="bfloat16")(presets).dtype_policy.name,
            "bfloat16",
        ),
        "another dtype of a task": (
            lambda presets: task_of("task", dtype="float16")(presets).backbone.dtype_policy.name,
            "float16",
        ),
        "another dropout": (
            lambda presets: encoder_of("encoder", encoder_dropout=0.5)(presets).config.dropout,
            0.5,
        ),
        "without the weights": (without_weights, False),
        "no such preset": (encoder_of("clowns"), Refused("no such directory")),
        "an unknown place": (
            lambda presets: kr.RobertaBackbone.from_preset("gopher://a/b"),
            Refused("gopher"),
        ),
        "a path as an address": (
            lambda presets: (
                type(kr.RobertaBackbone.from_preset(f"file://{presets / 'encoder'}")).__name__
            ),
            "RobertaBackbone",
        ),
        "a class in place of a path": (
            lambda presets: kr.RobertaBackbone.from_preset(kr.RobertaBackbone),
            Refused("preset"),
        ),
        "a task's encoder": (
            lambda presets: type(encoder_of("task")(presets)).__name__,
            "RobertaBackbone",
        ),
        "a new head on the same encoder": (
            lambda presets: [
                np.array_equal(
                    task_of("task", num_classes=2)(presets).backbone(FEATURES),
                    task_of("task")(presets).backbone(FEATURES),
                ),
                np.allclose(
                    task_of("task", num_classes=2)(presets)(FEATURES),
                    task_of("task")(presets)(FEATURES),
                ),
            ],
            [True, False],
        ),
        "a head of another size": (
            lambda presets: task_of("hf", num_classes=5)(presets)(FEATURES).shape,
            (2, 5),
        ),
        "token ids without a preprocessor": (
            lambda presets: task_of("task", preprocessor=None)(presets).preprocessor is None,
            True,
        ),
        "KerasHub finds the class": (
            lambda presets: (
                type(keras_hub.models.TextClassifier.from_preset(str(presets / "task"))).__name__
            ),
            "RobertaTextClassifier",
        ),
        "and the encoder's": (
            lambda presets: (
                type(keras_hub.models.Backbone.from_preset(str(presets / "encoder"))).__name__
            ),
            "RobertaBackbone",
        ),
        "whichever task it is": (
            lambda presets: type(kr.open_task(presets / "task")).__name__,
            "RobertaTextClassifier",
        ),
        "an encoder is no task": (
            lambda presets: kr.open_task(presets / "encoder"),
            Refused("without a task's head"),
        ),
        "Transformers' form answers the same": (
            lambda presets: np.allclose(
                task_of("hf")(presets)(FEATURES), task_of("task")(presets)(FEATURES), atol=1e-5
            ),
            True,
        ),
        "with its labels": (lambda presets: task_of("hf")(presets).labels, ["dry", "wet"]),
        "and its tokenizer": (
            lambda presets: task_of("hf")(presets).preprocessor.tokenizer("rain"),
            ids("<s> rain </s>"),
        ),
    }
)
def test_presets(done, expected, presets):
    check(done, expected, presets)


# === Configuration, as in Transformers ===

HUGGING_FACE = {
    "model_type": "roberta",
    "vocab_size": 99,
    "hidden_size": 36,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 66,
    "type_vocab_size": 16,
    "hidden_act": "relu",
    "layer_norm_eps": 1e-6,
}


def config_json(directory, **changes):
    """A tiny task in Transformers' form whose `config.json` has been changed."""
    backbone = small_encoder()
    preprocessor = kr.RobertaPreprocessor(tokenizer_with(), sequence_length=16)
    kr.RobertaTextClassifier(backbone, 2, preprocessor).save_to_hugging_face(directory)
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return directory


@behaviours(
    {
        "all have defaults, those of roberta-base": (
            lambda: kr.RobertaConfig().to_hugging_face()["hidden_size"],
            768,
        ),
        "Transformers' names": (
            lambda: [
                getattr(kr.RobertaConfig.from_hugging_face(HUGGING_FACE), name)
                for name in ("vocabulary_size", "hidden_dim", "num_layers", "num_heads")
            ],
            [99, 36, 3, 4],
        ),
        "there and back": (
            lambda: {
                name: value
                for name, value in kr.RobertaConfig.from_hugging_face(HUGGING_FACE)
                .to_hugging_face()
                .items()
                if name in HUGGING_FACE
            },
            HUGGING_FACE,
        ),
        "through JSON": (
            lambda: (
                kr.RobertaConfig.from_dict(json.loads(json.dumps(kr.RobertaConfig().to_dict())))
                == kr.RobertaConfig()
            ),
            True,
        ),
        "another value": (lambda: kr.RobertaConfig().replace(num_heads=6).num_heads, 6),
        "a decoder is refused": (
            lambda: kr.RobertaConfig.from_hugging_face({**HUGGING_FACE, "is_decoder": True}),
            Refused("is_decoder"),
        ),
        "relative positions are refused": (
            lambda: kr.RobertaConfig.from_hugging_face(
                {**HUGGING_FACE, "position_embedding_type": "relative_key"}
            ),
            Refused("position_embedding_type"),
        ),
        "another architecture is refused": (
            lambda: kr.RobertaConfig.from_hugging_face({**HUGGING_FACE, "model_type": "spacy"}),
            Refused("spacy"),
        ),
    }
)
def test_config_of_transformers(done, expected):
    check(done, expected)


@behaviours(
    {
        "num_labels follows the names": (
            dict(id2label={"0": "dry", "1": "wet"}, label2id={"dry": 0, "wet": 1}),
            ("RobertaTextClassifier", ["dry", "wet"]),
        ),
        "single_label_classification": (
            dict(problem_type="single_label_classification"),
            ("RobertaTextClassifier", ["0", "1"]),
        ),
        "multi_label_classification": (
            dict(problem_type="multi_label_classification"),
            ("RobertaMultiLabelClassifier", ["0", "1"]),
        ),
    }
)
def test_problem_types_of_transformers(done, expected, tmp_path):
    task = kr.open_task(config_json(tmp_path, **done))
    assert (type(task).__name__, list(task.labels)) == expected


# === The classifier ===

TRAIN = (["rain day", "rainy rain", "a day"], [1, 1, 0])


@pytest.fixture(scope="module")
def classifier(backbone):
    keras.utils.set_random_seed(11)
    preprocessor = kr.RobertaPreprocessor(
        kr.RobertaTokenizer(VOCABULARY, MERGES), sequence_length=16, labels=("dry", "wet")
    )
    return randomized(kr.RobertaTextClassifier(backbone, preprocessor=preprocessor))


def dataset():
    return tf.data.Dataset.from_tensor_slices(TRAIN).batch(2)


@functools.cache
def mapped(preprocessor):
    """What `fit` takes without a preprocessor: a dataset that the preprocessor was mapped over."""
    return dataset().map(preprocessor)


def without_preprocessor(run):
    """Runs something on a task that has none, and puts it back."""

    def done(task):
        preprocessor, data = task.preprocessor, mapped(task.preprocessor)
        task.preprocessor = None
        try:
            return run(task, data)
        finally:
            task.preprocessor = preprocessor

    return done


def printed(task):
    lines = []
    task.summary(print_fn=lambda line, **_: lines.append(line))
    return "\n".join(lines)


def new_classifier(task, **settings):
    return kr.RobertaTextClassifier(task.backbone, preprocessor=task.preprocessor, **settings)


@behaviours(
    {
        "what the preprocessor gives is what the model takes": (
            lambda task: sorted(task.preprocessor(TRAIN[0])) == sorted(task.input),
            True,
        ),
        "logits of texts": (lambda task: task.predict(TRAIN[0], verbose=0).shape, (3, 2)),
        "of a dataset the same": (
            lambda task: task.predict(dataset(), verbose=0),
            lambda task: task.predict(TRAIN[0], verbose=0),
        ),
        "of a dataset that was preprocessed the same": (
            without_preprocessor(lambda task, data: task.predict(data, verbose=0)),
            lambda task: task.predict(TRAIN[0], verbose=0),
        ),
        "of one text the same as among others": (
            lambda task: task.predict(TRAIN[0][1:2], verbose=0),
            lambda task: task.predict(TRAIN[0], verbose=0)[1:2],
        ),
        "of token ids": (lambda task: task.predict(FEATURES, verbose=0).shape, (2, 2)),
        "its configuration, through JSON": (json_round_trip, True),
        "a summary with the preprocessor": (lambda task: "Preprocessor" in printed(task), True),
        "a summary without": (
            lambda task: "Preprocessor" in printed(kr.RobertaTextClassifier(task.backbone, 2)),
            False,
        ),
        "probabilities on request": (
            lambda task: np.asarray(new_classifier(task, activation="softmax")(FEATURES)).sum(1),
            lambda task: np.ones(2),
        ),
        "the loss then reads probabilities": (
            lambda task: new_classifier(task, activation="softmax").loss.get_config()[
                "from_logits"
            ],
            False,
        ),
        "and logits otherwise": (
            lambda task: new_classifier(task).loss.get_config()["from_logits"],
            True,
        ),
        "another width of the head": (
            lambda task: new_classifier(task, hidden_dim=5).head.dense.kernel.shape,
            (8, 5),
        ),
        "a misspelt argument is refused": (
            lambda task: new_classifier(task, hiden_dim=5),
            Refused("hidden_dim"),
        ),
        "not compiled, it does not fit": (
            lambda task: new_classifier(task, compile=False).fit(*TRAIN, verbose=0),
            Refused("compile"),
        ),
        "a label and its score": (
            lambda task: [sorted(answer) for answer in task.answers(TRAIN[0])],
            [["label", "score"]] * 3,
        ),
        "the label is one of its own": (
            lambda task: {answer["label"] for answer in task.answers(TRAIN[0])} <= {"dry", "wet"},
            True,
        ),
        "of one string": (lambda task: len(task.answers("rain day")), 1),
        "the scores of all labels": (
            lambda task: [
                round(sum(answer["all_scores"].values()), 4)
                for answer in task.answers(TRAIN[0], all_scores=True)
            ],
            [1.0] * 3,
        ),
        "of pairs by name": (
            lambda task: len(task.answers({"text": ["rain"], "text_pair": ["day"]})),
            1,
        ),
        "None is no text": (lambda task: task.answers([None]), Refused("None")),
        "vectors of texts": (
            lambda task: task.backbone(task.preprocessor(TRAIN[0]))[:, 0].shape,
            (3, 8),
        ),
        "a larger vocabulary gives the same answers": (
            lambda task: of(task.resize_vocabulary(len(TOKENS) + 8)(FEATURES)),
            lambda task: of(task(FEATURES)),
        ),
        "one class is a regression": (
            lambda task: type(kr.RobertaTextClassifier(task.backbone, 1)).__name__,
            "RobertaTextRegressor",
        ),
    }
)
def test_classifier(done, expected, classifier):
    check_numbers(done, expected, classifier)


@pytest.fixture(scope="module")
def trained(classifier):
    """A task to train on, so that the others' stays as it is."""
    backbone = small_encoder()
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return task


@behaviours(
    {
        "texts and labels": (lambda task: task.fit(*TRAIN, verbose=0), None),
        "with weights": (
            lambda task: task.fit(*TRAIN, sample_weight=np.array([1.0, 0.5, 0.0]), verbose=0),
            None,
        ),
        "a dataset": (lambda task: task.fit(dataset(), verbose=0), None),
        "a dataset that was preprocessed": (
            without_preprocessor(lambda task, data: task.fit(data, verbose=0)),
            None,
        ),
        "token ids": (lambda task: task.fit(FEATURES, np.array([0, 1]), verbose=0), None),
    }
)
def test_fit(done, expected, trained):
    before = trained.get_weights()
    assert np.isfinite(done(trained).history["loss"]).all()
    after = trained.get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_fit_changes_every_weight(trained):
    """No weight of the model is without a gradient."""
    task = kr.RobertaTextClassifier(trained.backbone, preprocessor=trained.preprocessor)
    task.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    before = {weight.path: np.array(weight) for weight in task.trainable_weights}
    task.train_on_batch(["rain day"] * 2, np.array([0, 1]))
    same = [w.path for w in task.trainable_weights if np.array_equal(before[w.path], np.array(w))]
    assert same == []


def test_fit_of_a_frozen_encoder_changes_the_head_alone(classifier):
    backbone = small_encoder()
    backbone.trainable = False
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    before, head = backbone.get_weights(), np.array(task.head.dense.kernel)
    task.fit(*TRAIN, verbose=0)
    for one, other in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(head, np.array(task.head.dense.kernel))


def test_fit_with_blocks_computed_twice(classifier):
    """Gradient checkpointing, here `remat`: the same losses."""
    losses = []
    for remat in (False, True):
        keras.utils.set_random_seed(3)
        backbone = encoder(num_layers=1, dropout=0.0, attention_dropout=0.0, seed=3, remat=remat)
        task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
        task.compile(keras.optimizers.SGD(0.5), run_eagerly=True)
        losses.append([task.train_on_batch(*TRAIN)[0] for _ in range(3)])
    np.testing.assert_allclose(*losses, atol=1e-5)


def test_classifier_in_a_keras_file(classifier, tmp_path):
    classifier.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    assert type(again) is kr.RobertaTextClassifier
    np.testing.assert_array_equal(again(FEATURES), classifier(FEATURES))


def test_classifier_quantised_and_saved(classifier, tmp_path):
    backbone = small_encoder()
    task = kr.RobertaTextClassifier(backbone, preprocessor=classifier.preprocessor)
    task.quantize("int8", filters="classification_head")  # the rest takes longer than it shows
    task.save_to_preset(tmp_path)
    again = kr.RobertaTextClassifier.from_preset(tmp_path)
    np.testing.assert_array_equal(again(FEATURES), task(FEATURES))
    floats = kr.RobertaTextClassifier.from_preset(tmp_path, load_weights=False, dtype="float32")
    assert floats.head.dense.kernel.dtype == "float32"


# === The language model ===


@pytest.fixture(scope="module")
def masked_lm(backbone):
    keras.utils.set_random_seed(11)
    cls = kr.RobertaMaskedLM
    preprocessor = cls.preprocessor_cls(kr.RobertaTokenizer(VOCABULARY, MERGES), sequence_length=16)
    return randomized(cls(backbone, preprocessor))


def of_targets(task, targets):
    """Tokens and scores of a text's first mask among targets."""
    (answer,) = task.answers(["rain<mask>"], targets=targets)
    return dict(zip(answer["tokens"][0], answer["scores"][0], strict=True))


def all_candidates(task):
    (answer,) = task.answers(["rain<mask>"], top_k=len(TOKENS))
    return dict(zip(answer["tokens"][0], answer["scores"][0], strict=True))


@behaviours(
    {
        "logits where the masks are": (
            lambda task: task.predict(["rain<mask><mask>", "<mask>"], verbose=0).shape,
            (2, 2, len(TOKENS)),
        ),
        "logits at places asked for": (
            lambda task: task({**FEATURES, "mask_positions": np.array([[1, 2, 3]] * 2)}).shape,
            (2, 3, len(TOKENS)),
        ),
        "at any number of places": (
            lambda task: task({**FEATURES, "mask_positions": np.array([[1]] * 2)}).shape,
            (2, 1, len(TOKENS)),
        ),
        "of token ids alone everywhere": (
            lambda task: task(FEATURES["token_ids"]).shape,
            (2, 5, len(TOKENS)),
        ),
        "the output matrix is the token embedding": (
            lambda task: task.head.token_embedding is task.backbone.token_embedding,
            True,
        ),
        "its configuration, through JSON": (json_round_trip, True),
        "five tokens for each mask": (
            lambda task: [
                [len(mask) for mask in answer["tokens"]]
                for answer in task.answers(["rain<mask>", "a<mask> b<mask>"])
            ],
            [[5], [5, 5]],
        ),
        "with falling scores": (
            lambda task: all(
                a >= b
                for answer in task.answers(["rain<mask>"])
                for a, b in zip(answer["scores"][0], answer["scores"][0][1:], strict=False)
            ),
            True,
        ),
        "and the text with the first of them": (
            lambda task: [
                answer["filled"] == "rain" + answer["tokens"][0][0]
                for answer in task.answers(["rain<mask>"])
            ],
            [True],
        ),
        "as many as are asked for": (
            lambda task: len(task.answers(["rain<mask>"], top_k=2)[0]["tokens"][0]),
            2,
        ),
        "which are the first of five": (
            lambda task: task.answers(["rain<mask>"], top_k=2)[0]["tokens"][0],
            lambda task: task.answers(["rain<mask>"])[0]["tokens"][0][:2],
        ),
        "scores of tokens that are asked for": (
            lambda task: of_targets(task, [" day", " rain"]),
            lambda task: {name: all_candidates(task)[name] for name in (" day", " rain")},
        ),
        "each once": (lambda task: len(of_targets(task, [" day", " day"])), 1),
        "no targets are refused": (lambda task: of_targets(task, []), Refused("targets")),
        "a target of several tokens is refused": (
            lambda task: of_targets(task, ["snow"]),
            Refused("snow"),
        ),
        "None is no text": (lambda task: task.answers([None]), Refused("None")),
        "a text without a mask is refused": (
            lambda task: task.answers(["rain"]),
            Refused("<mask>"),
        ),
    }
)
def test_masked_lm(done, expected, masked_lm):
    if callable(expected):
        expected, found = expected(masked_lm), done(masked_lm)
        assert found == (pytest.approx(expected, abs=1e-5) if isinstance(found, dict) else expected)
    else:
        check(done, expected, masked_lm)


@behaviours(
    {
        "texts alone": (lambda task: task.fit(TRAIN[0], verbose=0), None),
        "token ids with places and true ids": (
            lambda task: task.fit(
                {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)},
                np.array([ids("rain Ġday"), ids("a b")]),
                verbose=0,
            ),
            None,
        ),
    }
)
def test_fit_of_masked_lm(done, expected, masked_lm):
    task = kr.RobertaMaskedLM(small_encoder(), masked_lm.preprocessor)
    task.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    assert np.isfinite(done(task).history["loss"]).all()


def test_masked_lm_in_a_keras_file(masked_lm, tmp_path):
    masked_lm.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    assert type(again) is kr.RobertaMaskedLM
    inputs = {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)}
    np.testing.assert_array_equal(again(inputs), masked_lm(inputs))


def test_masked_lm_in_transformers_form(masked_lm, tmp_path):
    """The tied matrix is written once, and found again."""
    masked_lm.save_to_hugging_face(tmp_path)
    again = kr.RobertaMaskedLM.from_preset(tmp_path)
    inputs = {**FEATURES, "mask_positions": np.array([[1, 2]] * 2)}
    np.testing.assert_allclose(again(inputs), masked_lm(inputs), atol=1e-5)
