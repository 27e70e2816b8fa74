"""How often each language is sampled, and in which order."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from keras_roberta.data.stateless import hash64

# In each block of this many samples, the shares of the languages are exact.
_BLOCK = 4096


def language_shares(sizes: Mapping[str, float], alpha: float) -> dict[str, float]:
    """The share of each language: size ** alpha, divided by the sum over all languages.

    As in XLM-R (Conneau et al. 2020, section 3.1). The share of a language without text is 0.

    Args:
        sizes: {language: size of its text, in tokens or another unit}
        alpha: exponent. 1 keeps the proportions; 0 makes all shares equal.

    Returns:
        {language: share}; the shares sum to 1.

    >>> shares = language_shares({"en": 900, "sv": 100}, alpha=0.5)
    >>> round(shares["en"], 3), round(shares["sv"], 3)
    (0.75, 0.25)
    """
    powers = {language: size**alpha if size else 0.0 for language, size in sizes.items()}
    return {language: power / sum(powers.values()) for language, power in powers.items()}


class LanguageSchedule:
    """Assigns a language to each sample of an endless sequence.

    In every block of 4,096 samples, each language has its share, rounded, but at least one sample.
    The order within a block is random.

    Args:
        shares: (languages,), with the sum 1. A language with the share 0 is never used.
        seed: seed of the order.
    """

    def __init__(self, shares: np.ndarray | Sequence[float], seed: int | np.integer):
        shares, self._seed = np.asarray(shares, np.float64), seed
        block = max(_BLOCK, 2 * len(shares))
        counts = np.where(shares > 0, np.maximum(1, np.floor(shares * block)), 0).astype(int)
        # Samples left by rounding go to the languages that lost most by it. If there are too many
        # samples, the largest language gets fewer.
        for language in np.argsort(counts - shares * block, kind="stable"):
            counts[language] += (shares[language] > 0) and counts.sum() < block
        counts[np.argmax(counts)] -= counts.sum() - block
        self._counts, self._languages = counts, np.repeat(np.arange(len(shares)), counts)
        self._block = functools.lru_cache(maxsize=8)(self._draw_block)

    def __call__(self, samples: np.ndarray | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The languages of some samples.

        Args:
            samples: integers (n,), numbers of samples, from 0.

        Returns:
            languages: int64 (n,), indices into `shares`.
            numbers: int64 (n,), the sample's number among those of its language, from 0.
        """
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
