"""The tables of a Unigram model, in numpy: tries, merged rules, and the cache of large ones."""

import dataclasses
import logging
import random

import numpy as np
import pytest
from sentencepiece_models import RULES, trained_tokenizer

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.unigram import tables
from keras_roberta.tokenizers.unigram.character_map import automaton_of, rules_of
from keras_roberta.tokenizers.unigram.trie_tables import packed, trie_of


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return trained_tokenizer(tmp_path_factory.mktemp("trained"))[1]._model


def strings(seed, letters, count, longest):
    chance = random.Random(seed)
    made = ("".join(chance.choices(letters, k=chance.randrange(1, longest))) for _ in range(count))
    return sorted(set(made), key=lambda text: chance.random())


def follow(edges, node, column):
    slot = edges.shifts[node] + column
    return int(edges.targets[slot]) if edges.owners[slot] == node else None


@pytest.mark.parametrize("seed", range(4))
def test_tries_hold_their_strings_and_no_others(seed):
    letters = "ab\u65e5\U00013000"[: 2 + seed % 3] if seed else "abcdefghijklmnopqrstuvwxyz" * 3
    keys = strings(seed, letters, 400, 7)
    trie = trie_of(keys)
    characters = {code: 1 + i for i, code in enumerate(np.unique(trie.code_points).tolist())}
    columns = np.array([characters[code] for code in trie.code_points.tolist()], np.int32)
    numbers = np.arange(1, 1 + len(trie.keys), dtype=np.int32)
    edges = packed(trie.parents + 1, columns, numbers, 1 + len(numbers))

    def find(text):
        node = 0
        for letter in text:
            node = follow(edges, node, characters[ord(letter)])
            if node is None:
                return None
        key = trie.keys[node - 1]
        return keys[key] if key >= 0 else None

    assert all(find(key) == key for key in keys)
    others = set(strings(seed + 100, sorted(set("".join(keys))), 400, 7)) - set(keys)
    assert len(others) > 10 and all(find(other) is None for other in others)
    assert follow(edges, len(edges.shifts) - 1, 1) is None  # the node without edges


def test_equal_parts_of_rules_are_merged():
    rules = {"ab": "x", "cb": "x", "a": "y", "abd": "z", "cbd": "z", "e": ""}
    found = automaton_of(rules)
    edges = packed(found.sources, found.columns, found.targets, len(found.outputs))

    def replaced(text):
        node = found.first.get(ord(text[0]), 0)
        for letter in text[1:]:
            node = follow(edges, node, found.column_of[ord(letter)])
        return found.outputs[node]

    assert {text: replaced(text) for text in rules} == rules
    assert found.longest == 3 and len(found.outputs) == 6  # none, b, d and what a, c and e begin
    assert automaton_of({}).outputs == [None]


def test_rules_are_read_back(model):
    assert rules_of(model.character_map) == RULES
    with pytest.raises(InputError, match="precompiled_charsmap: is mangled"):
        rules_of(b"\x05\0\0\0abc")


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_large_tables_are_kept(model, tmp_path, monkeypatch, caplog):
    made = tables.tables_of(model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not list(tmp_path.rglob("*.npz"))  # it is small
    monkeypatch.setattr(tables, "_LARGE", 1)
    assert same(tables.tables_of(model), made)
    (path,) = tmp_path.rglob("*.npz")
    monkeypatch.setattr(tables, "_made", None)  # would fail if it were called
    assert same(tables.tables_of(model), made)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tables, "_LARGE", 1)

    path.write_bytes(path.read_bytes()[:100])  # cut off: made anew, and told
    with caplog.at_level(logging.WARNING, "keras_roberta"):
        assert same(tables.tables_of(model), made)
    assert "made anew" in caplog.text
    assert same(tables.tables_of(model), made) and len(list(tmp_path.rglob("*"))) == 2

    other = dataclasses.replace(model, scores=model.scores * 2)
    assert not same(tables.tables_of(other), made) and len(list(tmp_path.rglob("*.npz"))) == 2

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # cannot be written
    assert same(tables.tables_of(model), made)


def test_without_a_place_to_keep_them(model, tmp_path, monkeypatch):
    made = tables.tables_of(model)
    monkeypatch.setattr(tables, "_LARGE", 1)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    with monkeypatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME", raising=False)
        patch.setattr(tables.pathlib.Path, "home", no_home)
        assert same(tables.tables_of(model), made)

    def not_allowed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr("os.stat", not_allowed)  # root may look everywhere
    monkeypatch.setattr("numpy.load", not_allowed)
    monkeypatch.setattr(tables.pathlib.Path, "mkdir", not_allowed)
    assert same(tables.tables_of(model), made)
