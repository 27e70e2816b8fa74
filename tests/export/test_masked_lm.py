"""Fill-mask models: a text with `<mask>` in, the likeliest tokens for each out."""

import functools
import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.export import tflite
from keras_roberta.export.padded_rows import as_features
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.task_graph import TaskGraph

TOP_K, MAX_MASKS = 3, 2
TEXTS = {
    "one mask": "the film is a <mask> from start to finish",
    "no mask": "the film is a mess",
    "nothing": "",
    "only masks": "<mask><mask>",
    "three masks": "a <mask> of <mask>, and <mask>",
    "white space before it": "a gem\n\t <mask>",
    "invalid UTF-8": b"\xff\xfe <mask> \xc3( \xe3\x81",
    "lone surrogate": "\ud800<mask>",
    "NULs": "\0<mask>\0\0",
    "almost a mask": "<mask <MASK> <<mask>>",
    "cut off": "I would not send this back " * 20 + "<mask>",
}


@pytest.fixture(scope="module")
def masked_lm(make_task, tokenizer):
    keras.utils.set_random_seed(1)
    task = kr.RobertaMaskedLM(
        make_task().backbone,
        preprocessor=kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=32),
    )
    random = np.random.default_rng(1)
    for weight in (task.head.output_bias, task.head.dense.bias, task.head.norm.beta):
        weight.assign_add(random.normal(0, 0.2, weight.shape))
    # No special tokens come first; and of the rows that no token has, which would, none comes.
    ids = np.arange(20_000)
    task.head.output_bias.assign_add(9.0 * (ids > 4) + 9.0 * (ids >= tokenizer.vocabulary_size))
    return task


@pytest.fixture(scope="module")
def files(masked_lm, tmp_path_factory):
    """Paths by name."""
    directory = tmp_path_factory.mktemp("masked_lm")
    options = {"sequence_lengths": (32,), "top_k": TOP_K, "max_masks": MAX_MASKS}
    paths = {"saved_model": export.to_saved_model(masked_lm, directory / "1", top_k=TOP_K)}
    for name, inputs in (("none", "text"), ("int8", "text"), ("float16", "tokens")):
        path = directory / f"{name}.tflite"
        paths[name] = export.to_tflite(masked_lm, path, name, inputs, **options)
    return paths


def expected_answers(task, text, max_masks=None):
    """Ids, probabilities and logits of the best tokens, by Keras, each (masks, top_k)."""
    tokenizer = task.preprocessor.tokenizer
    row = tokenizer(text, max_length=32)
    positions = np.flatnonzero(np.array(row) == tokenizer.mask_token_id)
    if not len(positions):
        return len(positions), *np.zeros((3, 0, TOP_K))
    features = as_features([row], 1) | {"mask_positions": positions[None]}
    logits = task(features, training=False).numpy()[0, :max_masks]  # (masks, vocabulary_size)
    logits = logits[:, : tokenizer.vocabulary_size]  # candidates are tokens
    ids = np.argsort(-logits, axis=-1)[:, :TOP_K]
    scores = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return len(positions), ids, *(np.take_along_axis(x, ids, -1) for x in (scores, logits))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("file, max_masks", [("none", MAX_MASKS), ("saved_model", None)])
def test_equals_keras(name, file, max_masks, files, masked_lm, tokenizer):
    count, ids, scores, logits = expected_answers(masked_lm, TEXTS[name], max_masks)
    found = _open(files[file]).predict([TEXTS[name]])
    assert found["num_masks"].tolist() == [count]
    np.testing.assert_array_equal(found["token_ids"], ids[None])
    np.testing.assert_allclose(found["scores"], scores[None], rtol=1e-3)
    np.testing.assert_allclose(found["logits"], logits[None], rtol=1e-4, atol=1e-5)
    spelt = [[tokenizer.decode([i], skip_special_tokens=False) for i in row] for row in ids]
    assert found["tokens"].tolist() == [spelt] and all(map(any, spelt))


def test_the_graph_computes_the_exact_gelu(make_task, tokenizer):
    """Where its approximation by tanh would change logits, in float64 by the formulas."""
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, sequence_length=16)
    task = kr.RobertaMaskedLM(make_task(vocabulary_size=320, layers=1).backbone, preprocessor)
    random = np.random.default_rng(0)
    head = task.head
    for weight in (head.dense.kernel, head.dense.bias, head.norm.beta):
        weight.assign(random.normal(0, 0.3, weight.shape))
    head.norm.gamma.assign(random.normal(0, 3, head.norm.gamma.shape))
    features = as_features([[0, 7, tokenizer.mask_token_id, 9, 2]], 1)
    hidden = np.asarray(task.backbone(features), "float64")[0, 2]

    def logits_by(gelu):
        x = hidden @ np.asarray(head.dense.kernel) + np.asarray(head.dense.bias)
        assert ((1.5 < abs(x)) & (abs(x) < 3)).sum() > 10
        x = gelu(x)
        x = (x - x.mean()) / np.sqrt(x.var() + task.backbone.config.layer_norm_epsilon)
        x = x * np.asarray(head.norm.gamma) + np.asarray(head.norm.beta)
        return x @ np.asarray(task.backbone.token_embedding.embeddings, "float64").T

    exact = logits_by(lambda x: x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2)
    by_tanh = logits_by(lambda x: x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2)
    assert np.abs(exact - by_tanh).max() > 5e-4
    graph = TaskGraph(task, {"top_k": 320})
    found = graph(**{name: tf.constant(value) for name, value in features.items()})
    ids, logits = found["token_ids"].numpy()[0, 0], found["logits"].numpy()[0, 0]
    assert sorted(ids) == list(range(320))
    np.testing.assert_allclose(logits, exact[ids], atol=2e-5)


@pytest.mark.parametrize(
    "texts, message",
    [
        (["a <mask>", "a gem"], "row 1: there is no <mask>"),
        (["<mask> gem", ""], "row 1: there is no <mask>"),
        (["a <MASK>"], "row 0: there is no <mask>"),
        ([TEXTS["cut off"]], "row 0: of its 1 <mask> the model reads 0, and the others lie behind"),
        (["<mask>" + TEXTS["cut off"]], "row 0: of its 2 <mask> the model reads 1"),
    ],
)
@pytest.mark.parametrize("kind", ["none", "saved_model", "task"])
def test_texts_without_an_answer(kind, texts, message, files, masked_lm):
    model = masked_lm if kind == "task" else _open(files[kind])
    with pytest.raises(InputError) as caught:
        model.answers(texts)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    if kind == "task":
        for predict in (masked_lm.predict, masked_lm.predict_on_batch):
            if "of its 2" not in message:
                with pytest.raises(InputError, match="row .: (there is no|of its 1) <mask>"):
                    predict(texts)


def test_every_mask_is_answered(files, masked_lm):
    texts = [TEXTS["three masks"], TEXTS["one mask"]]
    for model in (masked_lm, _open(files["saved_model"])):
        assert [len(answer["tokens"]) for answer in model.answers(texts)] == [3, 1]
    with pytest.raises(InputError, match="row 0: has 3 <mask>, and the file answers 2 a text"):
        _open(files["none"]).answers(texts)
    logits = masked_lm.predict(texts, verbose=0)
    np.testing.assert_array_equal(np.isnan(logits[..., 0]), [[False] * 3, [False, True, True]])


def test_candidates_are_tokens(masked_lm, tokenizer):
    top_k = len(tokenizer.vocabulary)
    outputs = masked_lm.named_outputs([TEXTS["one mask"]], top_k=top_k)
    assert sorted(outputs["token_ids"][0, 0]) == sorted(tokenizer.vocabulary.values())
    np.testing.assert_allclose(outputs["scores"].sum(), 1, rtol=1e-5)


_open = functools.cache(export.load)


@pytest.mark.parametrize("quantization", ["float16", "int8"])
def test_quantized(quantization, files, masked_lm, tokenizer):
    text = TEXTS["three masks"]
    count, ids, scores, logits = expected_answers(masked_lm, text, MAX_MASKS)
    runner = _open(files[quantization])
    found = runner.predict([text] if runner.takes_text else as_features([tokenizer(text)], 1))
    assert found["num_masks"] == count == 3 and found["token_ids"].shape == (1, 2, TOP_K)
    bound = SCHEMES[quantization].bound.largest_change
    np.testing.assert_allclose(found["scores"][0], scores, rtol=0, atol=bound)
    assert found["token_ids"][0, 0, 0] == ids[0, 0]  # stands out by far more than the rounding


def test_a_batch_of_unequal_rows(files, masked_lm):
    """Behind the masks of a text: no token, 0 and empty strings; both formats alike."""
    texts = [TEXTS[name] for name in ("no mask", "one mask", "only masks")]
    for file in ("none", "saved_model"):
        found = _open(files[file]).predict(texts)
        assert found["num_masks"].tolist() == [0, 1, 2]
        assert found["token_ids"].shape == found["tokens"].shape == (3, 2, TOP_K)
        is_there = np.arange(2) < found["num_masks"][:, None]
        for name, nothing in (("token_ids", -1), ("scores", 0), ("logits", 0)):
            assert (found[name][~is_there] == nothing).all(), name
        assert (found["scores"][is_there] > 0).all()
        assert set(found["tokens"][~is_there].ravel()) == {""}
        for i, text in enumerate(texts):
            count, ids, *_ = expected_answers(masked_lm, text)
            np.testing.assert_array_equal(found["token_ids"][i, :count], ids)


def test_filled_texts(files):
    texts = ["a <mask> gem", "<mask><mask>", "a gem", "", "\u65e5\u672c <mask>"]
    found = _open(files["saved_model"]).predict(texts)
    a, b, c = found["tokens"][0, 0, 0], found["tokens"][1, :, 0], found["tokens"][4, 0, 0]
    assert found["filled"].tolist() == [f"a{a} gem", "".join(b), "a gem", "", f"\u65e5\u672c{c}"]


def test_any_candidate_can_be_sent_as_json(masked_lm, tokenizer):
    """Tokens may be parts of characters. TF Serving's REST writes strings into JSON as they are,
    and base 64 only of outputs whose names end in `_bytes`."""
    module = tokenizer.batched_in_graph()
    ids = np.arange(tokenizer.vocabulary_size, dtype="int32")
    head = masked_lm.exported_head(top_k=1)
    outputs = {
        "token_ids": tf.constant(ids[:, None, None]),
        "num_masks": tf.ones(len(ids), tf.int32),
    }
    row = tf.constant([[0, tokenizer.mask_token_id, 2]] * len(ids))
    strings = head.as_strings(outputs, row, module)
    assert set(strings) == {"tokens", "tokens_bytes", "filled"}
    raw = strings["tokens_bytes"].numpy()[:, 0, 0]
    broken = [spelt for spelt in raw if spelt.decode(errors="ignore").encode() != spelt]
    assert len(broken) >= 128  # all bytes are tokens, and half of them begin or go on a character
    assert sum(map(len, raw)) > len(ids) and len(set(raw)) == len(ids)
    for name in ("tokens", "filled"):
        for spelt, as_it_is in zip(strings[name].numpy().reshape(-1), raw, strict=True):
            assert json.dumps({name: spelt.decode()})
            if name == "tokens":
                assert spelt.decode() == as_it_is.decode(errors="replace")


def test_no_rows(files):
    outputs = _open(files["saved_model"]).run("serving_default", text=np.array([], "S"))
    assert outputs["tokens"].shape == (0, 0, TOP_K) and outputs["filled"].shape == (0,)
    for file in ("none", "saved_model"):
        with pytest.raises(InputError, match="no rows"):
            _open(files[file]).predict([])


def test_token_ids(files, masked_lm, tokenizer):
    rows = [tokenizer(TEXTS[name], max_length=32) for name in ("no mask", "three masks")]
    features = as_features(rows, 1)
    count, ids, *_ = expected_answers(masked_lm, TEXTS["three masks"])
    for file, masks in (("float16", MAX_MASKS), ("saved_model", 3)):
        found = _open(files[file]).predict(features)
        assert set(found) == {"token_ids", "scores", "logits", "num_masks"}
        assert found["num_masks"].tolist() == [0, count]
        np.testing.assert_array_equal(found["token_ids"][1], ids[:masks])


def test_agrees_with_predict(files, masked_lm):
    texts = [TEXTS["one mask"], TEXTS["three masks"]]
    logits = masked_lm.predict(texts, verbose=0)  # (rows, most masks, vocabulary_size)
    found = _open(files["saved_model"]).predict(texts)
    logits = logits[..., : masked_lm.preprocessor.tokenizer.vocabulary_size]
    np.testing.assert_array_equal(found["token_ids"][1, :, 0], logits[1].argmax(axis=-1))
    np.testing.assert_allclose(found["logits"][0, 0, 0], logits[0, 0].max(), rtol=1e-4)


def test_the_file(files, tokenizer):
    """The vocabulary is there once, for the look-up and the projection, in 8 bits; XNNPACK runs
    the encoder and the head in one piece."""
    for name, bytes_a_weight in {"none": 4, "int8": 1, "float16": 2}.items():
        assert tflite.xnnpack_partitions(files[name]) == 1
        model = schema.Model.GetRootAs(files[name].read_bytes())
        sizes = [model.Buffers(i).DataLength() for i in range(model.BuffersLength())]
        assert [n for n in sizes if n > 10**6] == [20_000 * 64 * bytes_a_weight], name
    values = export.read_metadata(files["int8"])
    assert values["task"] == "RobertaMaskedLM" and values["labels"] == []
    assert values["schema"] == {
        "name": "masked-tokens",
        "mask_token_id": tokenizer.mask_token_id,
        "top_k": 3,
        "max_masks": 2,
        "mask_token": "<mask>",
    }


def test_needs_no_tensorflow(files):
    program = f"""
import sys
from keras_roberta import export
print(export.load({str(files["int8"])!r}).predict(["a <mask> gem"])["tokens"].shape)
print([name for name in ("keras", "tensorflow", "tokenizers") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-2:] == ["(1, 1, 3)", "[]"]


def test_half_precision(masked_lm, tmp_path):
    """Compared with a float32 copy, as classifiers are."""
    half = kr.RobertaMaskedLM(
        kr.RobertaBackbone(masked_lm.backbone.config, dtype="mixed_bfloat16"),
        preprocessor=masked_lm.preprocessor,
    )
    export.to_saved_model(half, tmp_path / "1", inputs="tokens")
    ids = [half.preprocessor.tokenizer("<mask>")]
    assert export.load(tmp_path / "1").predict({"token_ids": ids})["scores"].shape == (1, 1, 5)


def test_a_better_token_left_out_is_noticed(masked_lm, tmp_path, monkeypatch):
    top_k = tf.math.top_k

    def second_best(x, k):
        values, indices = top_k(x, k + 1)
        return values[..., 1:], indices[..., 1:]

    monkeypatch.setattr(tf.math, "top_k", second_best)
    with pytest.raises(export.ExportMismatch, match="the answer to .*<mask>.* is off by"):
        export.to_saved_model(masked_lm, tmp_path / "1", inputs="tokens")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "write, options, message",
    [
        (
            export.to_tflite,
            {"sequence_lengths": [9], "top_k": 0},
            "top_k: expected a whole number in 1..[0-9]+; got 0",
        ),
        (
            export.to_tflite,
            {"sequence_lengths": [9], "top_k": 20_001},
            "top_k: expected a whole number in 1..[0-9]+; got 20001",
        ),
        (
            export.to_tflite,
            {"sequence_lengths": [9], "max_masks": 1.5},
            "max_masks: expected a whole number in 1..40",
        ),
        (export.to_saved_model, {"top_k": "5"}, "top_k: expected a whole number"),
        (export.to_saved_model, {"pairs": True}, "pairs: a RobertaMaskedLM takes single"),
        (export.to_saved_model, {"jit_compile": True}, "jit_compile: .* number of outputs depends"),
    ],
)
def test_bad_arguments(masked_lm, write, options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write(masked_lm, tmp_path / "model", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_task_without_a_tokenizer(masked_lm):
    with pytest.raises(InputError, match="no preprocessor to tell what <mask> is"):
        TaskGraph(kr.RobertaMaskedLM(masked_lm.backbone))
