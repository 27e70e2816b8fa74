"""Byte-pair merges in all words of all texts at once.

Byte-pair encoding merges, in each word, the adjacent pair of lowest rank, the leftmost of several
(Sennrich et al., "Neural machine translation of rare words with subword units", 2016). Here a round
merges in parallel every pair that this order is sure to merge, and the rounds go on until no pair is
left.

Which pairs are sure? Let `reach` be the length of the longest token in bytes. What could take `left`
or `right` away from a pair before its turn is a longer token that ends or begins there. That token
has to be built first, from symbols no further than `reach` bytes away, and its first step is one of
the pairs that are there now. So a pair whose rank is the lowest within `reach` bytes to either side
in its word will be merged. Words longer than that are cut into segments of `reach` bytes, and a pair
is held against the lowest rank in its own segment and the two beside it.

Hence a word needs at most as many rounds as the pairs of a few segments have ranks, however long it
is: about twelve for English text, a few hundred for a megabyte of random letters. Each round looks
up every remaining pair once.

Pairs of equal rank that overlap (a a a) are merged from the left: the first, the third, ... of their
run. All others of equal rank merge together, except those whose product takes part in a merge of
lower rank (`MergeTable.out_of_order`): these go one at a time.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import following, keep_where, previous


def merge_bytes(token_ids, texts, starts, table, size=None):
    """Merges until nothing is left to merge.

    Args:
        token_ids: int32 [n], the tokens of single bytes.
        texts: int32 [n], the text of each byte; the same for all bytes of a word.
        starts: bool [n], the places where a word begins.
        table: MergeTable.
        size: n, if it is static.

    Returns:
        token_ids: int32 [tokens], or [size] with zeros behind.
        texts: int32, same shape.
    """
    n = tf.size(token_ids) if size is None else size
    segment_starts = starts | (tf.range(n) % table.reach == 0)
    segments = tf.cumsum(tf.cast(segment_starts, tf.int32))  # (n,), from 1
    num_segments = (tf.reduce_sum(tf.cast(segment_starts, tf.int32)) if size is None else size) + 2
    text_of_segment = tf.math.unsorted_segment_max(texts, segments, num_segments)
    text_of_segment = tf.maximum(text_of_segment, 0)  # (num_segments,)
    # Does a segment continue the word of the one before it?
    continues = 0 < tf.math.unsorted_segment_max(
        tf.cast(segment_starts & ~starts, tf.int32), segments, num_segments
    )  # (num_segments,)
    # The sign marks the first symbol of a word, which has no pair: a symbol's pair is the one with
    # the symbol on its left.
    segments = tf.where(starts, -segments, segments)

    def ranks_of(token_ids, segments):
        ranks = table.rank(previous(token_ids), token_ids)
        return tf.where(segments > 0, ranks, table.no_merge)

    def any_left(token_ids, segments, ranks):
        return tf.reduce_any(ranks < table.no_merge)

    def merge_once(token_ids, segments, ranks):
        segment = tf.abs(segments)
        lowest = tf.math.unsorted_segment_min(ranks, segment, num_segments)  # (num_segments,)
        before = tf.where(continues, previous(lowest), table.no_merge)
        after = tf.where(following(continues, fill=False), following(lowest), table.no_merge)
        nearby = tf.minimum(lowest, tf.minimum(before, after))
        merges = (ranks < table.no_merge) & (ranks == tf.gather(nearby, segment))
        if table.out_of_order is not None:
            alone = tf.gather(table.out_of_order, ranks)
            merges &= ~alone | leftmost(ranks, merges, segment, before)
        merges = tf.cond(
            tf.reduce_any(merges & (ranks == previous(ranks))),
            lambda: every_other(ranks, merges),
            lambda: merges,
        )
        products = table.product(ranks)
        # The left symbol becomes the product, the right one goes.
        token_ids = tf.where(following(merges, fill=False), following(products), token_ids)
        token_ids, segments = keep_where(~merges, token_ids, segments, size=size)
        return token_ids, segments, ranks_of(token_ids, segments)

    shape = tf.TensorShape([size])
    token_ids, segments, _ = tf.while_loop(
        any_left,
        merge_once,
        [token_ids, segments, ranks_of(token_ids, segments)],
        shape_invariants=[shape] * 3,
    )
    return token_ids, tf.gather(text_of_segment, tf.abs(segments))


def every_other(ranks, merges):
    """Of a run of overlapping pairs (a a a a): the first, the third, ... if the first merges."""
    n = tf.size(ranks)
    place = tf.range(n)
    run = tf.cumsum(tf.cast(ranks != previous(ranks, fill=-1), tf.int32))  # (n,)
    first = tf.gather(tf.math.unsorted_segment_min(place, run, n + 1), run)  # (n,)
    return merges & ((place - first) % 2 == 0) & tf.gather(merges, first)


def leftmost(ranks, merges, segment, before):
    """The first merge of each segment, unless a pair of its rank waits in the segment before it."""
    place = tf.range(tf.size(ranks))
    first = tf.math.unsorted_segment_min(
        tf.where(merges, place, tf.int32.max), segment, tf.size(before)
    )  # (num_segments,)
    return (place == tf.gather(first, segment)) & (tf.gather(before, segment) > ranks)
