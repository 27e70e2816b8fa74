"""Texts searched by the vectors that an exported file gives."""

import functools

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.schemas import OneLabel, TextVectors
from keras_roberta.schemas.text_search import search, similarity

CORPUS = ["aaa", "abb", "b"]


def predict(texts):
    """How often a text has the letters a and b."""
    return {"vector": np.array([[t.count("a"), t.count("b")] for t in texts], "float32")}


def embedders(schema):
    of_queries = functools.partial(schema.vectors_of, predict=predict)
    return of_queries, functools.partial(of_queries, of_corpus=True)


def test_texts_and_vectors():
    of_both = embedders(TextVectors())
    expected = [[1, 1 / 5**0.5, 0], [0, 2 / 5**0.5, 1]]
    for corpus in (CORPUS, predict(CORPUS)["vector"]):
        np.testing.assert_allclose(similarity(["a", "b"], corpus, *of_both), expected, atol=1e-6)
    (hits,) = search(["b"], CORPUS, 2, *of_both)
    assert [(hit["index"], hit["text"]) for hit in hits] == [(2, "b"), (1, "abb")]
    assert hits[1]["score"] == pytest.approx(2 / 5**0.5)
    (known,) = search(["b"], CORPUS, 2, *of_both, vectors=predict(CORPUS)["vector"])
    (unnamed,) = search(["b"], predict(CORPUS)["vector"], 2, *of_both)
    assert known == hits and unnamed == [
        {"index": hit["index"], "score": hit["score"]} for hit in hits
    ]


def test_a_corpus_with_a_prefix_of_its_own():
    of_both = embedders(TextVectors("query: ", "passage: "))
    with pytest.raises(InputError, match="those that are searched have another; give their vec"):
        search(["b"], CORPUS, 2, *of_both)
    assert search(["b"], CORPUS, 1, *of_both, vectors=np.eye(3, 2))[0][0]["text"] == "abb"


@pytest.mark.parametrize(
    ("schema", "corpus", "vectors", "message"),
    [
        (
            OneLabel(2),
            CORPUS,
            None,
            "the model gives one-label, no vectors to compare or to search",
        ),
        (TextVectors(), [("a", "b")], None, "a corpus has single texts, not pairs"),
        (TextVectors(), CORPUS, np.eye(2), "vectors: 2 of them for 3 texts"),
    ],
)
def test_what_cannot_be_searched(schema, corpus, vectors, message):
    with pytest.raises(InputError, match=message):
        search(["b"], corpus, 1, *embedders(schema), vectors=vectors)
