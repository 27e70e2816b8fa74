"""What KerasHub's and Transformers' own tests of RoBERTa ask of a RoBERTa, asked of this one.

The tests beside this file share a vocabulary that a reader can merge by hand, a tiny encoder, and
tables of behaviours. A row of a table is one behaviour, its name says which. Expected values are
written down, or come from another library. What the peers do and this library leaves out on
purpose, or does in another way, stands in docs/reference/peers.md.
"""

import json

import keras
import numpy as np
import pytest
from tokenizers import pre_tokenizers

import keras_roberta as kr
from keras_roberta.errors import InputError

# === The vocabulary ===

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


# === Tables ===


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


# === Tokenizers and texts ===

LONG = "rain rain rain rain rain rain"  # six tokens, the first without a space
TRAIN = (["rain day", "rainy rain", "a day"], [1, 1, 0])


def tokenizer_with(**settings):
    return kr.RobertaTokenizer(VOCABULARY, MERGES, **settings)


def text_ids(tok, texts):
    return tok(texts, add_special_tokens=False)


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


def json_round_trip(instance):
    saved = json.dumps(keras.saving.serialize_keras_object(instance), sort_keys=True)
    again = keras.saving.deserialize_keras_object(json.loads(saved))
    return type(again) is type(instance) and again.get_config() == instance.get_config()


def of(x):
    return np.asarray(x, "float32")
