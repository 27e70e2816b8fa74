"""A student of fewer layers, from a preset and tables to a preset."""

import json

import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta.errors import InputError
from keras_roberta.jobs.distill import distill
from keras_roberta.jobs.finetune import TrainingData
from keras_roberta.jobs.options.distill import DistillOptions
from keras_roberta.jobs.unlabelled import read_unlabelled, with_unlabelled


@pytest.fixture
def teacher(config, tokenizer, sentiment, tmp_path):
    """A preset of two layers, and beside it a table."""
    texts, labels = sentiment
    preprocessor = kr.RobertaPreprocessor(tokenizer, 24, labels=["bad", "good"])
    task = kr.RobertaTextClassifier(kr.RobertaBackbone(config), 2, preprocessor)
    task.save_to_preset(tmp_path / "teacher")
    names = [["bad", "good"][label] for label in labels]
    rows = "".join(f"{name}\t{text}\n" for name, text in zip(names, texts, strict=True))
    (tmp_path / "t.tsv").write_text("label\ttext\n" + rows)
    return tmp_path / "teacher"


def test_a_student_is_trained_and_saved(teacher, tmp_path):
    table = tmp_path / "t.tsv"
    options = DistillOptions(epochs=2, learning_rate=3e-3, label_weight=0.0, warmup=0)
    student, metrics = distill(teacher, table, table, tmp_path / "student", options)
    assert metrics["epochs"] == 2 and 0 <= metrics["accuracy"] <= 1
    again = kr.open_task(tmp_path / "student")
    assert again.backbone.config.num_layers == 1 and again.labels == ("bad", "good")
    texts = ["a fine film", "dull"]
    np.testing.assert_allclose(
        again.predict(texts, verbose=0), student.predict(texts, verbose=0), atol=1e-5
    )
    history = (tmp_path / "student/history.csv").read_text().splitlines()
    assert len(history) == 3
    assert json.loads((tmp_path / "student/metrics.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("name", ["more.txt", "more.tsv"])
def test_rows_without_labels_have_those_of_the_teacher(teacher, tmp_path, name):
    more = tmp_path / name
    blank = "\n" * (name == "more.txt")  # which is no row
    more.write_text("text\n" * (not blank) + f"warm and lovely\n{blank}rather dull\n" * 3)
    task = kr.open_task(teacher)
    data = TrainingData.read(tmp_path / "t.tsv", None, DistillOptions(task="classify"))
    table = read_unlabelled(more, DistillOptions())
    found = with_unlabelled(data, table, task, DistillOptions())
    assert found.texts == data.texts + ["warm and lovely", "rather dull"] * 3
    answers = task.predict(["warm and lovely", "rather dull"], verbose=0).argmax(axis=-1)
    np.testing.assert_array_equal(found.targets, [*data.targets, *np.tile(answers, 3)])
    options = DistillOptions(epochs=1, unlabelled=more)
    _, metrics = distill(teacher, tmp_path / "t.tsv", None, tmp_path / "student", options)
    assert metrics["unlabelled_rows"] == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\ttext_pair\na\tb\n", "2 texts a row, and .*t.tsv has 1"),
        ("text\nfine\n  \n", "more.tsv, line 3: has no text"),
    ],
)
def test_wrong_rows_without_labels(teacher, tmp_path, content, message):
    more = tmp_path / "more.tsv"
    more.write_text(content)
    with pytest.raises(InputError, match=message):
        options = DistillOptions(unlabelled=more)
        distill(teacher, tmp_path / "t.tsv", None, tmp_path / "student", options)


def test_on_the_command_line(teacher, tmp_path, run):
    command = ("compress", "distill", "--preset", teacher, "--train", tmp_path / "t.tsv",
               "--out", tmp_path / "student")  # fmt: skip
    code, _, error = run(*command, "--num-layers", "2")
    assert code == 2 and "--num-layers: the teacher has 2 layers" in error
    code, _, error = run(*command, "--unlabelled", tmp_path / "no.txt")
    assert code == 2 and "no.txt" in error
    (tmp_path / "more.txt").write_text("a fine film\n")
    code, printed, error = run(
        *(*command, "--dev", tmp_path / "t.tsv", "--epochs", "1"),
        *("--unlabelled", tmp_path / "more.txt"),
    )
    assert code == 0, error
    assert "accuracy" in printed and "unlabelled" in printed
    assert kr.open_task(tmp_path / "student").backbone.config.num_layers == 1


def test_no_teacher(teacher, tmp_path):
    table, out = tmp_path / "t.tsv", tmp_path / "student"
    with pytest.raises(InputError, match="num_layers: the teacher has 2 layers"):
        distill(teacher, table, None, out, DistillOptions(num_layers=2))
    with pytest.raises(InputError, match="task: the preset's is classify"):
        distill(teacher, table, None, out, DistillOptions(task="ner"))
    for name, value in (("stride", 4), ("pooling", "cls"), ("num_classes", 2)):
        with pytest.raises(InputError, match=f"{name}: is the preset's; leave it out"):
            distill(teacher, table, None, out, DistillOptions(**{name: value}))
    other = table.with_name("other.tsv")
    other.write_text(table.read_text().replace("good\t", "fine\t"))
    with pytest.raises(InputError, match="other.tsv, line .*'fine'"):
        distill(teacher, other, None, out)
    kr.RobertaBackbone.from_preset(teacher).save_to_preset(tmp_path / "encoder")
    with pytest.raises(InputError, match="encoder: has no fine-tuned head"):
        distill(tmp_path / "encoder", table, None, out)
    assert not out.exists()
