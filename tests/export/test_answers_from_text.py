"""Answers to questions from a SavedModel's signatures: parts of the context as it is written."""

import json
import pathlib
import runpy

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece_models import generated_texts, trained_tokenizer

import keras_roberta as kr
from keras_roberta.export.saved_model import ServingModule
from keras_roberta.schemas import AnswerSpan
from keras_roberta.tasks.answer_span_exported_head import AnswerSpanHead

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
# What a Unigram model's tokens do not spell: NFKC, many spaces, unknown and special tokens.
CONTEXTS = [
    "\uff11\uff12\uff13  \u00bd \ufb01ne",
    "a <mask> b </s> c <s>d",
    "\u2603 \U0001f600\U0001f601",
    " x\u00a0\u3000",
    *generated_texts(12, seed=4),
]
QUESTION = "what is it"


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    tokenizer = trained_tokenizer(tmp_path_factory.mktemp("tokenizer"))[1]
    config = kr.RobertaConfig(
        vocabulary_size=len(tokenizer),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=64,
        initializer_range=0.5,
        seed=1,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, 48)
    backbone = kr.RobertaBackbone(config)
    task = kr.RobertaQuestionAnswerer(backbone, preprocessor, stride=8, null_threshold=0.5)
    random = np.random.default_rng(3)
    for weight in task.weights:
        if "seed" not in weight.path:
            weight.assign(np.array(weight) + random.normal(0, 0.3, weight.shape))
    return task


@pytest.fixture(scope="module")
def module(task):
    return ServingModule(task, pairs=True)


def test_answers_are_parts_of_the_context(task, module):
    tokenizer = task.preprocessor.tokenizer
    counts = [len(tokenizer(QUESTION, context)) for context in CONTEXTS]
    contexts = [c for c, count in zip(CONTEXTS, counts, strict=True) if count <= 48]
    questions = [QUESTION] * len(contexts)
    outputs = module.serve_text(tf.constant(questions), tf.constant(contexts))
    found = [answer.decode() for answer in outputs["answer"].numpy()]
    expected = task.answers((questions, contexts))
    assert found == [answer["text"] for answer in expected]
    assert len({*found, ""}) > len(found) / 2
    no_answer = [answer["no_answer"] for answer in expected]
    np.testing.assert_allclose(outputs["no_answer"], no_answer, rtol=1e-4)


def test_a_context_that_was_cut_is_told(task, module):
    context = " ".join(CONTEXTS)
    outputs = module.serve_text(tf.constant([QUESTION] * 2), tf.constant([context, "x"]))
    tokenizer = task.preprocessor.tokenizer
    expected = [len(tokenizer(QUESTION, context)), len(tokenizer(QUESTION, "x"))]
    assert outputs["num_tokens"].numpy().tolist() == expected and expected[0] > 48
    assert outputs["offsets"].shape[1] == 48


def test_a_client_reads_long_contexts_in_windows(task, module):
    """With the signatures alone, through JSON as REST gives them."""
    client = runpy.run_path(str(EXAMPLES / "serving_rest_windows.py"))
    schema = json.loads(json.dumps(task.schema.to_dict()))
    metadata = {"max_sequence_length": 48, "schema": schema, "start_token_id": 0, "end_token_id": 2}
    dtypes = {"text": tf.string, "token_ids": tf.int32, "padding_mask": tf.int32}

    def ask(signature, inputs):
        inputs = {name: tf.constant(value, dtypes[name]) for name, value in inputs.items()}
        outputs = module.functions[signature](**inputs)
        return json.loads(json.dumps({k: v.numpy().tolist() for k, v in outputs.items()}))

    asked = [(QUESTION, " ".join(CONTEXTS)), (QUESTION, CONTEXTS[0]), ("is it " * 6, CONTEXTS[0])]
    assert len(task.make_examples(asked[:1]).windows) > 2
    for (question, context), outputs in zip(asked, task.answers(asked, n_best=2), strict=True):
        found = client["answer"](ask, metadata, question, context)
        assert found["text"] == outputs["n_best"][0]["text"] != ""
        assert found["no_answer"] == pytest.approx(outputs["no_answer"], rel=1e-4)
    with pytest.raises(ValueError, match="which leaves no room; shorten it"):
        client["answer"](ask, metadata, "is it " * 60, "x")


WRITTEN = st.text("ab \u00fc\u65e5\U0001f600\u00a0\u3000\x1f\x85", max_size=8).filter(str.strip)


@settings(max_examples=20, deadline=None)
@given(st.lists(WRITTEN, min_size=1), st.data())
def test_whole_characters_without_white_space(texts, data):
    """What `AnswerSpan` makes of the same bytes; "" of an empty text."""
    sizes = [len(text.encode()) for text in texts]
    ends = [data.draw(st.integers(0, size)) for size in sizes]
    starts = [data.draw(st.integers(0, end)) for end in ends]
    answered = [int(end > start) for start, end in zip(starts, ends, strict=True)]
    outputs = {"start_byte": [*starts, 0], "end_byte": [*ends, 0], "answered": [*answered, 1]}
    outputs = {name: tf.constant(values) for name, values in outputs.items()}
    found = AnswerSpanHead(AnswerSpan(), 2).as_quotes(outputs, None, tf.constant([*texts, ""]))
    places = {"start": np.array(starts), "end": np.array(ends)}
    places = AnswerSpan().with_texts(places, (["?"] * len(texts), texts))
    zeros = np.zeros(len(texts))
    expected = AnswerSpan().answers(
        places | {"answered": answered, "score": zeros, "no_answer": zeros}
    )
    expected = [*(answer["text"] for answer in expected), ""]
    assert [part.decode() for part in found["answer"].numpy()] == expected
