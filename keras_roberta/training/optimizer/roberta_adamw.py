"""AdamW as RoBERTa's recipes use it, updated in one compiled pass."""

import dataclasses
import functools

import keras

from keras_roberta.training.finetuning_recipe import LEARNING_RATE, WARMUP, WEIGHT_DECAY
from keras_roberta.training.optimizer.schedules import warmup_and_decay

# Biases and the gains and shifts of layer norms: decay would pull a scale towards 0.
NOT_DECAYED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` without decay of biases and layer norms, in few passes over memory.

    On TensorFlow the update is `adamw_update`'s: the same numbers, from one compiled program that
    reads and writes each weight and its moments once. A step whose gradient is not finite changes
    nothing but `iterations`, and is counted in `skipped_steps`. Other backends, weights in other
    types than float32 or with constraints, and the arguments of Keras's AdamW that RoBERTa's
    recipes do not use (`amsgrad`, `use_ema`, `clipnorm`, `clipvalue`,
    `gradient_accumulation_steps`) get Keras's own update.

    Args:
        not_decayed: a weight is not decayed if its path contains one of these.
        Others: as `keras.optimizers.AdamW`.

    Attributes:
        skipped_steps: int variable.
    """

    def __init__(self, *args, not_decayed=NOT_DECAYED, **kwargs):
        super().__init__(*args, **kwargs)
        self.not_decayed = tuple(not_decayed)
        self.exclude_from_weight_decay(var_names=list(self.not_decayed))
        self._updates = {}
        self._fast = False

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.skipped_steps = self.add_variable((), "zeros", "int", name="skipped_steps")
        self._touched = {}
        # Decided once: rows that Keras's update moved would not be known as touched.
        self._fast = self._is_fast(variables)
        if self._fast:
            from keras_roberta.training.optimizer.adamw_update import is_table

            for variable in filter(is_table, variables):
                self._touched[self._get_variable_index(variable)] = self.add_variable(
                    variable.shape[:1], "zeros", "bool", name="touched"
                )

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is not None:
            self.build(list(trainable_variables))
        if not self._fast or len(grads) == 0:
            return super().apply(grads, trainable_variables)
        variables = list(trainable_variables or self._trainable_variables)
        self._check_variables_are_known(variables)
        self._apply_fast(*self._filter_empty_gradients(grads, variables))

    def _is_fast(self, variables):
        """Whether the update is `adamw_update`'s."""
        others = (
            self.amsgrad,
            self.use_ema,
            self.clipnorm,
            self.clipvalue,
            self.loss_scale_factor,
            self.gradient_accumulation_steps,
        )
        plain = all(
            isinstance(v, keras.Variable)
            and v.dtype == "float32"
            and v.constraint is None
            and not self._overwrite_variable_with_gradient(v)
            for v in variables
        )
        return keras.backend.backend() == "tensorflow" and plain and not any(others)

    def _apply_fast(self, gradients, variables):
        import tensorflow as tf

        from keras_roberta.training.optimizer.adamw_update import Slot

        slots = [
            Slot(
                variable.value,
                self._momentums[i].value,
                self._velocities[i].value,
                bool(self.weight_decay) and self._use_weight_decay(variable),
                self._touched[i].value if i in self._touched else None,
            )
            for variable in variables
            for i in [self._get_variable_index(variable)]
        ]
        if tf.distribute.has_strategy():  # with one replica, too: the variables are wrapped
            merge = functools.partial(self._apply_in_replicas, slots=slots)
            tf.distribute.get_replica_context().merge_call(merge, args=(gradients,))
        else:
            self._update(slots, gradients, self.skipped_steps.value)
            self._iterations.assign_add(1)

    def _apply_in_replicas(self, strategy, gradients, slots):
        """Adds up the replicas' gradients and updates each replica's copy of the variables."""
        import tensorflow as tf

        weights = [slot.weight for slot in slots]
        gradients = strategy.extended.batch_reduce_to(
            tf.distribute.ReduceOp.SUM, list(zip(gradients, weights, strict=True))
        )
        moments = [(slot.m, slot.v) for slot in slots]
        touched = [slot.touched for slot in slots]

        def update(_, weights, moments, touched, gradients, skipped_steps):
            local = [
                dataclasses.replace(slot, weight=w, m=m, v=v, touched=t)
                for slot, w, (m, v), t in zip(slots, weights, moments, touched, strict=True)
            ]
            self._update(local, gradients, skipped_steps)

        strategy.extended.update(
            weights[0],
            update,
            args=(weights, moments, touched, gradients, self.skipped_steps.value),
        )
        self._iterations.assign_add(1)

    def _update(self, slots, gradients, skipped_steps):
        """Updates variables of one device from their whole gradients."""
        import tensorflow as tf

        from keras_roberta.training.optimizer.adamw_update import (
            AdamWUpdate,
            Constants,
            global_norm,
            merge_rows,
        )

        # Kept between traces of the step: what is compiled does not depend on a batch's shape. An
        # id stays its variable's, since the update holds the variable.
        key = tuple(id(slot.weight) for slot in slots)
        if key not in self._updates:
            self._updates[key] = AdamWUpdate(slots)
        gradients = [merge_rows(g, slot.weight) for g, slot in zip(gradients, slots, strict=True)]
        norm = global_norm(gradients)
        step = tf.cast(self.iterations + 1, "float32")
        rate = tf.cast(self.learning_rate, "float32")
        correction = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        clip = self.global_clipnorm
        constants = Constants(
            self.beta_1,
            self.beta_2,
            self.epsilon,
            gradient_scale=clip / tf.maximum(norm, clip) if clip else tf.ones(()),
            rate=rate * correction,
            keep=1 - rate * (self.weight_decay or 0.0),
        )

        def skip():
            skipped_steps.assign_add(1)

        tf.cond(tf.math.is_finite(norm), lambda: self._updates[key](gradients, constants), skip)

    def get_config(self):
        return {**super().get_config(), "not_decayed": list(self.not_decayed)}


def finetuning_optimizer(
    learning_rate=LEARNING_RATE,
    total_steps=None,
    warmup=WARMUP,
    weight_decay=WEIGHT_DECAY,
    beta_2=0.98,
    epsilon=1e-6,
    clip_norm=1.0,
):
    """RoBERTa's optimizer for fine-tuning (Liu et al., 2019, table 10).

    Args:
        learning_rate: the peak, or a Keras schedule of your own.
        total_steps, warmup: see `LinearWarmupDecay`; with None `fit` spreads the schedule itself.
        weight_decay: decoupled; not applied to biases and layer norms.
        clip_norm: bound on the norm of all gradients together; None for no clipping.

    Returns:
        `RobertaAdamW`
    """
    return RobertaAdamW(
        warmup_and_decay(learning_rate, total_steps, warmup),
        weight_decay=weight_decay,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
    )
