"""Text in, label out: host, SavedModel and TFLite see the same ids, whatever the text."""

import functools
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export.padded_rows import as_features
from keras_roberta.tokenizers import RobertaTokenizer

TEXTS = {
    "empty": "",
    "white space": " \t\n\u00a0\u3000 \r\n ",
    "plain": "the film is a mess from start to finish",
    "special tokens": "<s>a <mask> gem</s><pad><unk>",
    "long": "I would not send this back: it does what the page says " * 20,
    "NULs": "\0a\0\0gem\0",
    "only NULs": "\0\0\0",
    "invalid UTF-8": b"a\xff\xfe gem \xc3( \xe3\x81 \xf0\x9f\x98",
    "encoded surrogate": b"\xed\xa0\x80 overlong \xc0\xaf",
    "lone surrogate": "a \ud800 gem \udfff",
    "surrogate pair": "\ud83d\ude00",
    "1 MB of one letter": "a" * 10**6,
    "1,000 combining marks": "e" + "\u0301" * 1000,
    "unassigned": "\u0378\ufffe\U000e0fff\U0010ffff",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea x\ufe0f",
    "scripts": "\u0939\u093f\u0928\u094d\u0926\u0940 \u65e5\u672c\u8a9e \u0661\u0662 \u00bd",
}


def logits_of(task, rows):
    return task(as_features(rows, 1), training=False).numpy()


@pytest.mark.parametrize("name", TEXTS)
def test_tflite_sees_the_ids_of_the_host(name, exported, classifier, tokenizer):
    runner = export.load(exported["text_none"])
    outputs = runner.run_texts([TEXTS[name]])
    ids = tokenizer([TEXTS[name]], max_length=runner.max_length)
    assert outputs["token_ids"][0][: len(ids[0])].tolist() == ids[0]
    np.testing.assert_allclose(outputs["logits"], logits_of(classifier, ids), rtol=1e-4, atol=1e-5)


def test_saved_model_sees_the_ids_of_the_host(server, classifier, tokenizer):
    """All in one batch: rows differ in length by far."""
    texts = [text if isinstance(text, bytes) else None for text in TEXTS.values()]
    texts = [
        raw if raw is not None else text.encode("utf-8", "surrogatepass")
        for raw, text in zip(texts, TEXTS.values(), strict=True)
        if raw is not None or not any("\ud800" <= letter <= "\udfff" for letter in text)
    ]
    logits = server.run("serving_default", text=texts)["logits"]
    rows = tokenizer(texts, max_length=40)
    np.testing.assert_allclose(logits, logits_of(classifier, rows), rtol=1e-4, atol=1e-5)


def test_runner_of_a_saved_model(server, classifier):
    texts = list(TEXTS.values())
    found = server.predict(texts)
    expected = classifier.predict(texts, verbose=0)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["label"], expected.argmax(axis=-1))


def test_no_rows(server, exported):
    outputs = server.run("serving_default", text=np.array([], "S"))
    assert outputs["logits"].shape == (0, 3) and outputs["label"].shape == (0,)
    for runner in (server, export.load(exported["text_none"])):
        with pytest.raises(InputError, match="no rows"):
            runner.predict([])


texts = st.lists(
    st.text(max_size=30)
    | st.binary(max_size=20)
    | st.sampled_from(["a gem", "the film's\n\n", " <mask>", "12 \u65e5", "\0"]),
    min_size=1,
    max_size=4,
).map(lambda parts: b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))


@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(texts)
def test_any_text_in_tflite(exported, tokenizer, text):
    runner = _open(exported["text_int8"])
    (ids,) = tokenizer([text], max_length=runner.max_length)
    assert runner.run_texts([text])["token_ids"][0][: len(ids)].tolist() == ids


_open = functools.cache(export.load)


@pytest.mark.parametrize("name, bound", [("none", 1e-4), ("float16", 1e-2), ("int8", 0.1)])
def test_quantized_text_files(exported, classifier, tokenizer, name, bound):
    runner = export.load(exported[f"text_{name}"])
    texts = ["a gem", "the film is a mess", "its last half"]
    assert max(map(len, tokenizer(texts))) <= runner.max_length
    outputs = runner.predict(texts)
    assert set(outputs) == {"logits", "probabilities", "label", "score"}
    powers = np.exp(logits_of(classifier, tokenizer(texts)))
    expected = powers / powers.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=0, atol=bound)


def test_pairs(exported, server_of_pairs, regressor):
    pairs = (["a gem", "", "the film " * 9], ["a mess", "much of that", "it does what it says"])
    short = (pairs[0][:2], pairs[1][:2])
    expected = regressor.predict(pairs, verbose=0)
    found = server_of_pairs.predict({"text": pairs[0], "text_pair": pairs[1]})
    assert set(found) == {"logits", "value"}
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)
    phone = export.load(exported["text_pairs"]).predict(short)
    values = regressor.predict(short, verbose=0)[:, 0]
    np.testing.assert_allclose(phone["value"], values, atol=0.1 * max(1, abs(values).max()))
    with pytest.raises(InputError, match="exported for pairs of texts"):
        export.load(exported["text_pairs"]).predict(["a gem"])
    with pytest.raises(InputError, match="1 of them for 2 texts"):
        server_of_pairs.predict((["a", "b"], ["c"]))


def test_a_text_of_many_tokens_goes_to_a_longer_signature(exported, tokenizer):
    """Bytes alone do not tell: 40 of them may be more than 16 tokens."""
    runner = export.load(exported["text_none"])
    lengths = [
        len(ids) for ids in runner.run_texts(["a gem", "\u65e5" * 8, "q" * 300])["token_ids"]
    ]
    assert lengths == [16, 32, 32]
    assert runner.run_texts(["\u65e5" * 8])["num_tokens"] == len(tokenizer("\u65e5" * 8)) == 26


@pytest.fixture(params=["text_int8", "saved_model"])
def runner(request, exported):
    if request.param == "saved_model":
        return request.getfixturevalue("server")
    return export.load(exported[request.param])


def test_misuse(runner):
    with pytest.raises(InputError, match="exported for single texts"):
        runner.predict((["a"], ["b"]))
    with pytest.raises(InputError, match="expected texts under 'text'; found 'sentence', 'id'"):
        runner.predict({"sentence": ["a gem"], "id": ["1"]})
    with pytest.raises(InputError, match="expected strings, found None in row 1"):
        runner.predict(["a gem", None])


def test_forms_of_texts(runner):
    expected = runner.predict(["a gem"])["logits"]
    for form in ("a gem", b"a gem", np.array(["a gem"]), {"sentence": ["a gem"]}, [("a gem", 1)]):
        np.testing.assert_allclose(runner.predict(form)["logits"], expected, atol=1e-6)


def test_a_task_without_a_tokenizer(make_task, tmp_path):
    task = make_task(with_text=False, layers=1, vocabulary_size=320)
    for write in (export.to_tflite, export.to_saved_model):
        with pytest.raises(InputError, match="no preprocessor to take the tokenizer from"):
            write(task, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    export.to_saved_model(task, tmp_path / "1", inputs="tokens")
    assert export.load(tmp_path / "1").predict({"token_ids": [[0, 9, 2]]})["label"].shape == (1,)


def test_other_ids_are_noticed(small_classifier, tmp_path, monkeypatch):
    static_in_graph = RobertaTokenizer.static_in_graph

    def of_another(tokenizer):
        settings = tokenizer.vocabulary, tokenizer.merges, not tokenizer.add_prefix_space
        return static_in_graph(RobertaTokenizer(*settings))

    monkeypatch.setattr(RobertaTokenizer, "static_in_graph", of_another)
    with pytest.raises(export.ExportMismatch, match="the tokenizer in the file makes other ids"):
        export.to_tflite(small_classifier, tmp_path / "model.tflite", "none", sequence_lengths=[16])
    assert list(tmp_path.iterdir()) == []


def test_strings_need_no_tensorflow(exported):
    program = f"""
import sys
from keras_roberta import export
print(export.load({str(exported["text_int8"])!r}).predict(["a gem", "a mess"])["label"].shape)
print([name for name in ("keras", "tensorflow", "tokenizers") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2:] == ["(2,)", "[]"]
