"""Tries of characters as flat arrays, built with numpy.

The edges of a trie, (node, column) -> node, lie in one array. Each node has a shift, and its edge
of a column lies at shift + column. The nodes' rows are interleaved so that no two edges share a
slot, and each slot names the node that it belongs to, so that a look-up is exact: three gathers.

Source: Tarjan and Yao, "Storing a sparse table", 1979.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_WINDOW = 64  # shifts that are tried at once


class Trie(NamedTuple):
    """A set of strings by their beginnings. The nodes but the root, which is -1:

    Attributes:
        parents: int32 (nodes,), a parent before its children.
        code_points: int32 (nodes,), the character that leads to each.
        keys: int32 (nodes,), the number of the string that ends at each, or -1.
    """

    parents: np.ndarray
    code_points: np.ndarray
    keys: np.ndarray


class Edges(NamedTuple):
    """Edges in one array.

    Attributes:
        shifts: int32 (nodes + 1,); the last is that of a node without edges.
        owners: int32 (slots,), the node whose edge lies in a slot, or -1.
        targets: int32 (slots,), the node that it leads to.
    """

    shifts: np.ndarray
    owners: np.ndarray
    targets: np.ndarray


class StringTable(NamedTuple):
    """A set of strings as edges.

    Attributes:
        edges: those of a trie. Its root is node 0; the nodes of whole strings come next, in the
            order of the strings, and then those of other beginnings.
        characters: int32 (characters,), the code points in the strings, ascending. The first has
            the column 1, each further one the next.
        is_string: bool (characters + 1,), by column, whether a character alone is a string.
    """

    edges: Edges
    characters: np.ndarray
    is_string: np.ndarray


def string_table(strings: list[str]) -> StringTable:
    """The table of some strings, none empty and no two alike."""
    trie = trie_of(strings)
    num_nodes = 1 + len(trie.keys)
    numbers = np.empty(len(trie.keys), np.int32)
    is_whole = trie.keys >= 0
    numbers[is_whole] = 1 + trie.keys[is_whole]
    numbers[~is_whole] = np.arange(1 + len(strings), num_nodes)
    sources = np.where(trie.parents < 0, 0, numbers[trie.parents])
    characters, columns = np.unique(trie.code_points, return_inverse=True)
    columns = columns.astype(np.int32) + 1
    is_string = np.zeros(len(characters) + 1, bool)
    is_string[columns[is_whole & (trie.parents < 0)]] = True
    return StringTable(packed(sources, columns, numbers, num_nodes), characters, is_string)


def trie_of(strings: list[str]) -> Trie:
    """The trie of some strings, none empty and no two alike."""
    order = sorted(range(len(strings)), key=strings.__getitem__)
    lengths = np.array([len(strings[i]) for i in order], np.int32)
    longest = int(lengths.max())
    padded = "".join([strings[i].ljust(longest, "\0") for i in order])
    letters = np.frombuffer(padded.encode("utf-32-le"), np.int32).reshape(-1, longest)
    inside = np.arange(longest) < lengths[:, None]
    # A beginning is new where it differs from that of the string before, which sorts next to it.
    new = np.ones_like(inside)
    differs = (letters[1:] != letters[:-1]) | (inside[1:] != inside[:-1])
    new[1:] = np.logical_or.accumulate(differs, axis=1)
    new &= inside
    numbers = np.cumsum(new).reshape(new.shape) - 1  # row by row: a parent before its children
    nodes = np.maximum.accumulate(np.where(new, numbers, -1), axis=0)
    parents = np.concatenate([np.full((len(nodes), 1), -1), nodes[:, :-1]], axis=1)
    keys = np.full(int(new.sum()), -1, np.int32)
    keys[nodes[np.arange(len(nodes)), lengths - 1]] = order
    return Trie(parents[new].astype(np.int32), letters[new], keys)


def packed(sources: np.ndarray, columns: np.ndarray, targets: np.ndarray, num_nodes: int) -> Edges:
    """Lays edges into one array.

    Nodes of several edges go in first, those of most edges before the others. The many of one edge
    then fill the holes that are left.

    Args:
        sources, columns, targets: int (edges,); columns begin at 1.
        num_nodes: how many nodes there are.
    """
    order = np.lexsort((columns, sources))
    sources, columns, targets = sources[order], columns[order], targets[order]
    width = int(columns.max(initial=0)) + 1
    begins = np.flatnonzero(np.diff(sources, prepend=-1))
    counts = np.diff(begins, append=len(sources))
    free = np.ones(2 * len(sources) + 2 * width + 2 * _WINDOW, bool)
    shifts = np.zeros(num_nodes + 1, np.int32)
    several = np.flatnonzero(counts > 1)
    window, first = np.arange(_WINDOW)[:, None], 0
    for row in several[np.argsort(-counts[several], kind="stable")].tolist():
        own = columns[begins[row] : begins[row] + counts[row]]
        # Where none of the next shifts fits it is nearly full: the search does not come back, and
        # what is left there is for the nodes of one edge.
        while not (fits := free[first + window + own].all(axis=1)).any():
            first += _WINDOW
            if first + _WINDOW + width > len(free):
                free = np.concatenate([free, np.ones(len(free), bool)])
        shift = first + int(fits.argmax())
        shifts[sources[begins[row]]] = shift
        free[shift + own] = False
    single = begins[counts == 1]
    holes = np.flatnonzero(free)
    holes = holes[holes >= width]  # no shift is negative
    if len(holes) < len(single):
        behind = np.arange(len(single) - len(holes))
        holes = np.concatenate([holes, max(len(free), width) + behind])
    holes = holes[: len(single)]
    shifts[sources[single]] = holes - columns[single]

    slots = shifts[sources] + columns
    size = int(shifts.max(initial=0)) + width
    owners, laid = np.full(size, -1, np.int32), np.zeros(size, np.int32)
    owners[slots], laid[slots] = sources, targets
    return Edges(shifts, owners, laid)
