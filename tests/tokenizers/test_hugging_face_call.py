"""The tokenizer as Hugging Face's users call it, against what Transformers answers.

The expected values were written by `benchmarks/freeze_tokenizer_calls.py`.
"""

import copy
import json
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from small_tokenizers import MAKERS, write
from tokenizers import AddedToken

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import open_tokenizer

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
FROZEN = json.loads((GOLDEN / "tokenizer_calls.json").read_text("utf-8"))
TEXTS = ["the fox sees a dog.", "a <mask> dog", ""]


@pytest.fixture
def tok():
    return open_tokenizer(GOLDEN / "tiny-tokenizer")


@pytest.mark.parametrize("call", FROZEN["calls"], ids=lambda call: call["name"])
def test_calls(tok, call):
    found = tok(*call["texts"], **call["options"])
    assert set(found) == set(call["gives"])
    for name, expected in call["gives"].items():
        plain = json.loads(json.dumps(found[name], default=np.ndarray.tolist))
        assert plain == expected, name
        assert isinstance(found[name], np.ndarray) == ("return_tensors" in call["options"])
    for name in ("tokens", "word_ids", "sequence_ids"):
        method = getattr(found, name)
        assert [method(row) for row in range(len(call[name]))] == call[name], name


def test_expressions(tok):
    for text, expected in FROZEN["expressions"]:
        assert json.loads(json.dumps(eval(text, {"tok": tok}))) == expected, text


def test_the_short_form_stays(tok):
    """No option of Hugging Face's: lists of ids."""
    assert type(tok("a cat")) is list and type(tok(["a"], max_length=2)) is list
    assert tok("a cat") == tok("a cat", padding=False)["input_ids"] == tok.encode("a cat")


def test_a_character_of_one_text(tok):
    row = tok("a cat", padding=False)
    assert row.char_to_token(2) == row.char_to_token(0, 2) == 2  # behind <s> and "a"


# Every kind of tokenizer


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind(kind, tmp_path):
    library = MAKERS[kind]()
    tok = open_tokenizer(write(library, tmp_path))
    found = tok(TEXTS, padding=True, return_tensors="np", return_offsets_mapping=True)
    short = tok(TEXTS)
    lengths = list(map(len, short))
    assert found.attention_mask.sum(1).tolist() == lengths
    for row, (text, ids) in enumerate(zip(TEXTS, short, strict=True)):
        assert found.input_ids[row, : lengths[row]].tolist() == ids
        encoding = library.encode(text, add_special_tokens=False)
        inside = slice(1, lengths[row] - 1)
        if kind != "byte-level BPE":  # whose library here leaves spaces in; see `test_calls`
            assert found.offset_mapping[row, inside].tolist() == list(map(list, encoding.offsets))
        assert found.word_ids(row)[inside] == encoding.word_ids
    assert tok.convert_ids_to_tokens(short[0]) == tok("the fox sees a dog.", padding=True).tokens()
    assert tok.mask_token == "<mask>" and len(tok) == tok.vocabulary_size
    before, other = tok("a dog<ent>"), copy.deepcopy(tok)
    fingerprint = tok.fingerprint
    assert tok.add_tokens(["<ent>", AddedToken("<end>", special=True)]) == 2
    assert tok("a dog<ent>")[-2] == tok.token_to_id("<ent>") == len(tok) - 2
    assert tok.fingerprint != fingerprint and tok != other and other("a dog<ent>") == before
    assert tok.special_token_ids[-1] == len(tok) - 1
    assert pickle.loads(pickle.dumps(tok)) == tok
    tok.save(tmp_path / "saved", model_max_length=7)
    again = open_tokenizer(tmp_path / "saved")
    assert again == tok and again.model_max_length == 7
    assert len(again("the fox sees a dog the fox", truncation=True).input_ids) == 7


def test_tensors_of_tensorflow(tok):
    found = tok(["a cat", "a"], padding=True, return_tensors="tf")
    assert found.input_ids.dtype == tf.int32 and tf.is_tensor(found["attention_mask"])
    assert found.input_ids.numpy().tolist() == tok(["a cat", "a"], padding=True)["input_ids"]


def test_needs_no_tensorflow():
    program = f"""
import sys
from keras_roberta.tokenizers import open_tokenizer
tok = open_tokenizer({str(GOLDEN / "tiny-tokenizer")!r})
tok(["a", "cat"], padding=True, return_tensors="np")
print([n for n in ("tensorflow", "keras") if n in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


@pytest.mark.parametrize(
    "texts, options, message",
    [
        (["a"], {"pading": True}, "no option 'pading'; did you mean padding"),
        (["a"], {"padding": "always"}, "padding: expected one of"),
        (["a"], {"truncation": "first"}, "truncation: expected one of"),
        (["a"], {"return_tensors": "pt"}, "return_tensors: expected 'np' or 'tf'"),
        (["a"], {"padding_side": "up"}, "padding_side: expected one of"),
        (["a"], {"padding": [True]}, "padding: expected one of"),
        (["a"], {"padding": 1}, "padding: expected one of"),
        (["a"], {"truncation": {}}, "truncation: expected one of"),
        (["a"], {"return_tensors": ["np"]}, "return_tensors: expected 'np' or 'tf'"),
        (["a"], {"padding_side": ["left"]}, "padding_side: expected one of"),
        (["a"], {"stride": -1}, "stride must be at least 0; got -1"),
        (["a"], {"stride": "1"}, "stride must be a whole number; got '1'"),
        (["a"], {"pad_to_multiple_of": "8"}, "pad_to_multiple_of must be a whole number; got '8'"),
        (["a"], {"pad_to_multiple_of": 0}, "pad_to_multiple_of must be a whole number from 1"),
        (["a"], {"max_length": "8"}, "max_length must be a whole number; got '8'"),
        (["a"], {"max_length": 8.5, "padding": "max_length"}, "max_length must be a whole number"),
        (["a"], {"max_length": -1, "padding": "max_length"}, "max_length must be at least 0"),
        (["a", "a cat"], {"return_tensors": "np"}, "the rows have 3 to 6 tokens; give padding"),
        ("a cat", {"is_split_into_words": True}, "expected lists of words, found a single string"),
        (["a", ["b"]], {"is_split_into_words": True}, "row 0 is a string, not a list of words"),
        (["a"], {"text_pair": "b", "padding": True}, "text_pair: give one text for one text"),
        (["the cat"], {"truncation": True, "max_length": 1}, "leaves no room"),
        (
            ["the cat"],
            {"truncation": True, "max_length": 4, "stride": 2, "return_overflowing_tokens": True},
            "stride 2: a row has room for 2 tokens",
        ),
        (
            ["the cat"],
            {"text_pair": ["a"], "truncation": "only_second", "max_length": 5},
            "truncation='only_second': the text has 1 tokens, of which",
        ),
        (["the cat"], {"truncation": "only_second", "max_length": 5}, "there is no second text"),
        ([None], {"padding": True}, "expected strings, found None"),
    ],
)
def test_bad_calls(tok, texts, options, message):
    with pytest.raises(InputError) as caught:
        tok(texts, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tokens, message",
    [
        ({"mask_token": "[MASK]"}, "mask_token is '<mask>'; to call it '[MASK]'"),
        ({"no_token": "x"}, "there is no special token 'no_token'"),
        ({"additional_special_tokens": "<ent>"}, "tokens: expected a list of texts; got '<ent>'"),
        ({"extra_special_tokens": 3}, "tokens: expected a list of texts; got 3"),
        ({"additional_special_tokens": [3]}, "expected texts or AddedTokens; got 3"),
    ],
)
def test_special_tokens_that_cannot_be_added(tok, tokens, message):
    with pytest.raises(InputError, match="(?s)" + message.replace("[", r"\[")):
        tok.add_special_tokens(tokens)
    assert tok.add_special_tokens({"mask_token": "<mask>"}) == 0


def test_tokens_that_cannot_be_added(tok):
    for bad in (3, None, b"<ent>", [3], [""]):
        with pytest.raises(InputError, match="add_tokens: expected texts or AddedTokens"):
            tok.add_tokens(bad)


# In graphs


@pytest.mark.parametrize("kind", ["byte-level BPE", "Unigram"])
def test_in_a_graph(kind, tmp_path):
    """`dataset.map(tokenizer)`, batched or not, and in a function: the ids of the host."""
    tok = open_tokenizer(write(MAKERS[kind](), tmp_path))
    tok.add_tokens("sees")
    pairs = TEXTS[::-1]
    ones = tf.data.Dataset.from_tensor_slices(TEXTS)
    both = tf.data.Dataset.from_tensor_slices((TEXTS, pairs))
    assert [ids.numpy().tolist() for ids in ones.map(tok)] == tok(TEXTS)
    assert [ids.to_list() for ids in both.batch(3).map(tok)] == [tok(TEXTS, pairs)]

    @tf.function
    def run(texts, pairs):
        return (
            tok(texts, pairs, 7),
            tok(texts, add_special_tokens=False),
            tok(texts, pairs, 3, add_special_tokens=False),
        )

    assert [found.to_list() for found in run(tf.constant(TEXTS), tf.constant(pairs))] == [
        tok(TEXTS, pairs, 7),
        tok(TEXTS, add_special_tokens=False),
        tok(TEXTS, pairs, 3, add_special_tokens=False),
    ]
    for call, message in (
        (lambda text: tok(text, padding=True), "padding: inside a graph a tokenizer gives ids"),
        (lambda text: tok(tf.strings.length(text)), "texts: expected strings"),
        (lambda text: tok(text, tf.expand_dims(text, 0)), "text_pair: give one string"),
    ):
        with pytest.raises(Exception, match=f"InputError: {message}"):  # wrapped by TensorFlow
            ones.map(call)
