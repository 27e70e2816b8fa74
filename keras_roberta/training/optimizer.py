"""AdamW as RoBERTa's recipes use it, updated in one compiled pass."""

import keras

from keras_roberta.training.schedules import LinearWarmupDecay

# Biases and the gains and shifts of layer norms: decay would pull a scale towards 0.
NOT_DECAYED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` without decay of biases and layer norms, in few passes over memory.

    On TensorFlow the update is `adamw_update`'s, which gives the same numbers in a third of the
    time. A step whose gradient is not finite changes nothing but `iterations`, and is counted in
    `skipped_steps`. Other backends, `jit_compile=True` of a plain `keras.Model`, and the arguments
    of Keras's AdamW that RoBERTa's recipes do not use (`amsgrad`, `use_ema`, `clipnorm`,
    `clipvalue`, `gradient_accumulation_steps`) get Keras's own update.

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

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.skipped_steps = self.add_variable((), "zeros", "int32", name="skipped_steps")
        self._touched = {}
        if self._is_fast():
            from keras_roberta.training.adamw_update import is_table

            for variable in filter(is_table, variables):
                self._touched[self._get_variable_index(variable)] = self.add_variable(
                    variable.shape[:1], "zeros", "bool", name="touched"
                )

    def apply(self, grads, trainable_variables=None):
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
        if not self._is_fast():
            return super().apply(grads, trainable_variables)
        self.build(list(trainable_variables))
        given = [(g, v) for g, v in zip(grads, trainable_variables, strict=True) if g is not None]
        if not given:
            raise ValueError("no variable has a gradient")
        self._apply_fast(*zip(*given, strict=True))

    def _is_fast(self):
        """Whether the update is `adamw_update`'s."""
        others = (
            self.amsgrad,
            self.use_ema,
            self.clipnorm,
            self.clipvalue,
            self.loss_scale_factor,
            self.gradient_accumulation_steps,
        )
        return keras.backend.backend() == "tensorflow" and not any(others)

    def _apply_fast(self, gradients, variables):
        import tensorflow as tf

        from keras_roberta.training import adamw_update

        update = self._update_of(variables)
        gradients = list(map(adamw_update.merge_rows, gradients, variables))
        norm = adamw_update.global_norm(gradients)
        step = tf.cast(self.iterations + 1, "float32")
        rate = tf.cast(self.learning_rate, "float32")
        correction = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        clip = self.global_clipnorm
        constants = adamw_update.Constants(
            self.beta_1,
            self.beta_2,
            self.epsilon,
            gradient_scale=clip / tf.maximum(norm, clip) if clip else tf.ones(()),
            rate=rate * correction,
            keep=1 - rate * (self.weight_decay or 0.0),
        )

        def skip():
            self.skipped_steps.assign_add(1)

        tf.cond(tf.math.is_finite(norm), lambda: update(gradients, constants), skip)
        self._iterations.assign_add(1)

    def _update_of(self, variables):
        """The `AdamWUpdate` of these variables, kept between traces of the step: what it compiles
        does not depend on the shapes of a batch."""
        from keras_roberta.training.adamw_update import AdamWUpdate, Slot

        indices = tuple(map(self._get_variable_index, variables))
        if indices not in self._updates:
            slots = [
                Slot(
                    variable.value,
                    self._momentums[i].value,
                    self._velocities[i].value,
                    bool(self.weight_decay) and self._use_weight_decay(variable),
                    self._touched[i].value if i in self._touched else None,
                )
                for i, variable in zip(indices, variables, strict=True)
            ]
            self._updates[indices] = AdamWUpdate(slots)
        return self._updates[indices]

    def get_config(self):
        return {**super().get_config(), "not_decayed": list(self.not_decayed)}


def finetuning_optimizer(
    learning_rate=1e-4,
    total_steps=None,
    warmup=0.06,
    weight_decay=0.1,
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
    if isinstance(learning_rate, (int, float)):
        learning_rate = LinearWarmupDecay(learning_rate, total_steps, warmup)
    return RobertaAdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
    )
