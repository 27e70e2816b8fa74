"""`fill_mask`: candidates with the texts that they make."""

import json

import keras
import numpy as np
import pytest
from task_cases import CONFIG

import keras_roberta as kr
from keras_roberta.errors import InputError


@pytest.fixture(scope="module")
def lm(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaMaskedLMPreprocessor(tokenizer, sequence_length=24)
    task = kr.RobertaMaskedLM(kr.RobertaBackbone(CONFIG), preprocessor)
    random = np.random.default_rng(1)
    task.head.output_bias.assign(random.normal(0, 2, task.head.output_bias.shape))
    return task


def probabilities(lm, text):
    """Of all tokens at the first mask, by Keras's own `predict`."""
    logits = lm.predict([text], verbose=0)[0, 0]
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_the_likeliest_tokens(lm, tokenizer):
    found = lm.fill_mask("a fine<mask>, warm", top_k=4)
    assert [list(one) for one in found] == [["token_id", "token", "score", "filled"]] * 4
    expected = probabilities(lm, "a fine<mask>, warm")
    order = np.argsort(-expected)[:4]
    assert [one["token_id"] for one in found] == order.tolist()
    np.testing.assert_allclose([one["score"] for one in found], expected[order], atol=1e-5)
    for one in found:
        assert one["token"] == tokenizer.decode([one["token_id"]], skip_special_tokens=False)
        assert one["filled"] == f"a fine{one['token']}, warm"


def test_words_to_choose_from(lm, tokenizer):
    words = ["film", " warm", "cold", "film"]
    found = lm.fill_mask("a <mask> , fine", candidates=words)
    assert sorted(one["token"] for one in found) == [" cold", " film", " warm"]
    expected = probabilities(lm, "a <mask> , fine")
    for one in found:
        (token_id,) = tokenizer(one["token"], add_special_tokens=False)
        assert one["token_id"] == token_id
        assert one["score"] == pytest.approx(expected[token_id], abs=1e-5)
        assert one["filled"] == f"a{one['token']} , fine"
    assert [one["score"] for one in found] == sorted((o["score"] for o in found), reverse=True)
    assert lm.fill_mask("a <mask> , fine", top_k=1, candidates=words) == found[:1]


def test_several_masks_and_several_texts(lm):
    both = lm.fill_mask(["<mask> fine<mask>", "a <mask>"], top_k=2)
    assert [len(of_text) for of_text in both] == [2, 2]
    begin, end = both[0]
    assert begin[0]["filled"] == f"{begin[0]['token']} fine<mask>"
    assert end[0]["filled"] == f"<mask> fine{end[0]['token']}"
    assert both[1] == lm.fill_mask("a <mask>", top_k=2)


def test_candidates_of_named_outputs(lm):
    """Of texts and of their token ids, a text at once."""
    texts = ["a <mask>", "<mask> fine<mask>"]
    outputs = lm.named_outputs(texts, 1, candidates=["lovely", ","])
    assert outputs["token_ids"].shape == (2, 2, 2)
    assert set(outputs["tokens"][1, 0]) == {"lovely", ","}
    for tokens in (outputs["tokens"][0, 0], outputs["tokens"][1, 1]):
        assert set(tokens) == {" lovely", " ,"}
    best = lm.answers(lm.preprocessor(texts), candidates=["lovely", ","], top_k=1)
    assert [row["tokens"] for row in best] == [
        [[outputs["tokens"][row, mask, 0]] for mask in range(row + 1)] for row in range(2)
    ]
    with pytest.raises(InputError, match="targets and candidates: give one of the two"):
        lm.named_outputs(texts, targets=[" film"], candidates=["film"])


def test_on_the_command_line(lm, tmp_path, run):
    lm.save_to_preset(tmp_path / "preset")
    ask = "predict", "--model", tmp_path / "preset", "--format", "jsonl", "a <mask>"
    code, printed, _ = run(*ask, "--top-k", 3)
    (masks,) = json.loads(printed)["tokens"]
    assert (code, masks) == (0, [one["token"] for one in lm.fill_mask("a <mask>", top_k=3)])
    code, printed, _ = run(*ask, "--top-k", 1, "--candidates", "film, warm")
    (masks,) = json.loads(printed)["tokens"]
    expected = lm.fill_mask("a <mask>", candidates=["film", "warm"])
    assert (code, masks) == (0, [expected[0]["token"]])
    code, _, error = run(*ask, "--candidates", "film,zebra")
    assert code == 2 and error.startswith("error: --candidates: ' zebra' is ")


def test_a_word_at_the_beginning_has_no_space(lm):
    found = lm.fill_mask("<mask> fine<mask>", candidates=["lovely"])
    assert [[one["token"] for one in of_mask] for of_mask in found] == [["lovely"], [" lovely"]]


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        ("a film", {}, "row 0: there is no <mask>"),
        (["a <mask>", "a"], {}, "row 1: there is no <mask>"),
        ("a <mask>", {"candidates": ["film", "zebra"]}, "' zebra' is [2-6] tokens .*, and a mask"),
        ("a <mask>", {"candidates": []}, "give one or more words"),
        ("a <mask>", {"candidates": ["film", " "]}, "expected words; got ' '"),
        ("a <mask>", {"candidates": [3]}, "expected words; got 3"),
        ("a <mask>", {"top_k": 0}, "top_k"),
        ([], {}, "there are no texts"),
    ],
)
def test_what_is_refused(lm, x, arguments, message):
    with pytest.raises(InputError, match=message):
        lm.fill_mask(x, **arguments)
