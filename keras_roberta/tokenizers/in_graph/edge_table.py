"""Follows the edges of a trie from all places of a vector at once."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up, narrow


class EdgeTable(tf.Module):
    """Edges (node, column) -> node in one array; see `unigram.trie_tables.Edges`.

    Args:
        shifts, owners, targets: those of `Edges`.
        name: name of the module.

    Attributes:
        dead: int, a node without edges.
    """

    def __init__(
        self,
        shifts: np.ndarray,
        owners: np.ndarray,
        targets: np.ndarray,
        name: str = "edge_table",
    ):
        super().__init__(name=name)
        self.dead = len(shifts) - 1
        with tf.init_scope(), tf.device("CPU"):
            self.shifts, self.owners, self.targets = (
                tf.constant(narrow(table)) for table in (shifts, owners, targets)
            )

    def walk(
        self, columns: tf.Tensor, at: tf.Tensor, node: tf.Tensor, rounds: int, size: int | None
    ) -> Iterator[tuple[int, tf.Tensor, tf.Tensor]]:
        """Follows edges through the columns behind places.

        Args:
            columns: int32 [n], 0 where no edge leads on.
            at: int32 [k], places; in static vectors all of them.
            node: int32 [k], the node of each.
            rounds: how many edges to follow.
            size: n if it is static, else None.

        Yields:
            1, 2, ..., rounds; and the places with their nodes, int32 [k] each. With vectors of any
            length only the places that get so far are left; in static ones all are, those that do
            not with the node `dead`.
        """
        columns = tf.concat([columns, tf.zeros([rounds + 1], tf.int32)], 0)
        for length in range(1, rounds + 1):
            if size is None:
                column = look_up(columns, at + (length - 1))
            else:
                column = tf.slice(columns, [length - 1], [size])
            slots = tf.cast(look_up(self.shifts, node), tf.int32) + column
            found = tf.cast(look_up(self.owners, slots), tf.int32) == node
            if size is None:
                at, slots = keep_where(found, at, slots)
                node = tf.cast(look_up(self.targets, slots), tf.int32)
            else:
                target = tf.cast(look_up(self.targets, slots), tf.int32)
                node = tf.where(found, target, self.dead)
            yield length, at, node
