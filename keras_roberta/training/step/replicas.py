"""Gradient transforms for steps on several replicas. With one replica they do nothing."""

import keras
import tensorflow as tf

from keras_roberta.training.step.batch import GradientFunction, map_gradients

# A replica's dropout draws from Keras's seed plus its number times this.
_SEEDS_APART = 1_000_003


def replica_seeds(gradient_fn: GradientFunction) -> GradientFunction:
    """A gradient transform that gives the dropout of each replica different seeds.

    Keras gives every replica the same seeds, so they would use the same masks for different rows.
    After the step the difference is subtracted again. So between steps the seeds are equal on all
    replicas, and a saved state does not depend on which replica saves it.
    """

    def gradients(model, batch):
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return gradient_fn(model, batch)
        seeds = [v for v in model.non_trainable_variables if v.name == "seed_generator_state"]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        apart = [tf.cast(replica, v.dtype) * tf.constant([_SEEDS_APART, 0], v.dtype) for v in seeds]
        for seed, number in zip(seeds, apart, strict=True):
            seed.assign(seed.value + number)
        result = gradient_fn(model, batch)
        for seed, number in zip(seeds, apart, strict=True):
            seed.assign(seed.value - number)
        return result

    return gradients


def fail_together(gradient_fn: GradientFunction) -> GradientFunction:
    """A gradient transform for float16: if one replica's gradients overflow, all become NaN.

    It is needed because `keras.optimizers.LossScaleOptimizer` checks only the first replica for
    gradients that are not finite.
    """

    def gradients(model, batch):
        result = gradient_fn(model, batch)
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        if not scaled or tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return result
        dense = [tf.convert_to_tensor(getattr(g, "values", g)) for g in result if g is not None]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in dense])
        failed = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, tf.cast(tf.logical_not(finite), tf.float32)
        )
        spoil = tf.where(failed > 0, float("nan"), 0.0)
        return map_gradients(lambda g: g + tf.cast(spoil, g.dtype), result)

    return gradients
