"""All tables of a Unigram model for a graph, and a cache of them: XLM-R's take seconds to make."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pathlib
import tempfile
from typing import NamedTuple

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.unigram.character_map import automaton_of, rules_of
from keras_roberta.tokenizers.unigram.trie_tables import packed, string_table
from keras_roberta.tokenizers.unigram.unigram_model import META_SPACE, UnigramModel

SPACE = 0x20
NO_PIECE = np.float32(-1e30)  # the score of none
_VERSION = 1  # of what the tables mean: change it with them
_LARGE = 20_000  # pieces or bytes of rules from which the tables are kept on the disk

logger = logging.getLogger("keras_roberta")


class UnigramTables(NamedTuple):
    """Arrays; code points are as given, and columns, nodes and pieces begin at 1.

    The character map's (see `character_map.Automaton`):

    Attributes:
        rule_shifts, rule_owners, rule_targets: its edges, see `trie_tables.Edges`.
        rule_first: int32 (2, characters), code points and the node that each leads to.
        rule_columns: int32 (2, characters), code points and columns.
        rule_is_end: bool (nodes + 1,), whether a rule ends at a node.
        rule_lengths: int32 (nodes + 1,), characters that it puts in.
        rule_texts: int32 (characters,), what the rules put in, one after the other.
        longest_rule: int32 (), characters.

    The pieces', in which U+2581 and the space are one:

        shifts, owners, targets: edges of the trie of pieces. Its root is node 0; the nodes of whole
            pieces come next, in the order of their ids.
        columns: int32 (2, characters), code points and columns.
        has_piece: bool (columns,), whether a character alone is a piece.
        scores: float32 (pieces + 1,); the first is `NO_PIECE`.
        ids: int32 (pieces + 1,); the first is that of unknown characters.
        unknown_score: float32 ()
        longest_piece: int32 (), characters.
    """

    rule_shifts: np.ndarray
    rule_owners: np.ndarray
    rule_targets: np.ndarray
    rule_first: np.ndarray
    rule_columns: np.ndarray
    rule_is_end: np.ndarray
    rule_lengths: np.ndarray
    rule_texts: np.ndarray
    longest_rule: np.ndarray
    shifts: np.ndarray
    owners: np.ndarray
    targets: np.ndarray
    columns: np.ndarray
    has_piece: np.ndarray
    scores: np.ndarray
    ids: np.ndarray
    unknown_score: np.ndarray
    longest_piece: np.ndarray


def tables_of(model: UnigramModel) -> UnigramTables:
    """The tables of a model, from the cache where they are in it.

    Those of large models are kept in `keras_roberta` in the user's cache directory
    (`$XDG_CACHE_HOME`, by default `~/.cache`), where that can be written.

    Raises:
        InputError: the model's character map is mangled, or none that a graph can follow.
    """
    if len(model.pieces) < _LARGE and len(model.character_map) < _LARGE:
        return _made(model)
    directory = _cache_directory()
    if directory is None:
        return _made(model)
    path = directory / f"unigram-{_VERSION}-{_digest(model)}.npz"
    found = _read(path)
    if found is None:
        found = _made(model)
        _keep(found, path)
    return found


def _made(model: UnigramModel) -> UnigramTables:
    rules = rules_of(model.character_map)
    if rules.get(META_SPACE) != " " or any(" " in text for text in rules):
        raise InputError(
            "the tokenizer cannot go into a graph: its character map does not turn U+2581 into a "
            "space, or reads spaces; export with inputs='tokens'"
        )
    return UnigramTables(**_of_rules(rules), **_of_pieces(model))


def _of_rules(rules):
    automaton = automaton_of(rules)
    outputs = [text or "" for text in automaton.outputs]
    edges = packed(automaton.sources, automaton.columns, automaton.targets, len(outputs))
    lengths = np.array([*map(len, outputs), 0], np.int32)
    is_end = np.array([*(text is not None for text in automaton.outputs), False])
    return {
        "rule_shifts": edges.shifts,
        "rule_owners": edges.owners,
        "rule_targets": edges.targets,
        "rule_first": _pairs(automaton.first),
        "rule_columns": _pairs(automaton.column_of),
        "rule_is_end": is_end,
        "rule_lengths": lengths,
        # One more, so that there is one in any case.
        "rule_texts": np.array([*map(ord, "".join(outputs)), 0], np.int32),
        "longest_rule": np.int32(automaton.longest),
    }


def _of_pieces(model):
    ids = np.flatnonzero(model.in_texts).astype(np.int32)
    pieces = [model.pieces[i] for i in ids]
    edges, characters, has_piece = string_table(pieces)
    if SPACE in characters:
        raise InputError("model.vocab: a piece holds a space; pieces hold U+2581 instead")
    characters[characters == ord(META_SPACE)] = SPACE  # no rule leaves a U+2581
    return {
        "shifts": edges.shifts,
        "owners": edges.owners,
        "targets": edges.targets,
        "columns": np.stack([characters, np.arange(1, len(characters) + 1)]).astype(np.int32),
        "has_piece": has_piece,
        "scores": np.append(NO_PIECE, model.scores[ids]).astype(np.float32),
        "ids": np.append(np.int32(model.unknown_id), ids).astype(np.int32),
        "unknown_score": np.float32(model.unknown_score),
        "longest_piece": np.int32(max(map(len, pieces))),
    }


def _pairs(values: dict[int, int]) -> np.ndarray:
    pairs = np.array(list(values.items()), np.int32).reshape(-1, 2)
    return np.ascontiguousarray(pairs.T)


def _digest(model: UnigramModel) -> str:
    """Of all that decides the tables."""
    parts = ["\0".join(model.pieces).encode(), model.scores.tobytes(), model.in_texts.tobytes()]
    parts += [str(model.unknown_id).encode(), model.character_map]
    sizes = np.array([len(part) for part in parts], np.int64).tobytes()
    return hashlib.sha256(b"".join([sizes, *parts])).hexdigest()[:32]


def _cache_directory() -> pathlib.Path | None:
    """Where tables are kept; None for a user without a home."""
    try:
        root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    except RuntimeError:
        return None
    return pathlib.Path(root) / "keras_roberta"


def _read(path: pathlib.Path) -> UnigramTables | None:
    try:
        with np.load(path, allow_pickle=False) as content:
            return UnigramTables(**{name: content[name] for name in UnigramTables._fields})
    except Exception as error:  # not there, cut off, another program's: they are made anew
        if os.path.exists(path):  # False too where one may not look; `Path.exists` would raise
            logger.warning("%s: cannot be used (%.100s); its tables are made anew", path, error)
        return None


def _keep(tables: UnigramTables, path: pathlib.Path) -> None:
    """Writes them; a cache that cannot be written is no error."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=path.parent, suffix=".temporary")
        with os.fdopen(number, "wb") as file:
            np.savez(file, **tables._asdict())
        os.replace(temporary, path)
    except OSError as error:
        logger.info("%s: the tables of the tokenizer are not kept (%s)", path, error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
