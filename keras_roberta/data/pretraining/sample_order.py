"""Which row each sample of a run is."""

import numpy as np

from keras_roberta.data.corpus.language_sampling import LanguageSchedule
from keras_roberta.data.stateless import hash64, permuted


class Endless:
    """Languages by their shares; within a language epoch after epoch, each in another order.

    Args:
        num_rows: (languages,)
        shares: (languages,), summing up to 1.
    """

    def __init__(self, num_rows, shares, seed):
        self._num_rows, self._seed = num_rows, seed
        self._schedule = LanguageSchedule(shares, seed)

    def __call__(self, samples):
        """(language, epoch, row) of samples, each int64 (n,)."""
        languages, numbers = self._schedule(samples)
        epochs, rows = np.empty_like(numbers), np.empty_like(numbers)
        for language in np.unique(languages):
            here, size = languages == language, self._num_rows[language]
            epochs[here], places = np.divmod(numbers[here], size)
            rows[here] = permuted(places, size, hash64(self._seed, language, epochs[here]))
        return languages, epochs, rows


class Once:
    """Every row of every language once, in a drawn order, spread evenly over batches.

    Language -1 fills up the batches, and is all there is past the end.

    Args:
        num_rows: (languages,)
        batch_size: samples a batch.
    """

    def __init__(self, num_rows, batch_size, seed):
        self._ends, self._batch_size, self._seed = np.cumsum(num_rows), batch_size, seed
        self.num_batches = -(-int(self._ends[-1]) // batch_size)

    def __call__(self, samples):
        """(language, epoch, row) of samples, each int64 (n,)."""
        batches, places = np.divmod(np.asarray(samples, np.int64), self._batch_size)
        total = int(self._ends[-1])
        begin, end = (b * total // self.num_batches for b in (batches, batches + 1))
        numbers = begin + places
        present = numbers < np.minimum(end, total)
        numbers = permuted(np.where(present, numbers, 0), total, self._seed)
        languages = np.searchsorted(self._ends, numbers, side="right")
        rows = numbers - np.concatenate([[0], self._ends])[languages]
        return np.where(present, languages, -1), np.zeros_like(rows), rows
