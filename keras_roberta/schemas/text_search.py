"""Texts compared and searched by their vectors, whatever model makes these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_roberta.data.examples.text_groups import text_groups
from keras_roberta.errors import InputError
from keras_roberta.schemas.vector_search import cosines, nearest

Embed = Callable[[Any], np.ndarray]  # texts to vectors (texts, size)


def similarity(a: Any, b: Any, of_queries: Embed, of_corpus: Embed) -> np.ndarray:
    """The cosine of each text of `a` with each of `b`: float32 (texts of a, texts of b).

    Args:
        a, b: texts, or vectors (texts, size).
        of_queries, of_corpus: make vectors of texts of `a` and of `b`.
    """
    return cosines(_vectors(a, of_queries), _vectors(b, of_corpus))


def search(
    queries: Any,
    corpus: Any,
    top_k: int,
    of_queries: Embed,
    of_corpus: Embed,
    *,
    vectors: np.ndarray | None = None,
) -> list[list[dict[str, Any]]]:
    """The texts of a corpus that are nearest to each query.

    Args:
        queries, corpus: texts, or vectors (texts, size).
        top_k: how many for each query.
        of_queries, of_corpus: make vectors of texts.
        vectors: of the texts of the corpus, where they are known.

    Returns:
        for each query a list of dicts, the nearest first, with `index`, the text's number in the
        corpus, `text` (where the corpus has texts) and `score`, the cosine.

    Raises:
        InputError: there is no query or no text, or there are not as many vectors as texts.
    """
    texts = None if are_vectors(corpus) else single_texts(corpus)
    if vectors is None:
        vectors = corpus if texts is None else of_corpus(texts)
    elif texts is not None and len(vectors) != len(texts):
        raise InputError(f"vectors: {len(vectors)} of them for {len(texts)} texts")
    found = []
    nearby = nearest(_vectors(queries, of_queries), vectors, top_k)
    for scores, indices in zip(*(part.tolist() for part in nearby), strict=True):
        hits = zip(scores, indices, strict=True)
        found.append([{"index": i, **_named(texts, i), "score": score} for score, i in hits])
    return found


def _named(texts, index):
    return {} if texts is None else {"text": texts[index]}


def single_texts(texts: Any) -> list[str]:
    """Texts of any form as a list.

    Raises:
        InputError: they are pairs.
    """
    groups = text_groups(texts)
    if groups.texts_a_group > 1:
        raise InputError("a corpus has single texts, not pairs")
    return groups.columns[0]


def are_vectors(x: Any) -> bool:
    """Whether it is an array (texts, size) of floating-point numbers, rather than texts."""
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    return kind == "f" and x.ndim == 2


def _vectors(x, embed):
    return x if are_vectors(x) else embed(x)
