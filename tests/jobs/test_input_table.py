"""Tables that a model is run on: the columns that are named are there."""

import json

import pytest

from keras_roberta.data.examples.columns import Columns
from keras_roberta.errors import InputError
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.schemas import MultipleChoice, OneLabel


@pytest.mark.parametrize("labels", [False, True])
def test_texts_of_several_columns(tmp_path, labels):
    path = tmp_path / "a.tsv"
    path.write_text("title\tbody\tlabel\nOne\tfine\t1\nTwo\t\t0\n")
    columns = Columns(text="title, body")
    table = read_input_table(path, columns, labels=labels)
    assert OneLabel(2).read_inputs(table, columns) == ["One\nfine", "Two"]
    with pytest.raises(InputError, match="no column 'bodies'.*--text-column"):
        read_input_table(path, Columns(text="title,bodies"), labels=labels)


def test_a_name_with_a_comma_in_it_is_one_column(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a,b": "whole", "a": "x", "b": "y"}\n')
    columns = Columns(text="a,b")
    table = read_input_table(path, columns, labels=False)
    assert OneLabel(2).read_inputs(table, columns) == ["whole"]


def test_a_suffix_that_no_table_has(tmp_path):
    """Words and tags have their own names in the shared tasks, and a `.txt` may be plain texts."""
    path = tmp_path / "train.txt"
    path.write_text("Sam B-PER\nlives O\n")
    table = read_input_table(path, Columns(), labels=True)
    assert table.columns["tags"] == [["B-PER", "O"]]
    texts = read_input_table(path, Columns(), labels=False)
    assert texts.columns == {"text": ["Sam B-PER", "lives O"]}


def test_a_document_of_race_is_read_the_same_with_and_without_labels(tmp_path):
    path = tmp_path / "1.txt"
    document = {
        "article": "Sam lives in Nuuk.",
        "questions": ["Where does Sam live?", "Nuuk is _ ."],
        "options": [["Nuuk", "Bonn"], ["a town", "a song"]],
        "answers": ["A", "A"],
    }
    path.write_text(json.dumps(document))
    for labels in (False, True):
        table = read_input_table(path, Columns(), labels=labels)
        assert table.column("question") == document["questions"]
    path.write_text("{so they say}\na text\n")
    texts = read_input_table(path, Columns(), labels=False)
    assert texts.columns == {"text": ["{so they say}", "a text"]}


def test_questions_of_several_columns(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"story": "It rained.", "asked": "Why?", "choices": ["a", "b"], "answer": 1}\n'
    )
    columns = Columns(text="story,asked")
    table = read_input_table(path, columns, labels=True)
    found = MultipleChoice().read_inputs(table, columns)
    assert found["question"] == ["It rained.\nWhy?"]
    with pytest.raises(InputError, match="no column 'ask'.*--dev-text-column"):
        MultipleChoice().read_inputs(table, Columns(text="story,ask"), prefix="--dev-")
