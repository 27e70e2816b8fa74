"""The rate of matrix products: those of a feed-forward layer in TensorFlow, forward and backward.

Asked by `benchmarks/pretrain_throughput.py`; see rounds.py.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import step_options as step


def main():
    import rounds
    import tensorflow as tf

    from keras_roberta.training import keep_freed_memory

    keep_freed_memory()  # as the peers that take whole steps do
    tokens = step.BATCH_SIZE * step.LENGTH
    hidden, wide = step.SHAPE["hidden_dim"], step.SHAPE["intermediate_dim"]
    tf.random.set_seed(0)
    x = tf.random.normal((tokens, hidden))
    weight = tf.random.normal((hidden, wide))
    upstream = tf.random.normal((tokens, wide))

    def products():
        for _ in range(step.REPEATS):
            tf.matmul(x, weight)
            tf.matmul(upstream, weight, transpose_b=True)
            tf.matmul(x, upstream, transpose_a=True)

    def run(steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            products()
            seconds.append(time.perf_counter() - start)
        return seconds

    run(2)
    rounds.serve(run)


if __name__ == "__main__":
    main()
