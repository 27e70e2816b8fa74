"""Messages between the workers of a strategy, outside of a training step."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_roberta.training.workers.multi_worker import WorkerRank


class Exchange:
    """Sends numbers between workers.

    Every worker must make the same calls in the same order. Values are sent as 32-bit integers
    and summed over the workers, of which all but one send zeros. So every value arrives exactly.
    With a single worker nothing is sent.

    Args:
        strategy: the strategy that the workers share.

    Attributes:
        rank: the `WorkerRank` of this process.

    >>> exchange = Exchange(tf.distribute.get_strategy())
    >>> exchange([1.5, 2.0]).tolist(), exchange.of_chief([3]).tolist()
    ([[1.5, 2.0]], [3])
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.rank = WorkerRank.of(strategy)
        self._strategy = strategy
        self._first = self.rank.replicas(strategy).start
        self._program = tf.function(
            self._run, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False
        )

    def __call__(self, numbers: Sequence[float]) -> np.ndarray:
        """Returns the numbers of all workers to every worker.

        Args:
            numbers: this worker's numbers. Every worker gives equally many.

        Returns:
            float64 (num_workers, len(numbers))
        """
        table = np.zeros((self.rank.num_workers, len(numbers)))
        table[self.rank.index] = numbers
        return self._sum(table)

    def of_chief(self, array: np.ndarray | Sequence[float]) -> np.ndarray:
        """Returns the chief's array to every worker.

        Args:
            array: numbers. The other workers give an array of the same shape and type; its values
                are ignored.
        """
        array = np.asarray(array)
        return self._sum(array if self.rank.is_chief else np.zeros_like(array))

    def bytes_of_chief(self, text: bytes) -> bytes:
        """Returns the chief's bytes to every worker; those of the others are ignored."""
        (size,) = self.of_chief(np.array([len(text)]))
        array = np.frombuffer(text, np.uint8) if self.rank.is_chief else np.zeros(size, np.uint8)
        return self.of_chief(array).tobytes()

    def _sum(self, array):
        """Sums an array over the workers as 32-bit words; each is 0 on all workers but one."""
        if self.rank.num_workers == 1:
            return array
        content = array.tobytes()
        words = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
        total = self._program(words).numpy().tobytes()[: len(content)]
        return np.frombuffer(total, array.dtype).reshape(array.shape)

    def _run(self, words):
        def in_replica():
            replica = tf.distribute.get_replica_context()
            speaks = replica.replica_id_in_sync_group == self._first  # one for each worker
            mine = tf.where(speaks, words, tf.zeros_like(words))
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, mine)

        return self._strategy.experimental_local_results(self._strategy.run(in_replica))[0]
