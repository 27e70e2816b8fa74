"""JSON files that are one document: a list of objects, and RACE's articles."""

import json

import pytest

from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError

ARTICLE = {
    "article": "Sam lives in Nuuk.",
    "questions": ["Where does Sam live?", "Nuuk is _ ."],
    "options": [["Nuuk", "Bonn"], ["a town", "a song"]],
    "answers": ["A", "A"],
    "id": "middle1.txt",
}


def write(tmp_path, content, name="a.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_objects(tmp_path, indent):
    rows = [{"text": "a\nb", "label": 1}, {"label": 0, "text": "ü", "more": [1]}]
    table = read_table(write(tmp_path, json.dumps(rows, indent=indent)))
    assert table.texts("text") == ["a\nb", "ü"] and table.labels("label") == [1, 0]
    assert table.head(1).texts("text") == ["a\nb"]
    with pytest.raises(InputError, match="a.json, object 1: no 'more', which other objects have"):
        table.column("more")


def test_articles_of_race(tmp_path):
    other = {"article": "b", "questions": ["c"], "options": [["d", "e"]], "answers": ["B"]}
    for content in (json.dumps(ARTICLE) + "\n" + json.dumps(other), [ARTICLE, other]):
        table = read_table(write(tmp_path, content))
        assert table.texts("question") == [*ARTICLE["questions"], "c"]
        assert table.column("options") == [*ARTICLE["options"], ["d", "e"]]
        assert table.labels("answer") == ["A", "A", "B"]
        assert table.texts("article") == [ARTICLE["article"]] * 2 + ["b"]
        assert table.lines == [1, 1, 2]
    assert len(read_table(write(tmp_path, json.dumps(ARTICLE, indent=1)))) == 2


def test_articles_without_answers(tmp_path):
    asked = {name: value for name, value in ARTICLE.items() if name != "answers"}
    assert "answer" not in read_table(write(tmp_path, asked)).columns


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{}, 7]", "a.json, object 2: expected a list of JSON objects, found 7"),
        ('[{"text": "a"},\n', r"a.json: not valid JSON \("),
        ({**ARTICLE, "answers": ["A"]}, "a.json, line 1: 2 questions, but 1 'answers'"),
        ({**ARTICLE, "options": []}, "a.json, line 1: 2 questions, but 0 'options'"),
        ({**ARTICLE, "answers": "AA"}, "2 questions, but no list of them 'answers'"),
    ],
)
def test_what_is_no_such_document(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, content))
