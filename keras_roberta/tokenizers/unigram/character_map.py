"""The rules by which a sentencepiece model normalizes characters, such as those of nmt_nfkc.

At each place the longest rule that fits is applied; where none fits the character stays. The rules
lie in a file as a trie of bytes (a double array of the library Darts-clone), which sentencepiece
itself reads back. nmt_nfkc has 225,276 of them, mostly Hangul in all its spellings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import sentencepiece

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.unigram.trie_tables import trie_of
from keras_roberta.tokenizers.unigram.wire_format import field


class Automaton(NamedTuple):
    """Rules as a trie in which equal parts are merged. Node 0 is none, and no rule.

    Attributes:
        sources, columns, targets: int32 (edges,) each, (node, column) -> node.
        first: {code point: node} of the first character of rules.
        column_of: {code point: column}; characters with the same edges share a column, from 1.
        outputs: what the rule that ends at a node puts in its place; None where none ends.
        longest: the most characters that a rule replaces.
    """

    sources: np.ndarray
    columns: np.ndarray
    targets: np.ndarray
    first: dict[int, int]
    column_of: dict[int, int]
    outputs: list[str | None]
    longest: int


def rules_of(character_map: bytes) -> dict[str, str]:
    """The rules of a `precompiled_charsmap`: text -> replacement.

    Raises:
        InputError: sentencepiece cannot read it.
    """
    if not character_map:
        return {}
    try:  # as field 2 of a `NormalizerSpec` with nothing else in it
        normalizer = sentencepiece.SentencePieceNormalizer(normalizer_spec=field(2, character_map))
        return dict(normalizer.decompile())
    except (RuntimeError, ValueError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"precompiled_charsmap: is mangled ({str(error)[:200]})") from None


def automaton_of(rules: dict[str, str]) -> Automaton:
    """The rules as one automaton."""
    texts = list(rules)
    if not texts:
        nothing = np.zeros(0, np.int32)
        return Automaton(nothing, nothing, nothing, {}, {}, [None], 1)
    trie = trie_of(texts)
    code_points, parents = trie.code_points.tolist(), trie.parents.tolist()
    below: list[list] = [[] for _ in parents]
    merged: list[int] = [0] * len(parents)  # the node of each beginning
    known: dict[tuple, int] = {}  # what lies behind a node -> the node
    for place in range(len(parents) - 1, -1, -1):  # children before their parents
        key = trie.keys[place]
        output = None if key < 0 else rules[texts[key]]
        behind = (output, tuple(reversed(below[place])))  # ascending: later nodes sort behind
        merged[place] = node = known.setdefault(behind, 1 + len(known))
        if parents[place] >= 0:
            below[parents[place]].append((code_points[place], node))
    edges_by_character: dict[int, list] = {}
    for (_, behind), node in known.items():
        for code_point, target in behind:
            edges_by_character.setdefault(code_point, []).append((node, target))
    numbers: dict[tuple, int] = {}
    column_of = {
        code_point: numbers.setdefault(tuple(edges), 1 + len(numbers))
        for code_point, edges in edges_by_character.items()
    }
    edges = [(node, column, target) for own, column in numbers.items() for node, target in own]
    sources, columns, targets = np.array(edges, np.int32).reshape(-1, 3).T
    first = {
        code_points[place]: merged[place] for place in range(len(parents)) if parents[place] < 0
    }
    outputs = [None, *(output for output, _ in known)]
    return Automaton(sources, columns, targets, first, column_of, outputs, max(map(len, texts)))
