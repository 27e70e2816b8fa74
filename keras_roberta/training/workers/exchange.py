"""Messages between the workers of a strategy, outside of a training step."""

import numpy as np
import tensorflow as tf

from keras_roberta.training.workers.multi_worker import WorkerRank


class Exchange:
    """Lets workers tell each other numbers. Every worker makes the same calls in the same order.

    All goes as 32-bit integers that are summed up, zeros from those who have nothing to say, so
    that any number arrives bit by bit. With one worker nothing is sent.

    Args:
        strategy: a `tf.distribute.Strategy`.

    >>> exchange = Exchange(tf.distribute.get_strategy())
    >>> exchange([1.5, 2.0]).tolist(), exchange.of_chief([3]).tolist()
    ([[1.5, 2.0]], [3])
    """

    def __init__(self, strategy):
        self.rank = WorkerRank.of(strategy)
        self._strategy = strategy
        self._first = self.rank.replicas(strategy).start
        self._program = tf.function(
            self._run, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False
        )

    def __call__(self, numbers):
        """The numbers of every worker.

        Args:
            numbers: floats, as many as on the other workers.

        Returns:
            float64 (num_workers, len(numbers))
        """
        table = np.zeros((self.rank.num_workers, len(numbers)))
        table[self.rank.index] = numbers
        return self._sum(table)

    def of_chief(self, array):
        """The chief's array, on all workers.

        Args:
            array: of numbers; the others give one of the same shape and type, with any values.
        """
        array = np.asarray(array)
        return self._sum(array if self.rank.is_chief else np.zeros_like(array))

    def bytes_of_chief(self, text):
        """The chief's bytes, on all workers; the others give anything."""
        (size,) = self.of_chief(np.array([len(text)]))
        array = np.frombuffer(text, np.uint8) if self.rank.is_chief else np.zeros(size, np.uint8)
        return self.of_chief(array).tobytes()

    def _sum(self, array):
        """The sum over workers of the 32-bit words of an array, of which one worker's are not 0."""
        if self.rank.num_workers == 1:
            return array
        content = array.tobytes()
        words = np.frombuffer(content + bytes(-len(content) % 4), np.int32)
        total = self._program(words).numpy().tobytes()[: len(content)]
        return np.frombuffer(total, array.dtype).reshape(array.shape)

    def _run(self, words):
        def in_replica():
            replica = tf.distribute.get_replica_context()
            speaks = replica.replica_id_in_sync_group == self._first  # one a worker
            mine = tf.where(speaks, words, tf.zeros_like(words))
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, mine)

        return self._strategy.experimental_local_results(self._strategy.run(in_replica))[0]
