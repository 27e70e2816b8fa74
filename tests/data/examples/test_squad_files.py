"""SQuAD's JSON as a table with a row for each question."""

import gzip
import json

import pytest

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError

CONTEXT = "Nuuk is the capital of Greenland."
DOCUMENT = {
    "version": "v2.0",
    "data": [
        {
            "title": "Nuuk",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "a",
                            "question": "What is the capital?",
                            "answers": [{"text": "Nuuk", "answer_start": 0, "more": 1}],
                            "is_impossible": False,
                        },
                        {
                            "id": "b",
                            "question": "Who lives there?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "Greenland", "answer_start": 23}],
                        },
                    ],
                },
                {"context": "Ü 😀", "qas": [{"id": "c", "question": "?", "answers": []}]},
            ],
        },
        {"title": "empty", "paragraphs": []},
    ],
}


def changed(**changes):
    """The document with other fields of its first question; None takes one out."""
    document = json.loads(json.dumps(DOCUMENT))
    question = document["data"][0]["paragraphs"][0]["qas"][0]
    question |= changes
    for name in [name for name, value in question.items() if value is None]:
        del question[name]
    return document


def write(tmp_path, document, name="a.json", **options):
    path = tmp_path / name
    content = json.dumps(document, **options).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_row_for_each_question(tmp_path, name, indent):
    table = read_table(write(tmp_path, DOCUMENT, name, indent=indent))
    assert table.texts("question") == ["What is the capital?", "Who lives there?", "?"]
    assert table.texts("context") == [CONTEXT, CONTEXT, "Ü 😀"]
    answers = table.column("answers")
    assert [[answer["text"] for answer in row] for row in answers] == [["Nuuk"], [], []]
    assert answers[0][0]["answer_start"] == 0
    assert table.head(2).lines == ["a", "b"]


def test_questions_alone_have_no_column_of_answers(tmp_path):
    document = {"data": [{"paragraphs": [{"context": "a", "qas": [{"id": "x", "question": "b"}]}]}]}
    table = read_table(write(tmp_path, document))
    assert list(table.columns) == ["id", "question", "context"]


def test_numbers_as_ids(tmp_path):
    """As in GermanQuAD; they are written as text."""
    table = read_table(write(tmp_path, changed(id=36211)))
    assert table.texts("id") == ["36211", "b", "c"]
    assert str(table.error("36211", "answers", "no")).endswith(
        "question 36211, column 'answers': no"
    )
    with pytest.raises(InputError, match="a.json, question 36211: question: expected text; got 3"):
        read_table(write(tmp_path, changed(id=36211, question=3)))


def test_null_is_no_answers(tmp_path):
    question = {"id": "x", "question": "b", "answers": None}
    document = {"data": [{"paragraphs": [{"context": "a", "qas": [question]}]}]}
    assert list(read_table(write(tmp_path, document)).columns) == ["id", "question", "context"]
    question["is_impossible"] = True
    assert read_table(write(tmp_path, document)).column("answers") == [[]]


def test_an_error_names_the_question(tmp_path):
    table = read_table(write(tmp_path, DOCUMENT))
    assert str(table.error("b", "answers", "no")).endswith(
        "a.json, question b, column 'answers': no"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": 3}, "a.json, question a: .*question: expected text; got 3"),
        ({"question": None}, "a.json, question a: .*question"),
        ({"id": 7.5}, r"data\[0\].paragraphs\[0\].qas\[0\].id: expected text"),
        ({"answers": {"text": ["Nuuk"]}}, "a.json, question a: answers: expected a list"),
        ({"answers": [{"text": "Nuuk"}]}, r"a.json, question a: answers\[0\].*answer_start"),
        ({"answers": [{"text": "Nuuk", "answer_start": -1}]}, "at least 0; got -1"),
        ({"answers": None}, "a.json, question a: no 'answers', which other questions have"),
        ({"id": "b"}, "two questions have the id 'b'"),
    ],
)
def test_what_is_no_question(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, changed(**changes)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "there are no questions"),
        ([7], r"data\[0\]: expected an article"),
        ([{"paragraphs": 7}], r"data\[0\].paragraphs: expected a list; got 7"),
        ([{"paragraphs": [{"context": "a"}]}], r"paragraphs\[0\]: expected a paragraph"),
        ([{"paragraphs": [{"context": 1, "qas": []}]}], r"paragraphs\[0\].context: expected text"),
        ([{"paragraphs": [{"context": "a", "qas": [7]}]}], r"qas\[0\]: expected an object"),
    ],
)
def test_what_is_no_document(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, {"data": data}))


def test_the_real_set(data_directory):
    table = read_table(data_directory / "xquad/xquad.en.json")
    assert len(table) == 1190 and len(set(table.texts("context"))) == 240
    for context, answers in zip(table.texts("context"), table.column("answers"), strict=True):
        for answer in answers:
            assert context[answer["answer_start"] :].startswith(answer["text"])
