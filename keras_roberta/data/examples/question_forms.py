"""The forms in which questions come with the contexts that answer them."""

from __future__ import annotations

from typing import Any

from keras_roberta.data.examples.named_columns import named_columns
from keras_roberta.data.examples.text_forms import texts_and_pairs
from keras_roberta.errors import InputError
from keras_roberta.tokenizers.texts import without_surrogates

QUESTION, CONTEXT = "question", "context"


def questions_and_contexts(x: Any) -> tuple[list[str], list[str]]:
    """The questions and their contexts, of any form that they come in.

    Args:
        x: a pair (questions, contexts) of lists, arrays, tensors or columns; a list of pairs; or a
            table with `question` and `context`, see `named_columns`, or with `text` and
            `text_pair`. One question and its context: `("Who?", "Sam.")`.

    Raises:
        InputError: it is in no such form; or names the row without a question or a context.

    White space in front of a question is left out, as in Transformers' `run_qa.py`: some questions
    of SQuAD have more of it than a row has room for. Two surrogates are the character that they
    mean.

    >>> questions_and_contexts({"question": ["Who?"], "context": ["Sam."]})
    (['Who?'], ['Sam.'])
    """
    columns = named_columns(x)
    if columns is not None and {QUESTION, CONTEXT} <= columns.keys():
        x = (columns[QUESTION], columns[CONTEXT])
    if isinstance(x, tuple) and len(x) == 2 and all(isinstance(one, (str, bytes)) for one in x):
        x = [x]
    questions, contexts = texts_and_pairs(x)
    if contexts is None:
        raise InputError(
            "expected questions and contexts: a pair (questions, contexts) of lists, or a table "
            f"with the columns {QUESTION!r} and {CONTEXT!r}; found texts alone"
        )
    for name, texts in ((QUESTION, questions), (CONTEXT, contexts)):
        for row, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"row {row}: the {name} is empty; leave the row out")
    questions = [without_surrogates(question).lstrip() for question in questions]
    return questions, list(map(without_surrogates, contexts))
