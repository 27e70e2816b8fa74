"""The merges of a byte-level BPE as one table: (left id, right id) -> rank -> merged id.

The table uses row displacement. Every left token is a row, with an entry for each right token that
it merges with. All rows share a single array. Each is shifted by its own displacement, so that no
two entries use the same slot:

    rank = ranks[displacements[left] + right]        a merge only if lefts[rank] == left

Only the left token must be compared, since slot and displacement determine the right one. A look-up
takes three gathers, without branches and without multiplication. So nothing can overflow, neither
in TensorFlow nor in TFLite.

Source: Tarjan and Yao, "Storing a sparse table", 1979. Rows are added by decreasing size, each at
the first displacement where it fits. The search tries a block of displacements at once.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.in_graph.vectors import look_up

SEARCH_BLOCK = 1024  # displacements tried at once


class MergeTable(tf.Module):
    """Looks up the rank of a pair of tokens and the token that a rank produces.

    Args:
        vocabulary: {token in the GPT-2 byte alphabet: id}, with distinct ids.
        merges: pairs (left, right), in the order of their ranks. Both parts and their product must
            be in `vocabulary`. A pair that occurs twice has its last rank, as in the `tokenizers`
            library.
        name: name of the module.

    Attributes:
        no_merge: int, the rank of a pair that does not merge. It is larger than all other ranks.
        nbytes: int, size of the table in bytes.
        reach: int32 [num_ids], for the token of each byte, the length in bytes of the longest
            product that contains it, at least 1. Two merges in a word do not influence each other
            if they are further apart than the longest reach of the word's bytes.
        out_of_order: bool [no_merge + 1], the ranks whose product is part of a merge of lower rank,
            or None if there are none. Training can create them: if two pairs have the same product,
            it may be used before the second pair is learned.

    Raises:
        InputError: a merge uses a token that is not in the vocabulary.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        name: str = "merge_table",
    ):
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

    def rank(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """The ranks of pairs of tokens: int32 [n], `no_merge` for pairs that do not merge.

        Args:
            left: int32 [n], ids of the left tokens.
            right: int32 [n], ids of the right tokens.
        """
        rank = look_up(self.ranks, look_up(self.displacements, left) + right)
        return tf.where(look_up(self.lefts, rank) == left, rank, self.no_merge)

    def product(self, rank: tf.Tensor) -> tf.Tensor:
        """The ids of the tokens that merges of these ranks produce: int32 [n]."""
        return look_up(self.products, rank)


def displace_rows(
    lefts: np.ndarray, rights: np.ndarray, num_ids: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places all rows in one array; see the beginning of this file.

    Args:
        lefts: int32 (merges,), the left token of each merge.
        rights: int32 (merges,), the right token of each merge.
        num_ids: number of ids.

    Returns:
        displacements: int32 (num_ids,).
        ranks: int32 (slots,).
    """
    order = np.argsort(lefts, kind="stable")
    starts = np.flatnonzero(np.diff(lefts[order], prepend=-1))
    rows = sorted(np.split(order, starts[1:]), key=len, reverse=True) if len(lefts) else []
    num_blocks = 1 + 5 * len(lefts) // (
        2 * SEARCH_BLOCK
    )  # at most 40% full, so that a place is found soon
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
                break  # the row does not fit anywhere
            displacement = block * SEARCH_BLOCK + free.argmax()
            displacements[lefts[row[0]]] = displacement
            ranks[displacement + rights[row]] = row
            taken[displacement + rights[row]] = True
        else:
            used = np.flatnonzero(taken)[-1] + 1 if len(rows) else 0
            return displacements, ranks[: max(used, displacements.max() + num_ids)]
        num_blocks *= 2


def find_reach(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], num_ids: int
) -> np.ndarray:
    """The length of the longest product that contains each byte's token: int32 (num_ids,)."""
    longest = {}
    for product in sorted(map("".join, merges), key=len):
        longest.update(dict.fromkeys(product, len(product)))
    reach = np.ones(num_ids, np.int32)
    for letter, length in longest.items():
        reach[vocabulary[letter]] = length
    return reach


def find_out_of_order(
    lefts: np.ndarray, rights: np.ndarray, products: np.ndarray, num_ids: int
) -> np.ndarray:
    """Which merges produce a token that is part of a merge of lower rank: bool (merges,)."""
    first_use = np.full(num_ids, len(lefts), np.int64)
    np.minimum.at(first_use, lefts, np.arange(len(lefts)))
    np.minimum.at(first_use, rights, np.arange(len(lefts)))
    return first_use[products] < np.arange(len(lefts))
