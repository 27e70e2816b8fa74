"""The likeliest tokens for a `<mask>`, of its logits."""

import numpy as np

# The logit of a row of the embedding that no token has: none is chosen, and its share is 0. It has
# a place in half precision.
NO_TOKEN = -1e4


def mask_candidates(
    logits: np.ndarray, has_token: np.ndarray, top_k: int, among: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The candidates of masks, the likeliest first.

    Args:
        logits: (rows, masks, vocabulary_size)
        has_token: bool (vocabulary_size,), the rows of the embedding that a token has; only these
            are candidates.
        top_k: candidates for each mask.
        among: int (candidates,), or (rows, masks, candidates), the only ids to choose from; fewer
            than `top_k` give fewer.

    Returns:
        `token_ids` int32, `scores` float32, their probabilities among all tokens, and `logits`
        float32, each (rows, masks, top_k)
    """
    logits = logits.astype("float32")
    logits[..., ~has_token] = NO_TOKEN
    order = _likeliest(logits, top_k, among)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return {
        "token_ids": order.astype("int32"),
        "scores": np.take_along_axis(shares, order, -1),
        "logits": np.take_along_axis(logits, order, -1),
    }


def _likeliest(logits, top_k, among=None):
    """Ids of the largest of logits (..., vocabulary_size), the largest first: int (..., top_k).

    Args:
        among: int (candidates,) or (..., candidates), the only ids to choose from; fewer than
            `top_k` give fewer.
    """
    if among is not None:
        among = np.broadcast_to(among, (*logits.shape[:-1], np.shape(among)[-1]))
        order = _likeliest(np.take_along_axis(logits, among, -1), top_k)
        return np.take_along_axis(among, order, -1)
    return np.argsort(-logits, axis=-1, kind="stable")[..., :top_k]
