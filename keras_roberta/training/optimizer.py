"""AdamW as RoBERTa's recipes use it, updated in one compiled pass."""

import keras

from keras_roberta.training.schedules import LinearWarmupDecay

# Biases and the gains and shifts of layer norms: decay would pull a scale towards 0.
NOT_DECAYED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` without decay of biases and layer norms, compiled by XLA.

    The update reads and writes every weight and both moments. As separate operations that is some
    fifteen passes over memory; compiled it is one, whatever the shapes of the batch, so it is
    compiled on its own even where the rest of the step is not. Under a distribution strategy Keras
    needs the plain update, and gets it.

    Args:
        not_decayed: a weight is not decayed if its path contains one of these.
        Others: as `keras.optimizers.AdamW`.
    """

    def __init__(self, *args, not_decayed=NOT_DECAYED, **kwargs):
        super().__init__(*args, **kwargs)
        self.not_decayed = tuple(not_decayed)
        self.exclude_from_weight_decay(var_names=list(self.not_decayed))
        self._compiled = {}

    def apply(self, grads, trainable_variables=None):
        if keras.backend.backend() != "tensorflow":
            return super().apply(grads, trainable_variables)
        import tensorflow as tf

        if tf.distribute.has_strategy():
            return super().apply(grads, trainable_variables)
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
        trainable_variables = list(trainable_variables)
        if not self.built:
            self.build(trainable_variables)
        # Dense here: the rows of a sparse gradient differ from batch to batch, and each number of
        # rows would be compiled anew.
        grads = [g if g is None else tf.convert_to_tensor(g) for g in grads]
        self._compiled_update(trainable_variables)(grads)

    def _compiled_update(self, variables):
        """The update of these variables as one XLA program, kept between traces of the step."""
        import tensorflow as tf

        key = tuple(map(id, variables))
        if key not in self._compiled:
            apply = super().apply
            self._compiled[key] = tf.function(
                lambda grads: apply(grads, variables), jit_compile=True, autograph=False
            )
        return self._compiled[key]

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
