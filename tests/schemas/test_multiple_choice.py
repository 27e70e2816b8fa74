"""The schema of multiple choice: tables of each kind, answers and scores, in numpy alone."""

import json

import numpy as np
import pytest

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.schemas import MultipleChoice, schema_from_dict

SCHEMA = MultipleChoice()


def table(tmp_path, rows, name="a.jsonl"):
    path = tmp_path / name
    if not isinstance(rows, str):
        rows = "".join(f"{json.dumps(row)}\n" for row in rows)
    path.write_text(rows, encoding="utf-8")
    return read_table(path)


def read(found, columns=None):
    columns = columns or Columns()
    inputs, targets = SCHEMA.read_inputs(found, columns), SCHEMA.read_targets(found, columns)
    return inputs, targets.tolist()


CSQA = {
    "id": "1",
    "question": "Where is it?",
    "choices": {"label": ["A", "B", "C"], "text": ["here", "there", "away"]},
    "answerKey": "C",
}
IN_CSQA = {"question": ["Where is it?"], "choices": [["here", "there", "away"]]}
TABLES = {
    "CommonsenseQA": ([CSQA], IN_CSQA, 2),
    "CommonsenseQA as published": (
        [{"answerKey": "B", "question": {"stem": "Where is it?", "choices": [
            {"label": k, "text": t} for k, t in (("A", "here"), ("B", "there"), ("C", "away"))
        ]}}],
        IN_CSQA, 1,
    ),
    "plain": (
        [{"question": "Where is it?", "options": ["here", "there", "away"], "label": "away"}],
        IN_CSQA, 2,
    ),
    "RACE": (
        [{"article": "It is here.", "question": "Where is it?",
          "options": ["here", "there", "away"], "answer": "A", "example_id": "high1.txt"}],
        {**IN_CSQA, "context": ["It is here."]}, 0,
    ),
    "RACE as published": (
        [{"article": "It is here.", "questions": ["Where is it?"], "answers": ["B"],
          "options": [["here", "there", "away"]], "id": "high1.txt"}],
        {**IN_CSQA, "context": ["It is here."]}, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_tables(kind, tmp_path):
    rows, inputs, answer = TABLES[kind]
    assert read(table(tmp_path, rows)) == (inputs, [answer])


def test_swag(tmp_path):
    found = table(
        tmp_path,
        ",video-id,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n"
        '0,a,"He sits. He","He sits.",He,gold,runs.,"sits, too.",sings.,eats.,3\n',
        "swag.csv",
    )
    assert MultipleChoice.from_table(found, Columns()) == SCHEMA
    inputs, targets = read(found)
    assert inputs["context"] == ["He sits."] and inputs["question"] == ["He"]
    assert inputs["choices"] == [["runs.", "sits, too.", "sings.", "eats."]] and targets == [3]


def test_columns_of_other_names(tmp_path):
    found = table(tmp_path, [{"ask": {"it": "Who?"}, "of": ["Sam", "Tim"], "right": 1}])
    columns = Columns(text="ask.it", text_pair="of", label="right")
    assert read(found, columns) == ({"question": ["Who?"], "choices": [["Sam", "Tim"]]}, [1])
    with pytest.raises(InputError, match="no column 'of2'.*name one with --text-pair-column"):
        SCHEMA.read_inputs(found, Columns(text="ask.it", text_pair="of2"))
    with pytest.raises(InputError, match="found 'ask', 'of', 'right'; say --text-column"):
        SCHEMA.read_inputs(found, Columns())


def test_a_text_that_would_not_be_read(tmp_path):
    row = {"passage": "a", "context": "b", "question": "c", "choices": ["d", "e"], "label": 1}
    found = table(tmp_path, [row])
    with pytest.raises(InputError, match="a.jsonl: the column 'passage' may be .*--text-column"):
        SCHEMA.read_inputs(found, Columns())
    assert read(found, Columns(text="question"))[0]["context"] == ["b"]  # as it is asked for


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answerKey": "D"}, "a.jsonl, line 2, column 'answerKey': answer 'D' is none"),
        ({"answerKey": 3}, r"a.jsonl, line 2, column 'answerKey': answer 3 is outside 0\.\.2"),
        ({"answerKey": None}, "a.jsonl, line 2, column 'answerKey'"),
        ({"choices": ["a"]}, "a.jsonl, line 2: has 1 option; give two or more"),
        ({"choices": ["a", ""]}, "a.jsonl, line 2: option 1 is empty"),
        ({"choices": None}, "a.jsonl, line 2: there are no options"),
        ({"question": ""}, "a.jsonl, line 2: the question is empty"),
    ],
)
def test_an_error_names_the_line(changes, message, tmp_path):
    found = table(tmp_path, [CSQA, {**CSQA, **changes}])
    with pytest.raises(InputError, match=message):
        read(found)


def test_a_line_without_options(tmp_path):
    found = table(tmp_path, [CSQA, {"question": "a", "answerKey": "A"}])
    with pytest.raises(InputError, match="a.jsonl, line 2: there are no options"):
        SCHEMA.read_inputs(found, Columns())


def test_options_are_no_classes(tmp_path):
    with pytest.raises(InputError, match="num_classes 5: options are no classes"):
        MultipleChoice.from_table(table(tmp_path, [CSQA]), Columns(), num_classes=5)


def test_answers_and_scores():
    asked = [("a", ["b", "c"]), ("d", ["e", "f", "g"])]
    rows = {"logits": np.log([[1.0], [3.0], [2.0], [1.0], [1.0]])}
    outputs = SCHEMA.join_options(rows, np.array([2, 3]))
    assert outputs["label"].tolist() == [1, 0]
    np.testing.assert_allclose(outputs["probabilities"], [[0.25, 0.75, 0], [0.5, 0.25, 0.25]])
    answers = SCHEMA.answers(SCHEMA.with_texts(outputs, asked))
    assert [list(answer) for answer in answers] == [["label", "text", "score", "scores"]] * 2
    assert [(answer["label"], answer["text"]) for answer in answers] == [(1, "c"), (0, "e")]
    assert answers[0]["score"] == pytest.approx(0.75)
    assert answers[0]["scores"] == pytest.approx([0.25, 0.75])  # of its own options alone
    assert json.loads(json.dumps(answers)) == answers
    assert SCHEMA.scores(outputs, np.array([1, 2])) == {"accuracy": 0.5}
    assert SCHEMA.compare(outputs, outputs).largest_change == 0
    assert schema_from_dict(SCHEMA.to_dict()) == SCHEMA


def test_what_is_shown_beside_an_answer():
    asked = {"question": ["a"], "choices": [["b", "c"]], "context": ["d"]}
    assert SCHEMA.shown_inputs(asked) == [{"context": "d", "question": "a"}]
    assert SCHEMA.shown_inputs([("a", ["b", "c"])]) == [{"question": "a"}]
