"""Whether the head of a fine-tuned preset learns on."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.jobs.finetune import TrainingData, finetune
from keras_roberta.jobs.finetuned_start import options_of_preset, with_fitting_head
from keras_roberta.jobs.options.distill import DistillOptions
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.schemas import (
    AnswerSpan,
    Entities,
    MultipleChoice,
    OneLabel,
    TextVectors,
    Value,
)
from keras_roberta.schemas.fitting_head import check_head_fits

TEXTS = ["a fine film", "a dull film", "fine", "dull"]
OPTIONS = FinetuneOptions(epochs=1, learning_rate=1e-12)


@pytest.fixture(scope="module")
def preset(tokenizer, tmp_path_factory):
    """A classifier whose labels do not stand in the order of the alphabet."""
    backbone = kr.RobertaBackbone(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    )
    preprocessor = kr.RobertaPreprocessor(tokenizer, 16, labels=["poor", "good"])
    task = kr.RobertaTextClassifier(backbone, 2, preprocessor=preprocessor, temperature=2.0)
    directory = tmp_path_factory.mktemp("fine-tuned") / "preset"
    task.save_to_preset(directory)
    return directory


def table(path, labels):
    rows = "".join(f"{text}\t{label}\n" for text, label in zip(TEXTS, labels, strict=True))
    path.write_text("text\tlabel\n" + rows)
    return path


def opened(preset, table, options):
    data = TrainingData.read(table, None, options)
    return with_fitting_head(preset, data, options, tf.distribute.get_strategy())


def has_head_of(task, preset):
    saved = kr.open_task(preset).head_weights_by_name()
    found = task.head_weights_by_name()
    return all(
        found[name].shape == value.shape and np.array_equal(found[name], value)
        for name, value in saved.items()
        if "kernel" in name or "weight" in name
    )


def test_the_head_of_the_same_labels_learns_on(preset, tmp_path, capsys):
    """In the preset's order, whatever order the table would give them."""
    data = table(tmp_path / "t.tsv", ["good", "poor", "good", "poor"])
    task, _ = finetune(preset, data, data, tmp_path / "out", OPTIONS)
    said = capsys.readouterr().err
    assert "the preset's head learns on\n" in said and "classes: 0 = poor, 1 = good\n" in said
    assert task.labels == ("poor", "good") and task.temperature == 2
    before = kr.open_task(preset).answers(TEXTS)
    for found, expected in zip(kr.open_task(tmp_path / "out").answers(TEXTS), before, strict=True):
        assert found["label"] == expected["label"]
        assert found["score"] == pytest.approx(expected["score"], abs=1e-4)


def test_the_targets_are_in_the_order_of_the_preset(preset, tmp_path):
    data = table(tmp_path / "t.tsv", ["good", "poor", "good", "poor"])
    task, data, _ = opened(preset, data, OPTIONS)
    assert has_head_of(task, preset) and data.targets.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        (
            ["good", "bad", "good", "bad"],
            {},
            "a new head, as the preset's does not fit: its labels are poor, good; those of the "
            "data are bad, good",
        ),
        (
            ["good", "poor", "mixed", "poor"],
            {},
            "a new head, as the preset's does not fit: its labels are poor, good; those of the "
            "data are good, mixed, poor",
        ),
        (
            ["0", "1", "0", "1"],
            {},
            "a new head, as the preset's does not fit: its labels are poor, good; those of the "
            "data are numbers",
        ),
        (["good", "poor", "good", "poor"], {"new_head": True}, ""),
        (["1", "2", "1", "2.5"], {"task": "regress"}, "a new head; the preset's is "),
    ],
)
def test_a_new_head(preset, tmp_path, labels, options, said):
    options = dataclasses.replace(OPTIONS, **options)
    task, data, found = opened(preset, table(tmp_path / "t.tsv", labels), options)
    assert found.startswith(said) and bool(found) == bool(said)
    assert task.labels == data.schema.label_names and not has_head_of(task, preset)


def test_compression_keeps_the_head(preset):
    with pytest.raises(InputError, match="new_head: the preset's head is trained on; leave it out"):
        options_of_preset(preset, DistillOptions(new_head=True))


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("classify", {}, 12),
        ("classify", {"sequence_length": 8}, 8),
        ("classify", {"max_sequence_length": 20}, 20),
        ("classify", {"new_head": True}, 16),
        ("regress", {}, 16),
    ],
)
def test_the_longest_text_stays_with_the_head(preset, tmp_path, task, given, expected):
    shorter = kr.open_task(preset, sequence_length=12)
    shorter.save_to_preset(tmp_path / "shorter")
    labels = ["good", "poor"] if task == "classify" else ["1", "2.5"]
    data = table(tmp_path / "t.tsv", labels * 2)
    options = dataclasses.replace(OPTIONS, task=task, **given)
    task, _, _ = opened(tmp_path / "shorter", data, options)
    assert task.preprocessor.sequence_length == expected


def test_a_head_that_cannot_be_read(preset, tmp_path):
    shutil.copytree(preset, tmp_path / "damaged")
    path = tmp_path / "damaged" / "task.json"
    values = json.loads(path.read_text())
    values["config"]["num_classes"] = 10**6
    path.write_text(json.dumps(values))
    data = table(tmp_path / "t.tsv", ["good", "poor", "good", "poor"])
    task, _, said = opened(tmp_path / "damaged", data, OPTIONS)
    assert said.startswith("a new head, as the preset's cannot be read: ")
    assert "task.json makes a head of more than 8,000,000 numbers" in said
    assert task.labels == ("good", "poor") and task.num_classes == 2


def test_heads_by_their_labels_and_sizes():
    def check(schema, saved):
        check_head_fits(schema.task_settings(), saved)
        return schema.settings_with_head(saved)

    assert check(OneLabel(3), {"num_classes": 3, "labels": None}) == {}
    with pytest.raises(InputError, match="it has 2 classes; the data have 3"):
        check(OneLabel(3), {"num_classes": 2})
    tags = ("O", "B-PER", "I-PER")
    entities = Entities(3, tags, stride=4)
    assert check(entities, {"num_classes": 3, "labels": list(tags[::-1])}) == {}
    with pytest.raises(InputError, match="its labels are numbers; those of the data are O"):
        check(entities, {"num_classes": 3})
    for schema in (Value(), MultipleChoice()):
        assert check(schema, {"num_classes": 1, "labels": None}) == {}
        assert check(schema, {"labels": ["score"]}) == {}  # a name says nothing of one number
    # An embedder has no head: what the data say of scores is what is learnt.
    scored = TextVectors(score_range=(0, 5))
    assert check(scored, {"pooling": "cls"}) == {"score_range": (0.0, 5.0)}


@pytest.mark.parametrize(
    ("of_data", "saved", "expected"),
    [(0.5, None, {"null_threshold": 0.5}), (0.5, 0.9, {}), (None, 0.9, {}), (None, None, {})],
)
def test_questions_without_an_answer_give_a_head_a_threshold(of_data, saved, expected):
    schema = AnswerSpan(null_threshold=of_data)
    assert schema.settings_with_head({"null_threshold": saved, "stride": 8}) == expected
