"""The order of samples: the row that each sample of a run uses."""

from collections.abc import Sequence

import numpy as np

from keras_roberta.data.corpus.language_sampling import LanguageSchedule
from keras_roberta.data.stateless import hash64, permuted


class Endless:
    """An endless order of samples, for training.

    Each language has its share of the samples. The rows of a language are used epoch after epoch,
    in a different random order in each epoch.

    Args:
        num_rows: (languages,), the number of rows of each language.
        shares: (languages,), with the sum 1.
        seed: seed of the order.
    """

    def __init__(self, num_rows: Sequence[int], shares: Sequence[float], seed: int | np.integer):
        self._num_rows, self._seed = num_rows, seed
        self._schedule = LanguageSchedule(shares, seed)

    def __call__(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The language, epoch and row of each sample.

        Args:
            samples: integers (n,), numbers of samples, from 0.

        Returns:
            languages, epochs, rows: int64 (n,) each.
        """
        languages, numbers = self._schedule(samples)
        epochs, rows = np.empty_like(numbers), np.empty_like(numbers)
        for language in np.unique(languages):
            here, size = languages == language, self._num_rows[language]
            epochs[here], places = np.divmod(numbers[here], size)
            rows[here] = permuted(places, size, hash64(self._seed, language, epochs[here]))
        return languages, epochs, rows


class Once:
    """A random order with every row of every language once, for evaluation.

    The rows are spread evenly over the batches. Batches are filled up with empty samples, which
    have the language -1. All samples behind the last batch are empty, too.

    Args:
        num_rows: (languages,), the number of rows of each language.
        batch_size: samples in a batch.
        seed: seed of the order.

    Attributes:
        num_batches: number of batches that contain all rows.
    """

    def __init__(self, num_rows: Sequence[int], batch_size: int, seed: int | np.integer):
        self._ends, self._batch_size, self._seed = np.cumsum(num_rows), batch_size, seed
        self.num_batches = -(-int(self._ends[-1]) // batch_size)

    def __call__(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The language, epoch and row of each sample.

        Args:
            samples: integers (n,), numbers of samples, from 0.

        Returns:
            languages, epochs, rows: int64 (n,) each. All epochs are 0.
        """
        batches, places = np.divmod(np.asarray(samples, np.int64), self._batch_size)
        total = int(self._ends[-1])
        begin, end = (b * total // self.num_batches for b in (batches, batches + 1))
        numbers = begin + places
        present = numbers < np.minimum(end, total)
        numbers = permuted(np.where(present, numbers, 0), total, self._seed)
        languages = np.searchsorted(self._ends, numbers, side="right")
        rows = numbers - np.concatenate([[0], self._ends])[languages]
        return np.where(present, languages, -1), np.zeros_like(rows), rows
