"""The merges of a byte-level BPE as one table: (left id, right id) -> rank -> merged id.

Row displacement: every left token is a row with an entry for each right token that it merges with.
All rows are laid over one another in a single array, each shifted by its own displacement so that
no two entries fall on the same slot:

    rank = ranks[displacements[left] + right]        a merge only if lefts[rank] == left

Comparing the left token is enough, as the slot and the displacement determine the right one. A
look-up is three gathers without a branch and without multiplication, so nothing can overflow, in
TensorFlow and in TFLite alike.

Source: Tarjan and Yao, "Storing a sparse table", 1979. Rows go in by decreasing size, each where it
first fits; the search looks at a block of displacements at once.
"""

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.in_graph.vectors import look_up

SEARCH_BLOCK = 1024  # displacements tried at once


class MergeTable(tf.Module):
    """Looks up the rank of a pair of tokens and the token that a rank produces.

    Args:
        vocabulary: dict, token in the GPT-2 byte alphabet -> id; ids must differ from one another.
        merges: list of (left, right), best first; their parts and their product must be in
            `vocabulary`. A pair that occurs twice has its last rank, as in the `tokenizers`
            library.

    Attributes:
        no_merge: int, the rank of a pair that does not merge; larger than every other rank.
        reach: int32 [num_ids], for the token of each byte the length of the longest product that it
            is part of, in bytes, at least 1. Merges in a word that are further apart than the
            longest reach of its bytes cannot influence one another.
        out_of_order: bool [no_merge + 1], the ranks whose product takes part in a merge of lower
            rank; None if there are none. Training can bring them forth: a token that two pairs
            produce may be used before the second of them is learned.
    """

    def __init__(self, vocabulary, merges, name="merge_table"):
        super().__init__(name=name)
        missing = {token for pair in merges for token in (*pair, "".join(pair))} - set(vocabulary)
        if missing:
            raise InputError(f"merges use tokens that the vocabulary lacks: {sorted(missing)[:5]}")
        merges = list({pair: rank for rank, pair in enumerate(merges)}.items())
        merges = [pair for pair, _ in sorted(merges, key=lambda item: item[1])]
        lefts = np.array([vocabulary[left] for left, _ in merges], np.int32)
        rights = np.array([vocabulary[right] for _, right in merges], np.int32)
        products = np.array([vocabulary[left + right] for left, right in merges], np.int32)
        num_ids = max(vocabulary.values()) + 1

        displacements, ranks = displace_rows(lefts, rights, num_ids)
        out_of_order = find_out_of_order(lefts, rights, products, num_ids)

        self.no_merge = len(merges)
        self.nbytes = 4 * (2 * num_ids + len(ranks) + 2 * len(merges) + 2)
        with tf.init_scope(), tf.device("CPU"):
            self.displacements = tf.constant(displacements)  # (num_ids,)
            self.ranks = tf.constant(ranks)  # (slots,)
            self.lefts = tf.constant(np.append(lefts, -1).astype(np.int32))  # (no_merge + 1,)
            self.reach = tf.constant(find_reach(vocabulary, merges, num_ids))
            self.products = tf.constant(np.append(products, 0).astype(np.int32))  # (no_merge + 1,)
            self.out_of_order = None
            if out_of_order.any():
                self.out_of_order = tf.constant(np.append(out_of_order, False))

    def rank(self, left, right):
        """Ranks of the pairs (left, right), int32 [n]; `no_merge` where they do not merge."""
        rank = look_up(self.ranks, look_up(self.displacements, left) + right)
        return tf.where(look_up(self.lefts, rank) == left, rank, self.no_merge)

    def product(self, rank):
        """The token that a merge of this rank produces."""
        return look_up(self.products, rank)


def displace_rows(lefts, rights, num_ids):
    """Lays the rows over one another: displacements [num_ids] and ranks [slots], both int32."""
    order = np.argsort(lefts, kind="stable")
    starts = np.flatnonzero(np.diff(lefts[order], prepend=-1))
    rows = sorted(np.split(order, starts[1:]), key=len, reverse=True) if len(lefts) else []
    num_blocks = 1 + 5 * len(lefts) // (2 * SEARCH_BLOCK)  # at most 40% full: rows fit soon
    while True:
        displacements = np.zeros(num_ids, np.int32)
        ranks = np.full(num_blocks * SEARCH_BLOCK + num_ids, len(lefts), np.int32)
        taken = np.zeros(len(ranks), bool)
        windows = np.lib.stride_tricks.sliding_window_view(taken, SEARCH_BLOCK)
        block = 0
        for row in rows:
            for _ in range(num_blocks):
                free = ~windows[block * SEARCH_BLOCK + rights[row]].any(axis=0)
                if free.any():
                    break
                block = (block + 1) % num_blocks
            else:
                break  # a row that fits nowhere
            displacement = block * SEARCH_BLOCK + free.argmax()
            displacements[lefts[row[0]]] = displacement
            ranks[displacement + rights[row]] = row
            taken[displacement + rights[row]] = True
        else:
            used = np.flatnonzero(taken)[-1] + 1 if len(rows) else 0
            return displacements, ranks[: max(used, displacements.max() + num_ids)]
        num_blocks *= 2


def find_reach(vocabulary, merges, num_ids):
    """The longest product that the token of a single byte is part of: int32 [num_ids]."""
    longest = {}
    for product in sorted(map("".join, merges), key=len):
        longest.update(dict.fromkeys(product, len(product)))
    reach = np.ones(num_ids, np.int32)
    for letter, length in longest.items():
        reach[vocabulary[letter]] = length
    return reach


def find_out_of_order(lefts, rights, products, num_ids):
    """Which ranks produce a token that takes part in a merge of lower rank. Bool [merges]."""
    first_use = np.full(num_ids, len(lefts), np.int64)
    np.minimum.at(first_use, lefts, np.arange(len(lefts)))
    np.minimum.at(first_use, rights, np.arange(len(lefts)))
    return first_use[products] < np.arange(len(lefts))
