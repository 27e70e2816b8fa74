"""Gradients of a batch; forward and backward pass as one XLA program under any strategy.

Keras compiles the whole step, which fails under MirroredStrategy: a compiled program cannot reach
another device's variables (Keras issues 18145, 19005, 20763). Here the program gets the values of
the variables and gives back gradients and new values, so that it knows of no variables at all; the
optimizer, with its reduction over the replicas, runs outside.
"""

import contextlib
import logging

import keras
import tensorflow as tf

from keras_roberta.layers.compiled import one_program

logger = logging.getLogger("keras_roberta")

# A replica's dropout draws from Keras's seed plus its number times this.
_SEEDS_APART = 1_000_003
# More shapes than this are worth a warning: each is compiled.
MANY_SHAPES = 16


def batch_gradients(model, x, y, sample_weight, loss_scale):
    """Gradients of a model's loss, operation by operation; see `CompiledGradients`."""
    with dropout_of_replica(model), tf.GradientTape() as tape:
        loss = loss_and_metrics(model, x, y, sample_weight) * loss_scale
    return tape.gradient(loss, model.trainable_variables)


class CompiledGradients:
    """Gradients of a model's loss by one XLA program for each shape of batch.

    Args:
        model: a compiled `keras.Model`.
    """

    def __init__(self, model):
        self._model = model
        self._program = tf.function(self._run, jit_compile=True, autograph=False)
        self._shapes = set()
        self._warned = False

    def __call__(self, x, y, sample_weight, loss_scale):
        """Gradients of a batch, in a replica; the model's metrics are counted on the way.

        Args:
            x, y, sample_weight: the batch.
            loss_scale: float32 scalar that the gradients are multiplied by.

        Returns:
            list of dense tensors, one a trainable variable; None where the loss does not depend
            on it.
        """
        model = self._model
        self._watch_shape(tf.nest.flatten(x)[-1])  # of a dict, the token ids or as large
        with tf.init_scope():  # metrics make their variables at first use
            model._symbolic_build(data_batch=(x, y, sample_weight))
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        states = model.non_trainable_variables + model.metrics_variables
        with dropout_of_replica(model):
            values = [tf.convert_to_tensor(v.value) for v in states]
            gradients, changed = self._program(weights, values, x, y, sample_weight, loss_scale)
            for variable, value in zip(states, changed, strict=True):
                if value is not None:
                    variable.value.assign(value)
        return gradients

    def _run(self, weights, values, x, y, sample_weight, loss_scale):
        model = self._model
        states = model.non_trainable_variables + model.metrics_variables
        scope = keras.StatelessScope(
            [
                *zip(model.trainable_variables, weights, strict=True),
                *zip(states, values, strict=True),
            ]
        )
        with one_program():
            with scope, tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                loss = loss_and_metrics(model, x, y, sample_weight) * loss_scale
            gradients = tape.gradient(loss, weights)
        changed = [scope.get_current_value(v) for v in states]
        changed = [None if new is old else new for new, old in zip(changed, values, strict=True)]
        return [None if g is None else tf.convert_to_tensor(g) for g in gradients], changed

    def _watch_shape(self, tensor):
        if tensor.shape.is_fully_defined():
            self._count_shape(tensor.shape)
        else:  # known when the step runs
            tf.numpy_function(self._count_shape, [tf.shape(tensor)], [])

    def _count_shape(self, shape):
        self._shapes.add(tuple(int(size) for size in shape))
        if len(self._shapes) > MANY_SHAPES and not self._warned:
            self._warned = True
            logger.warning(
                "jit_compile=True compiles the step for each shape of batch, and there are more "
                "than %d: %s; pad batches to few lengths and drop a last smaller one, or give "
                "jit_compile=False",
                MANY_SHAPES,
                ", ".join("×".join(map(str, shape)) for shape in sorted(self._shapes)),
            )


def loss_and_metrics(model, x, y, sample_weight):
    """The loss of a batch, for this replica; counts it and the model's metrics."""
    y_pred = model(x, training=True)
    loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    rows = tf.shape(tf.nest.flatten(x)[0])[0]
    tracker = next(metric for metric in model.metrics if metric.name == "loss")  # Keras's is first
    tracker.update_state(loss * replicas, sample_weight=rows)
    model.compute_metrics(x, y, y_pred, sample_weight)
    return loss


@contextlib.contextmanager
def dropout_of_replica(model):
    """Within, a replica's dropout draws from seeds of its own.

    Keras gives every replica the same seeds, and so the same masks for different rows. The seeds
    are put back, moved on, so that between steps they are the same on all replicas and what is
    saved does not depend on which replica saves it.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        yield
        return
    seeds = [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    apart = [tf.cast(replica, v.dtype) * tf.constant([_SEEDS_APART, 0], v.dtype) for v in seeds]
    for seed, number in zip(seeds, apart, strict=True):
        seed.assign(seed.value + number)
    yield
    for seed, number in zip(seeds, apart, strict=True):
        seed.assign(seed.value - number)


def fail_together(gradients):
    """Gradients of a replica, with a NaN among them where any replica's are not finite.

    `keras.optimizers.LossScaleOptimizer` asks the first replica alone whether a step in float16
    overflowed.
    """
    dense = [tf.convert_to_tensor(getattr(g, "values", g)) for g in gradients if g is not None]
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in dense])
    failed = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, tf.cast(tf.logical_not(finite), tf.float32)
    )
    spoil = tf.where(failed > 0, float("nan"), 0.0)
    return [
        g if g is None or isinstance(g, tf.IndexedSlices) else g + tf.cast(spoil, g.dtype)
        for g in gradients
    ]
