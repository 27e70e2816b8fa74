"""How often each language is drawn, and in which order."""

import functools

import numpy as np

from keras_roberta.data.stateless import hash64

# Samples within which the shares hold exactly.
_BLOCK = 4096


def language_shares(sizes, alpha):
    """The share of each language: its size to the power of alpha, over the sum of all.

    Conneau et al. 2020 (XLM-R), section 3.1. A language without any text has no share.

    Args:
        sizes: {language: tokens, or whatever measures its text}

    >>> shares = language_shares({"en": 900, "sv": 100}, alpha=0.5)
    >>> round(shares["en"], 3), round(shares["sv"], 3)
    (0.75, 0.25)
    """
    powers = {language: size**alpha if size else 0.0 for language, size in sizes.items()}
    return {language: power / sum(powers.values()) for language, power in powers.items()}


class LanguageSchedule:
    """Which language each sample is in, and which sample of that language it is.

    In every block of 4,096 samples each language has its share, rounded, and at least one; the
    order within the block is drawn.

    Args:
        shares: (languages,), summing up to 1; those of 0 are left out.
    """

    def __init__(self, shares, seed):
        shares, self._seed = np.asarray(shares, np.float64), seed
        block = max(_BLOCK, 2 * len(shares))
        counts = np.where(shares > 0, np.maximum(1, np.floor(shares * block)), 0).astype(int)
        # What rounding left goes to those that lost most by it; what it took, the largest gives.
        for language in np.argsort(counts - shares * block, kind="stable"):
            counts[language] += (shares[language] > 0) and counts.sum() < block
        counts[np.argmax(counts)] -= counts.sum() - block
        self._counts, self._languages = counts, np.repeat(np.arange(len(shares)), counts)
        self._block = functools.lru_cache(maxsize=8)(self._draw_block)

    def __call__(self, samples):
        """(language, number within the language) of samples, all int64 (n,)."""
        blocks, places = np.divmod(np.asarray(samples, np.int64), len(self._languages))
        languages, numbers = np.empty_like(places), np.empty_like(places)
        for block in np.unique(blocks):
            here = blocks == block
            order, ranks = self._block(int(block))
            languages[here] = order[places[here]]
            numbers[here] = block * self._counts[languages[here]] + ranks[places[here]]
        return languages, numbers

    def _draw_block(self, block):
        size = len(self._languages)
        order = self._languages[np.argsort(hash64(self._seed, block, np.arange(size)))]
        ranks = np.empty(size, np.int64)
        by_language = np.argsort(order, kind="stable")
        ranks[by_language] = np.arange(size) - np.repeat(
            np.cumsum(self._counts) - self._counts, self._counts
        )
        return order, ranks
