"""Multiple choice against Transformers' numbers, and where its head comes from and goes to."""

import json
import logging
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_cases import CONFIG, QUESTIONS

import keras_roberta as kr
from keras_roberta.checkpoints.safetensors_files import write_safetensors
from keras_roberta.checkpoints.tensor_files import open_state_dict
from keras_roberta.errors import InputError

GOLDEN = pathlib.Path(__file__).parents[1] / "golden/tiny-roberta-choice"


@pytest.fixture(scope="module")
def scores():
    with np.load(GOLDEN / "scores.npz") as file:
        return {name: file[name] for name in ("token_ids", "padding_mask", "logits")}


@pytest.fixture
def checkpoint(tmp_path):
    """A function that gives a copy of the golden checkpoint with a changed config.json."""

    def write(**changes):
        directory = tmp_path / "hf"
        shutil.copytree(GOLDEN, directory)
        config = json.loads((GOLDEN / "config.json").read_text()) | changes
        (directory / "config.json").write_text(json.dumps(config))
        return directory

    return write


def opened(directory, **kwargs):
    return kr.RobertaMultipleChoice.from_preset(directory, preprocessor=None, **kwargs)


def test_scores_are_those_of_transformers(scores, caplog):
    with caplog.at_level(logging.WARNING, "keras_roberta"):
        task = opened(GOLDEN)
    assert not caplog.records  # the pooler is a part of the head
    features = {name: scores[name] for name in ("token_ids", "padding_mask")}
    np.testing.assert_allclose(task(features), scores["logits"], atol=1e-5)
    np.testing.assert_allclose(task.predict(features, verbose=0), scores["logits"], atol=1e-5)
    np.testing.assert_allclose(task(scores["token_ids"]), scores["logits"], atol=1e-5)  # alone


def test_the_head_goes_back_as_it_came(tmp_path):
    opened(GOLDEN).save_to_hugging_face(tmp_path / "hf")
    expected, found = open_state_dict(GOLDEN), open_state_dict(tmp_path / "hf")
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert "roberta.pooler.dense.weight" in found
    config = json.loads((tmp_path / "hf/config.json").read_text())
    assert config["architectures"] == ["RobertaForMultipleChoice"]


def test_without_architectures_the_pooler_tells(checkpoint, scores):
    task = opened(checkpoint(architectures=None))
    features = {name: scores[name] for name in ("token_ids", "padding_mask")}
    np.testing.assert_allclose(task(features), scores["logits"], atol=1e-5)


def test_the_head_without_its_pooler(checkpoint):
    directory = checkpoint()
    state = open_state_dict(directory)
    tensors = {name: state[name] for name in state if "pooler" not in name}
    write_safetensors(directory / "model.safetensors", tensors)
    with pytest.raises(InputError, match=r"lacks roberta\.pooler\.dense\.weight"):
        opened(directory)


def test_several_outputs_are_no_choice(checkpoint):
    directory = checkpoint()
    state = open_state_dict(directory)
    tensors = {name: state[name] for name in state}
    tensors["classifier.weight"] = np.ones((3, 16), "float32")
    tensors["classifier.bias"] = np.ones(3, "float32")
    write_safetensors(directory / "model.safetensors", tensors)
    with pytest.raises(InputError, match="classifier.weight has 3 outputs"):
        opened(directory)


@pytest.fixture(scope="module")
def task(tokenizer):
    keras.utils.set_random_seed(3)
    preprocessor = kr.RobertaMultipleChoicePreprocessor(tokenizer, sequence_length=24)
    return kr.RobertaMultipleChoice(kr.RobertaBackbone(CONFIG), preprocessor)


def test_an_option_has_one_score_whatever_stands_beside_it(task):
    """However many options there are beside it, and in whatever order."""
    logits = task.predict(QUESTIONS, batch_size=3, verbose=0)
    assert logits.shape == (10, 4)
    for row, (question, options) in zip(logits, QUESTIONS, strict=True):
        assert (row[len(options) :] == -1e9).all()
        turned = task.predict([(question, [*options[::-1], "dull"])], verbose=0)[0]
        np.testing.assert_allclose(row[: len(options)], turned[: len(options)][::-1], atol=1e-5)


def test_options_that_are_not_there_change_no_gradient(task):
    """A question of two options learns the same beside one of four."""

    def gradients(questions, answers):
        features = task.preprocessor(questions)
        with tf.GradientTape() as tape:
            logits = task(features)[: len(answers)]
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                np.array(answers), logits
            )
        return tape.gradient(loss, [v.value for v in task.trainable_variables])

    alone = gradients(QUESTIONS[:1], [0])
    beside = gradients([QUESTIONS[0], QUESTIONS[4]], [0])
    for one, other in zip(alone, beside, strict=True):
        one, other = (tf.convert_to_tensor(g).numpy() for g in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_in_a_graph_as_on_the_host(task):
    asked = [("film", ["a fine film", "dull"]), ("warm", ["a", "flat", "cold"])]
    columns = {
        "question": [question for question, _ in asked],
        "choices": [["a fine film", "dull", ""], ["a", "flat", "cold"]],
    }
    rows = tf.data.Dataset.from_tensor_slices(columns)
    expected = task.preprocessor(asked)
    for dataset in (rows.map(task.preprocessor).batch(2), rows.batch(2).map(task.preprocessor)):
        (features,) = dataset.as_numpy_iterator()
        assert features["token_ids"].shape == (2, 3, 24)
        length = expected["token_ids"].shape[2]
        for name, array in expected.items():
            np.testing.assert_array_equal(features[name][:, :, :length], array)
    named = rows.map(lambda x: {"sent2": x["question"], "endings": x["choices"]})
    for row, other in zip(*(d.map(task.preprocessor).batch(2) for d in (rows, named)), strict=True):
        np.testing.assert_array_equal(row["token_ids"], other["token_ids"])
    one = task.preprocessor(asked[0])
    assert one["token_ids"].shape[0] == 2  # of a single question there is no axis of the batch


def test_what_a_graph_does_not_take(task):
    texts, options = tf.TensorSpec([None], tf.string), tf.TensorSpec([None, 3], tf.string)
    trace = tf.function(task.preprocessor, autograph=False).get_concrete_function
    with pytest.raises(InputError, match="'sent1': a context is not read in a graph"):
        trace({"sent1": texts, "sent2": texts, "endings": options})
    with pytest.raises(InputError, match="expected tensors 'question' and 'choices'.*'other'"):
        trace({"question": texts, "other": options})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(x=QUESTIONS[:2], y=[0, 5]), r"row 1: answer 5 is outside 0\.\.2"),
        (dict(x=QUESTIONS[:2], y=[0, "none"]), "row 1: answer 'none' is none of the options"),
        (dict(x=QUESTIONS[:2], y=[0]), "2 questions, but 1 labels"),
        (dict(x=[("a", ["b"])], y=[0]), "row 0: has 1 option"),
        (dict(x=QUESTIONS[:2]), "there are no labels"),
        (dict(x=["a", "b"], y=[0, 1]), "expected questions with options"),
        (dict(x=QUESTIONS[:2], y=[0, 1], class_weight={0: 2.0}), "class_weight"),
        (dict(x={"token_ids": np.zeros((2, 4), int)}, y=[0, 1]), r"\(batch, rows, length\)"),
    ],
)
def test_what_fit_refuses(task, arguments, message):
    with pytest.raises(InputError, match=message):
        task.fit(**arguments, verbose=0)
