"""Byte-pair merges in all words of all texts at once.

Byte-pair encoding repeatedly merges the adjacent pair of lowest rank in a word, and the leftmost of
equal ones (Sennrich et al., "Neural machine translation of rare words with subword units", 2016).
The rounds here give the same result. Each round merges in parallel all pairs that are certain to be
merged in that order. Rounds are repeated until no pair is left.

Which pairs are certain? Let `reach` be the length in bytes of the longest token that contains a
byte of the word. A pair (left, right) fails to merge only if one of its symbols first joins
another token. That token is built from symbols at most `reach` bytes away, and the first step is to
merge one of the present pairs. So a pair is certain to be merged if its rank is the lowest within
`reach` bytes on both sides in its word. Words longer than `reach` are cut into segments of `reach`
bytes, and a pair is compared with the lowest rank in its own segment and the two next to it.

So the number of rounds depends on the content of a few segments, not on the length of a word, and
the time is linear in the number of bytes. With RoBERTa's merges: 16 rounds for 6,000 English
sentences, 2 for a megabyte of one letter, 60 for a megabyte of random letters, and 94 for a
megabyte of tokens without a space, the worst case found. Each round looks up every remaining pair
once. Words without a pair are taken out.

Overlapping pairs of equal rank (a a a) are merged from the left: the first, the third, ... of their
run. Other pairs of equal rank merge at the same time, except if their product is part of a merge of
lower rank (`MergeTable.out_of_order`). Such pairs merge one at a time.
"""

import tensorflow as tf

from keras_roberta.tokenizers.in_graph.merge_table import MergeTable
from keras_roberta.tokenizers.in_graph.vectors import following, keep_where, look_up, previous


def merge_bytes(
    token_ids: tf.Tensor, starts: tf.Tensor, table: MergeTable, size: int | None = None
) -> tf.Tensor:
    """Merges the bytes of all words until no pair is left.

    Args:
        token_ids: int32 [n], the tokens of single bytes.
        starts: bool [n], whether a word begins at a byte.
        table: the merges.
        size: n if it is static, else None.

    Returns:
        int32 [n]: 1 + id of each token, at its first byte; 0 at all other bytes
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
    # The pair of a symbol is the one with the symbol on its left. The first symbol of a word has
    # none, and its segment is negative. Places count from 1, since `keep_where` puts zeros behind
    # the symbols.
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
        # The left symbol becomes the product, and the right one is removed.
        products = following(table.product(ranks))
        token_ids = tf.where(following(merges, fill=False), products, token_ids)
        keep = ~merges
        if size is None:  # words without a pair leave; the other words need more rounds
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


def every_other(ranks: tf.Tensor, merges: tf.Tensor) -> tf.Tensor:
    """Selects the first, third, ... pair of each run of overlapping pairs (a a a a).

    Args:
        ranks: int32 [symbols], the rank of each pair.
        merges: bool [symbols], whether each pair may merge.

    Returns:
        bool [symbols]; no pair of a run is selected unless its first pair may merge
    """
    n = tf.size(ranks)
    place = tf.range(n)
    run = tf.cumsum(tf.cast(ranks != previous(ranks, fill=-1), tf.int32))  # (n,)
    first = look_up(tf.math.unsorted_segment_min(place, run, n + 1), run)  # (n,)
    return merges & ((place - first) % 2 == 0) & look_up(merges, first)


def leftmost(
    ranks: tf.Tensor, merges: tf.Tensor, segments: tf.Tensor, before: tf.Tensor
) -> tf.Tensor:
    """Selects the first merge of each segment, if it has a lower rank than the segment before.

    Args:
        ranks: int32 [symbols], the rank of each pair.
        merges: bool [symbols], whether each pair may merge.
        segments: int32 [symbols], the segment of each pair.
        before: int32 [num_segments], the lowest rank in the segment before each segment.

    Returns:
        bool [symbols]
    """
    place = tf.range(tf.size(ranks))
    first = tf.math.unsorted_segment_min(
        tf.where(merges, place, tf.int32.max), segments, tf.size(before)
    )  # (num_segments,)
    return (place == look_up(first, segments)) & (look_up(before, segments) > ranks)
