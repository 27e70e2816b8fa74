"""Dynamic masking for masked language modelling, vectorised over a batch."""

import tensorflow as tf


def mask_tokens(
    token_ids,
    maskable,
    *,
    num_predictions,
    vocabulary_size,
    mask_token_id,
    special_token_ids=(),
    mask_rate=0.15,
    mask_token_rate=0.8,
    random_token_rate=0.1,
    seed=None,
):
    """Hides some tokens and says which: drawn anew at every call (RoBERTa, section 4.1).

    Of each row `mask_rate` of the maskable tokens are chosen, the fraction rounded up or down at
    random as fairseq does, at most `num_predictions`. Of the chosen ones `mask_token_rate` become
    `<mask>`, `random_token_rate` another token, the rest stay as they are.

    Args:
        token_ids: int32 (batch, length)
        maskable: bool (batch, length), False at specials and padding.
        num_predictions: int, columns of the output, so that shapes are static.
        vocabulary_size: random tokens are drawn below it.
        mask_token_id: id of `<mask>`.
        special_token_ids: ids never drawn as random tokens.
        seed: int64 pair for stateless draws, or None.

    Returns:
        masked token ids, int32 (batch, length); mask positions, their true ids, int32, and their
        weights, float32 (1, or 0 for columns not used), each (batch, num_predictions). Positions
        ascend; unused columns point at 0.
    """
    seed = tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32) if seed is None else seed
    seeds = tf.random.split(seed, 4)
    batch, length = tf.unstack(tf.shape(token_ids))

    # Chosen: the tokens with the smallest draws; a token that may not be masked draws 2.
    draws = tf.random.stateless_uniform([batch, length], seeds[0])
    draws = tf.where(maskable, draws, 2.0)
    columns = tf.minimum(num_predictions, length)
    _, positions = tf.math.top_k(-draws, k=columns)  # (batch, columns), smallest draw first
    wanted = mask_rate * tf.reduce_sum(tf.cast(maskable, tf.float32), axis=1)
    wanted = tf.floor(wanted + tf.random.stateless_uniform([batch], seeds[1]))
    used = tf.cast(tf.range(columns), tf.float32) < wanted[:, None]

    # In the order of the text: unused columns sort behind every position.
    positions = tf.sort(tf.where(used, positions, length), axis=1)
    used = positions < length
    positions = tf.where(used, positions, 0)
    spare = [[0, 0], [0, num_predictions - columns]]
    positions, used = tf.pad(positions, spare), tf.pad(used, spare)
    labels = tf.gather(token_ids, positions, batch_dims=1)  # (batch, num_predictions)

    fate = tf.random.stateless_uniform(tf.shape(labels), seeds[2])
    ordinary = [i for i in range(vocabulary_size) if i not in {*special_token_ids, mask_token_id}]
    random_ids = tf.gather(
        tf.constant(ordinary, tf.int32),
        tf.random.stateless_uniform(tf.shape(labels), seeds[3], 0, len(ordinary), tf.int32),
    )
    replacement = tf.where(fate < mask_token_rate + random_token_rate, random_ids, labels)
    replacement = tf.where(fate < mask_token_rate, mask_token_id, replacement)

    # Scatter; unused columns go to a spare column past the end.
    rows = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(positions))
    target = tf.stack([rows, tf.where(used, positions, length)], axis=-1)
    masked = tf.tensor_scatter_nd_update(tf.pad(token_ids, [[0, 0], [0, 1]]), target, replacement)
    return (
        masked[:, :length],
        positions,
        labels * tf.cast(used, tf.int32),
        tf.cast(used, tf.float32),
    )
