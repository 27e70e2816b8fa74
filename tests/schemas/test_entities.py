"""Labelled parts of texts: from tables, to answers, measured."""

import json

import numpy as np
import pytest

from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.jobs.prediction_formats import as_text
from keras_roberta.schemas import Entities, schema_from_dict

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
SCHEMA = Entities(5, TAGS)
TEXT = "Sam lives in Nuuk, Größe"
# Two pieces of Nuuk, a comma, and three of the last word; bytes.
OFFSETS = np.array(
    [[0, 0], [0, 3], [4, 9], [10, 12], [13, 15], [15, 17], [17, 18], [19, 22], [22, 26], [0, 0]]
)
LABELS = [0, 3, 0, 0, 1, 4, 0, 4, 1, 0]  # the second piece of a word does not count


def outputs_of(schema, labels, offsets, asked):
    logits = [6.0 * np.eye(5)[labels]]
    return schema.with_texts({**schema.outputs(logits), "offsets": [offsets]}, [asked])


def table_of(tmp_path, rows, name="a.jsonl"):
    path = tmp_path / name
    path.write_text(rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows)))
    return read_table(path)


def test_answers_of_a_text():
    """An I- begins a span, and offsets count characters."""
    (answer,) = SCHEMA.answers(outputs_of(SCHEMA, LABELS, OFFSETS, TEXT))
    score = np.exp(6) / (np.exp(6) + 4)
    assert [(e["text"], e["label"], e["start"], e["end"]) for e in answer["entities"]] == [
        ("Sam", "PER", 0, 3),
        ("Nuuk", "LOC", 13, 17),
        ("Größe", "PER", 19, 24),
    ]
    assert all(e["score"] == pytest.approx(score, abs=1e-6) for e in answer["entities"])
    (line,) = as_text([{**answer, "text": TEXT}])
    assert line == f"PER Sam 0-3, LOC Nuuk 13-17, PER Größe 19-24\t{TEXT}"


def test_given_words_stay_whole():
    words = ["Sam", "lives", "in", "Nuuk,", "Größe"]
    (answer,) = SCHEMA.answers(outputs_of(SCHEMA, LABELS, OFFSETS, words))
    assert [e["text"] for e in answer["entities"]] == ["Sam", "Nuuk,", "Größe"]


def test_scores_of_words_and_of_texts():
    words = ["Sam", "lives", "in", "Nuuk,", "Größe"]
    outputs = outputs_of(SCHEMA, LABELS, OFFSETS, words)
    scores = SCHEMA.scores(outputs, [["B-PER", "O", "O", "B-LOC", "O"]])
    assert scores["precision"] == pytest.approx(2 / 3) and scores["recall"] == 1.0
    assert scores["f1"] == pytest.approx(0.8) and scores["accuracy"] == pytest.approx(4 / 5)
    assert set(SCHEMA.ranking_scores([])) == set(scores)
    outputs = outputs_of(SCHEMA, LABELS, OFFSETS, TEXT)
    spans = [{"start": 0, "end": 3, "label": "PER"}, (13, 17, "LOC"), (19, 24, "LOC")]
    assert SCHEMA.scores(outputs, [spans])["f1"] == pytest.approx(2 / 3)
    classes = {one.label: one.support for one in SCHEMA.details(outputs, [spans]).classes}
    assert classes == {"LOC": 2, "PER": 1}


def test_the_schema_of_a_table(tmp_path):
    rows = [{"tokens": ["in", "Nuuk"], "ner_tags": ["O", "S-LOC"]},
            {"tokens": ["Sam"], "ner_tags": ["S-PER"]}]  # fmt: skip
    schema = Entities.from_table(table_of(tmp_path, rows), Columns())
    assert schema.labels == TAGS
    values = json.loads(json.dumps(schema.to_dict()))
    assert schema_from_dict(values) == schema
    rows = [{"text": "in Nuuk", "spans": [{"start": 3, "end": 7, "label": "LOC"}]}]
    table = table_of(tmp_path, rows)
    schema = Entities.from_table(table, Columns())
    assert schema.labels == ("O", "B-LOC", "I-LOC")
    assert schema.read_inputs(table, Columns()) == ["in Nuuk"]


def test_repairs_are_counted(tmp_path):
    table = table_of(tmp_path, "Sam I-PER\nx B-LOC\ny I-LOC\n\nz I-LOC\n", "a.conll")
    schema = Entities.from_table(table, Columns())
    assert schema.repairs(table, Columns()) == {"repaired_tags": 2}
    rows = [{"text": "Nuuks shore", "entities": [[0, 4, "LOC"], [6, 11, "LOC"]]}]
    table = table_of(tmp_path, rows)
    schema = Entities.from_table(table, Columns())
    assert schema.repairs(table, Columns()) == {"widened_spans": 1}
    table = table_of(tmp_path, "# s1\nSam B-PER\n#x O\n", "a.conll")
    assert Entities.from_table(table, Columns()).repairs(table, Columns()) == {
        "skipped_comments": 1
    }
    table = table_of(tmp_path, "Sam I-PER\nx O\n", "a.conll")  # IOB1
    assert Entities.from_table(table, Columns()).repairs(table, Columns()) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "1 tag for 2 words"),
        ({"tokens": ["a"], "tags": ["B-ORG"]}, "label 'ORG' is none of LOC, PER"),
        ({"tokens": ["a"], "tags": [5]}, r"label 5 is outside 0\.\.4"),
        ({"tokens": ["a"], "tags": "O"}, "expected a tag for each word, or a list of spans"),
        ({"text": "abc", "tags": [[0, 4, "LOC"]]}, r"0-4 \(LOC\) lies outside of the text, which"),
        ({"text": "abc", "tags": [[2, 1, "LOC"]]}, "lies outside of the text"),
        ({"text": "a c", "tags": [[1, 2, "LOC"]]}, "holds no text; remove it"),
        ({"text": "e\u0301t", "tags": [[0, 1, "LOC"]]}, "cuts the character"),
        (
            {"text": "abc", "tags": [[0, 2, "LOC"], [1, 3, "PER"]]},
            r"the spans 0-2 \(LOC\) and 1-3 \(PER\) overlap",
        ),
        ({"text": "abc", "tags": [{"start": 0, "stop": 1}]}, "give spans as"),
    ],
)
def test_labels_that_do_not_fit_name_file_and_line(tmp_path, row, message):
    table = table_of(tmp_path, ["", row][1:])
    with pytest.raises(InputError, match=rf"a\.jsonl, line 1, column 'tags': .*{message}") as error:
        SCHEMA.read_targets(table, Columns())
    assert "\n" not in str(error.value)
    labels = [row["tags"]]
    with pytest.raises(InputError, match=f"row 0: .*{message}"):
        SCHEMA.checked([row.get("tokens", row.get("text"))], labels)


def test_tags_that_are_numbers(tmp_path):
    """As `datasets` writes CoNLL-2003 and WNUT-17: the names of the numbers are said, and a model
    that is measured knows its own."""
    names = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    rows = [{"tokens": ["Sam", "in", "Nuuk"], "ner_tags": [1, 0, 3]}]
    table = table_of(tmp_path, rows)
    message = r"line 1, column 'ner_tags': the tags are numbers such as 1; name .* --labels O,B-PER"
    with pytest.raises(InputError, match=message):
        Entities.from_table(table, Columns())
    columns = Columns(label_names=names)
    schema = Entities.from_table(table, columns)
    assert schema.labels == names and schema.repairs(table, columns) == {}
    expected = ("B-PER", "O", "B-LOC")
    assert schema.read_targets(table, columns)[0].tags == expected
    assert schema.read_targets(table, Columns())[0].tags == expected
    assert SCHEMA.read_targets(table, Columns())[0].tags == ("B-LOC", "O", "B-PER")
    assert SCHEMA.read_targets(table, columns)[0].tags == expected  # by other numbers
    with pytest.raises(InputError, match=r"column 'ner_tags': label 3 is outside 0\.\.1"):
        Entities.from_table(table, Columns(label_names=names[:2]))
    with pytest.raises(InputError, match="5 tags, but --num-classes is 3"):
        Entities.from_table(table, columns, num_classes=3)
    with pytest.raises(InputError, match="labels: there is nothing to learn but O"):
        nothing = table_of(tmp_path, [{"tokens": ["a"], "ner_tags": [0]}], "b.jsonl")
        Entities.from_table(nothing, Columns(label_names=("O",)))
    with pytest.raises(InputError, match="labels: 'O' is named twice"):
        Columns(label_names=("O", "O"))
    table = table_of(tmp_path, "Sam B-PER\n", "a.conll")
    assert Entities.from_table(table, columns).labels == names


def test_no_labels_beside_words(tmp_path):
    """An empty list is one of tags beside tags, and one of spans beside spans."""
    tokens = [["ab", "cd"], ["Nuuk"]]
    schema = Entities(5, TAGS)
    spans = [[], [{"start": 0, "end": 4, "label": "LOC"}]]
    found = schema.checked(tokens, spans)
    assert [len(one.spans) for one in found] == [0, 1]
    with pytest.raises(InputError, match="row 0: 0 tags for 2 words"):
        schema.checked(tokens, [[], ["B-LOC"]])
    rows = [dict(tokens=a, entities=b) for a, b in zip(tokens, spans, strict=True)]
    table = table_of(tmp_path, rows)
    assert schema.read_targets(table, Columns()) == found


@pytest.mark.parametrize("form", [str, str.split])
def test_surrogates_are_the_character_that_they_mean(form):
    """As they come of code units of UTF-16, in JSON or Java."""
    offsets = np.array([[0, 4], [5, 7], [7, 9]])
    outputs = outputs_of(SCHEMA, [0, 1, 0], offsets, form("\ud83d\ude00 Nuuk"))
    (answer,) = SCHEMA.answers(outputs)
    (found,) = answer["entities"]
    assert (found["text"], found["start"], found["end"]) == ("Nuuk", 2, 6)
    assert SCHEMA.scores(outputs, [[(2, 6, "LOC")]])["f1"] == 1.0


@pytest.mark.parametrize("by_spans", [True, False])
def test_words_without_a_token_do_not_count(by_spans):
    """XLM-RoBERTa has none for white space of other kinds."""
    words = ["\u200b", "Nuuk", "", "Sam", "\ufeff"]  # Nuuk at 2, Sam at 8
    tags = ["B-LOC", "I-LOC", "O", "B-PER", "I-PER"]
    offsets = np.array([[0, 0], [4, 8], [10, 13], [0, 0]])
    outputs = outputs_of(SCHEMA, [0, 1, 3, 0], offsets, words)
    labels = [(0, 6, "LOC"), (8, 13, "PER")] if by_spans else tags
    scores = SCHEMA.scores(outputs, [labels])
    assert scores["f1"] == scores["accuracy"] == 1.0
    outputs = outputs_of(SCHEMA, [0, 1, 0, 0], offsets, words)
    scores = SCHEMA.scores(outputs, [labels])
    assert scores["recall"] == scores["accuracy"] == 0.5


def test_a_span_without_a_token_is_missed():
    outputs = outputs_of(SCHEMA, [1], np.array([[4, 8]]), ["\u200b", "Nuuk"])
    scores = SCHEMA.scores(outputs, [["B-PER", "B-LOC"]])
    assert scores["precision"] == 1.0 and scores["recall"] == 0.5


def test_labels_without_prefixes_and_tags_with():
    schema = Entities(3, ("O", "LOC", "PER"))
    logits = [6.0 * np.eye(3)[[1, 0, 2, 2]]]
    offsets = [np.array([[0, 4], [5, 7], [8, 11], [12, 15]])]
    words = ["Nuuk", "is", "Sam", "Lee"]
    outputs = schema.with_texts({**schema.outputs(logits), "offsets": offsets}, [words])
    tags = ["B-LOC", "O", "B-PER", "I-PER"]
    assert schema.checked([words], [tags])[0].tags == tuple(tags)
    scores = schema.scores(outputs, [tags])
    assert scores["f1"] == scores["accuracy"] == 1.0


def test_labels_that_look_as_if_they_had_a_prefix(tmp_path):
    table = table_of(tmp_path, "at O\na@b.de E-MAIL\n12 PHONE\n", "a.conll")
    schema = Entities.from_table(table, Columns())
    assert schema.labels == ("O", "E-MAIL", "PHONE") == schema.scheme.tags
    (found,) = schema.read_targets(table, Columns())
    assert found.tags == ("O", "E-MAIL", "PHONE") and schema.repairs(table, Columns()) == {}
    with pytest.raises(InputError, match="label 'MAIL' is none of E-MAIL, PHONE"):
        schema.checked([["a"]], [["B-MAIL"]])


@pytest.mark.parametrize("known", [("O", "B-A", "B-B"), ("O", "B", "I"), ("O", "A", "B")])
def test_a_label_that_is_not_known_is_named(known):
    with pytest.raises(InputError, match="label 'LOC' is none of"):
        Entities(3, known).checked([["a", "b"]], [["B-LOC", "O"]])


def test_a_table_without_texts_or_labels(tmp_path):
    with pytest.raises(InputError, match="which column holds the texts"):
        SCHEMA.read_inputs(table_of(tmp_path, [{"a": 1}]), Columns())
    with pytest.raises(InputError, match="expected a text or a list of words, found 3"):
        SCHEMA.read_inputs(table_of(tmp_path, [{"tokens": 3}]), Columns())
    with pytest.raises(InputError, match="no label but O"):
        Entities.from_table(table_of(tmp_path, "a O\n", "a.conll"), Columns())


def test_settings_that_do_not_fit():
    with pytest.raises(InputError, match="labelled_pieces: expected all or first"):
        Entities(5, TAGS, labelled_pieces="last")
    with pytest.raises(InputError, match="stride"):
        Entities(5, TAGS, stride=-1)


def test_comparison_of_models():
    """By the text that changed most, the mean over its tokens."""
    logits = [np.zeros((2, 5)), np.zeros((4, 5))]
    one = SCHEMA.outputs(logits)
    other = {name: [np.array(row) for row in rows] for name, rows in one.items()}
    other["probabilities"][1][0, 2] += 0.4
    other["label"][1][0] = 2
    found = SCHEMA.compare(other, one)
    assert found.agreement == pytest.approx(5 / 6)
    assert found.largest_change == pytest.approx(0.4 / 4)
    other["probabilities"][0][:] = np.nan
    assert SCHEMA.compare(other, one).largest_change == np.inf
