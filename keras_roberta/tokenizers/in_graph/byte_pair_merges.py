"""Byte-pair merges in all words of all texts at once.

Byte-pair encoding merges, in each word, the adjacent pair of lowest rank, the leftmost of several
(Sennrich et al., "Neural machine translation of rare words with subword units", 2016). Here a round
merges in parallel every pair that this order is sure to merge, and the rounds go on until no pair
is left.

Which pairs are sure? Let `reach` be the length in bytes of the longest token that has a byte of the
word in it. What could take `left` or `right` away from a pair before its turn is a longer token
that ends or begins there. That token has to be built first, from symbols no further than `reach`
bytes away, and its first step is one of the pairs that are there now. So a pair whose rank is the
lowest within `reach` bytes to either side in its word will be merged. Words longer than that are
cut into segments of `reach` bytes, and a pair is held against the lowest rank in its own segment
and the two beside it.

Hence the rounds depend on what a few segments hold, not on the length of a word, and the time is
linear in the bytes. With RoBERTa's merges: 16 rounds for 6,000 English sentences, 2 for a megabyte
of one letter, 60 for a megabyte of random letters, 94 for a megabyte of tokens without a space, the
worst that was found. Each round looks up every remaining pair once; words in which no pair is
left are taken out.

Pairs of equal rank that overlap (a a a) are merged from the left: the first, the third, ... of
their run. All others of equal rank merge together, except those whose product takes part in a merge
of lower rank (`MergeTable.out_of_order`): these go one at a time.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import following, keep_where, look_up, previous


def merge_bytes(token_ids, starts, table, size=None):
    """Merges until nothing is left to merge.

    Args:
        token_ids: int32 [n], the tokens of single bytes.
        starts: bool [n], the places where a word begins.
        table: MergeTable.
        size: n, if it is static.

    Returns:
        int32 [n]: 1 + the id of each token at the place of its first byte, 0 elsewhere.
    """
    n = tf.size(token_ids) if size is None else size
    word = tf.cumsum(tf.cast(starts, tf.int32))  # (n,)
    reach = tf.math.unsorted_segment_max(look_up(table.reach, token_ids), word, n + 1)
    segment_starts = starts | (tf.range(n) % look_up(reach, word) == 0)
    segment = tf.cumsum(tf.cast(segment_starts, tf.int32))  # (n,), from 1
    num_segments = (tf.reduce_sum(tf.cast(segment_starts, tf.int32)) if size is None else size) + 2
    # Does a segment continue the word of the one before it?
    continues = 0 < tf.math.unsorted_segment_max(
        tf.cast(segment_starts & ~starts, tf.int32), segment, num_segments
    )  # (num_segments,)
    is_continued = following(continues, fill=False)
    whole_word = ~(continues | is_continued)
    # A symbol's pair is the one with the symbol on its left. The first of a word has none: its
    # segment is negative. Places count from 1; at 0 is what `keep_where` puts behind the symbols.
    segment_at = tf.concat([[0], tf.where(starts, -segment, segment)], 0)  # (1 + n,)
    no_merge, finished = table.no_merge, table.no_merge + 1

    def rank_pairs(token_ids, places):
        segments = look_up(segment_at, places)
        ranks = table.rank(previous(token_ids), token_ids)
        return tf.abs(segments), tf.where(segments > 0, ranks, no_merge)

    def any_left(token_ids, places, segments, ranks, done):
        return tf.reduce_any(ranks < no_merge)

    def merge_once(token_ids, places, segments, ranks, done):
        lowest = tf.math.unsorted_segment_min(ranks, segments, num_segments)  # (num_segments,)
        before = tf.where(continues, previous(lowest), no_merge)
        after = tf.where(is_continued, following(lowest), no_merge)
        lowest = tf.minimum(lowest, tf.minimum(before, after))
        if size is None:
            lowest = tf.where(whole_word & (lowest == no_merge), finished, lowest)
        limit = look_up(lowest, segments)  # (symbols,)

        merges = (ranks == limit) & (ranks < no_merge)
        if table.out_of_order is not None:
            alone = look_up(table.out_of_order, ranks)
            merges &= ~alone | leftmost(ranks, merges, segments, before)
        merges = tf.cond(
            tf.reduce_any(merges & (ranks == previous(ranks))),
            lambda: every_other(ranks, merges),
            lambda: merges,
        )
        # The left symbol becomes the product, the right one goes.
        products = following(table.product(ranks))
        token_ids = tf.where(following(merges, fill=False), products, token_ids)
        keep = ~merges
        if size is None:  # words without a pair need not go through the rounds of the others
            leaves = limit == finished
            leaving, leaving_from = keep_where(leaves, token_ids, places)
            done = tf.tensor_scatter_nd_update(done, tf.expand_dims(leaving_from, 1), leaving + 1)
            keep &= ~leaves
        token_ids, places = keep_where(keep, token_ids, places, size=size)
        return token_ids, places, *rank_pairs(token_ids, places), done

    places = tf.range(1, n + 1)
    done = tf.zeros([n + 1], tf.int32)
    symbols = tf.TensorShape([size])
    token_ids, places, _, _, done = tf.while_loop(
        any_left,
        merge_once,
        [token_ids, places, *rank_pairs(token_ids, places), done],
        shape_invariants=[symbols] * 4 + [done.shape],
    )
    done += tf.scatter_nd(tf.expand_dims(places, 1), token_ids + 1, [n + 1])
    return tf.slice(done, [1], [n])


def every_other(ranks, merges):
    """Of a run of overlapping pairs (a a a a): the first, the third, ... if the first merges."""
    n = tf.size(ranks)
    place = tf.range(n)
    run = tf.cumsum(tf.cast(ranks != previous(ranks, fill=-1), tf.int32))  # (n,)
    first = look_up(tf.math.unsorted_segment_min(place, run, n + 1), run)  # (n,)
    return merges & ((place - first) % 2 == 0) & look_up(merges, first)


def leftmost(ranks, merges, segments, before):
    """The first merge of each segment, unless a pair of its rank waits in the segment before it."""
    place = tf.range(tf.size(ranks))
    first = tf.math.unsorted_segment_min(
        tf.where(merges, place, tf.int32.max), segments, tf.size(before)
    )  # (num_segments,)
    return (place == look_up(first, segments)) & (look_up(before, segments) > ranks)
