"""Texts as rows of token ids, for schemas of every kind of row."""

import pytest

from keras_roberta.errors import InputError
from keras_roberta.export.rows_of_texts import rows_of_texts
from keras_roberta.schemas import AnswerSpan, Entities, MultipleChoice, OneLabel, TextVectors

START, END = 0, 2


def rows(schema, tokenizer, asked, max_length):
    found = rows_of_texts(schema, tokenizer, *schema.texts_of(asked), max_length)
    assert all(row.dtype == "int32" and len(row) <= max_length for row in found)
    return [row.tolist() for row in found]


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False)


def test_of_texts_and_pairs(tokenizer):
    text, other = "the film is a mess", "a gem"
    a, b = ids(tokenizer, text), ids(tokenizer, other)
    assert rows(OneLabel(2), tokenizer, [text, other], 40) == [[START, *a, END], [START, *b, END]]
    assert rows(OneLabel(2), tokenizer, [text], 4) == [[START, *a[:2], END]]
    pair = [[START, *a, END, END, *b, END]]
    assert rows(OneLabel(2), tokenizer, ([text], [other]), 40) == pair


def test_a_prefix_stands_in_front(tokenizer):
    schema = TextVectors(prefix="the film ")
    expected = [[START, *ids(tokenizer, "the film is a mess"), END]]
    assert rows(schema, tokenizer, ["is a mess"], 40) == expected


def test_of_options_each_has_a_row(tokenizer):
    q, a, b = (ids(tokenizer, text) for text in ("the film", "a gem", "a mess"))
    assert rows(MultipleChoice(), tokenizer, [("the film", ["a gem", "a mess"])], 40) == [
        [START, *q, END, END, *a, END],
        [START, *q, END, END, *b, END],
    ]


def test_a_long_context_is_read_in_windows(tokenizer):
    context = "its last half hour makes up for much of that and more"
    q, c = ids(tokenizer, "a gem"), ids(tokenizer, context)
    size = 16 - len(q) - 4
    assert len(c) > 2 * size
    found = rows(AnswerSpan(stride=1), tokenizer, (["a gem"], [context]), 16)
    begins = range(0, len(c) - 1, size - 1)
    assert found == [[START, *q, END, END, *c[i : i + size], END] for i in begins]
    with pytest.raises(InputError, match="row 0: the question has"):
        rows(AnswerSpan(), tokenizer, ([context], ["a gem"]), 16)


def test_a_long_text_of_words_too(tokenizer):
    text = "its last half hour makes up for much of that and more"
    c = ids(tokenizer, text)
    found = rows(Entities(2, stride=3), tokenizer, [text.split()], 16)
    assert found == [[START, *c[i : i + 14], END] for i in range(0, len(c) - 3, 14 - 3)]
