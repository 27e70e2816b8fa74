"""AdamW for RoBERTa's recipes, with the whole update in one compiled program."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_roberta.errors import InputError
from keras_roberta.training.finetuning_recipe import LEARNING_RATE, WARMUP, WEIGHT_DECAY
from keras_roberta.training.keras_internals import (
    adam_moments,
    built_variables,
    check_known,
    decays,
    drop_missing_gradients,
    is_overwritten,
    learning_rate_schedule,
    moving_averages,
    set_learning_rate_schedule,
    variable_index,
)
from keras_roberta.training.optimizer.rate_multipliers import RateMultipliers
from keras_roberta.training.optimizer.schedules import warmup_and_decay

_BY_SCHEDULE = -1.0

# Biases, and the scales and offsets of layer norms: decay would pull a scale towards 0.
NOT_DECAYED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaAdamW(keras.optimizers.AdamW):
    """A faster `keras.optimizers.AdamW` that does not decay biases and layer norms.

    With TensorFlow, one compiled program updates all weights. It reads and writes each weight, its
    moments and its moving average once, and the results are those of Keras's AdamW. If the
    gradient of a step is not finite, the step changes only `iterations` and `skipped_steps`.

    Keras's own, slower update is used in these cases:

    - another backend than TensorFlow;
    - weights that are not float32, or that have a constraint;
    - the arguments `amsgrad`, `clipnorm`, `clipvalue`, `loss_scale_factor` or
      `gradient_accumulation_steps`, which RoBERTa's recipes do not use.

    Args:
        not_decayed: a weight is not decayed if its name contains one of these strings.
        learning_rate_multipliers: factors of the learning rate for some weights, both in the
            update and in the weight decay. 0 freezes a weight. Either a dict of regular
            expressions to factors, or a function from a weight's path to its factor. In a dict,
            the first expression that is found in the path counts, and a weight without one has
            the factor 1. A weight that layers share has the path of the first of them. A function
            is saved with the optimizer if it is registered with Keras.
        *args: as in `keras.optimizers.AdamW`.
        **kwargs: as in `keras.optimizers.AdamW`. With `use_ema` every step moves the averages of
            all weights.

    Attributes:
        skipped_steps: int variable, the number of steps whose gradient was not finite.

    Raises:
        InputError: a factor is not a number of at least 0.

    >>> optimizer = RobertaAdamW(1e-4, learning_rate_multipliers={"block_0/": 0.5, "embed": 0.0})
    """

    def __init__(
        self,
        *args: Any,
        not_decayed: Sequence[str] = NOT_DECAYED,
        learning_rate_multipliers: Mapping[str, float] | Callable[[str], float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        # The rate as a number; negative where a schedule decides. Saved with the moments.
        self._rate = learning_rate_schedule(self)
        if not isinstance(self._rate, keras.Variable):
            start = keras.initializers.Constant(_BY_SCHEDULE)
            self._rate = self.add_variable((), start, "float32", name="learning_rate")
        self.not_decayed = tuple(not_decayed)
        self.exclude_from_weight_decay(var_names=list(self.not_decayed))
        self._multipliers = RateMultipliers(learning_rate_multipliers)
        self._rate_factor = 1.0  # of the variables that Keras's own update is changing
        self._updates = {}
        self._fast = False

    @property
    def learning_rate_multipliers(self) -> Mapping[str, float] | Callable[[str], float] | None:
        """The factors of the learning rate, as given."""
        return self._multipliers.given

    rate_replaces_schedule = True  # where `learning_rate` is set to a number

    @property
    def adds_up_slices(self) -> bool:
        """Whether the update is faster with `tf.IndexedSlices`, in which a row may stand twice."""
        return self._fast

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step, a scalar tensor.

        It can be set at any time, also in `fit` by callbacks such as
        `keras.callbacks.ReduceLROnPlateau`. A number holds from then on, in the place of a
        schedule; a schedule holds until a number is set.
        """
        return super().learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if callable(rate):
            set_learning_rate_schedule(self, rate)
            self._rate.assign(_BY_SCHEDULE)
            return
        number = float(keras.ops.convert_to_numpy(rate))
        if not number >= 0:
            raise InputError(f"learning_rate must be a number of at least 0; got {number}")
        self._rate.assign(number)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.skipped_steps = self.add_variable((), "zeros", "int", name="skipped_steps")
        self._touched = {}
        self._rate_factors = [self._multipliers.factor(v) for v in variables]
        # Decided once: Keras's update does not record which rows of a table it touched.
        self._fast = self._is_fast(variables)
        if self._fast:
            from keras_roberta.training.optimizer.adamw_update import is_table

            for variable in filter(is_table, variables):
                self._touched[variable_index(self, variable)] = self.add_variable(
                    variable.shape[:1], "zeros", "bool", name="touched"
                )

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        if trainable_variables is not None:
            self.build(list(trainable_variables))
        if not self._fast or len(grads) == 0:
            return super().apply(_dense(grads), trainable_variables)
        variables = list(trainable_variables or built_variables(self))
        check_known(self, variables)
        self._apply_fast(*drop_missing_gradients(self, grads, variables))

    # === Keras's own update ===

    def _apply_weight_decay(self, variables):
        for factor, places in self._by_factor(variables):
            self._rate_factor = factor
            super()._apply_weight_decay([variables[i] for i in places])
            self._rate_factor = 1.0

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        for factor, places in self._by_factor(trainable_variables):
            super()._backend_update_step(
                [grads[i] for i in places],
                [trainable_variables[i] for i in places],
                learning_rate * factor if factor != 1.0 else learning_rate,
            )

    def _get_current_learning_rate(self):
        rate = self._rate
        if learning_rate_schedule(self) is not rate:
            number = keras.ops.convert_to_tensor(rate)
            scheduled = keras.ops.cast(super()._get_current_learning_rate(), number.dtype)
            rate = keras.ops.where(number < 0, scheduled, number)
        return rate if self._rate_factor == 1.0 else rate * self._rate_factor

    def _by_factor(self, variables):
        """Pairs of a factor of the learning rate and the indices of its variables."""
        places = {}
        for i, variable in enumerate(variables):
            factor = self._rate_factors[variable_index(self, variable)]
            places.setdefault(factor, []).append(i)
        return places.items()

    # === The update in few passes ===

    def _is_fast(self, variables):
        """Whether the compiled update of `adamw_update` can be used."""
        others = (
            self.amsgrad,
            self.clipnorm,
            self.clipvalue,
            self.loss_scale_factor,
            self.gradient_accumulation_steps,
        )
        plain = all(
            isinstance(v, keras.Variable)
            and v.dtype == "float32"
            and v.constraint is None
            and not is_overwritten(self, v)
            for v in variables
        )
        return keras.backend.backend() == "tensorflow" and plain and not any(others)

    def _apply_fast(self, gradients, variables):
        import tensorflow as tf

        from keras_roberta.training.optimizer.adamw_update import Slot

        first_moments, second_moments = adam_moments(self)
        averages = [a.value for a in moving_averages(self)] if self.use_ema else None
        slots = [
            Slot(
                variable.value,
                first_moments[i].value,
                second_moments[i].value,
                decays=bool(self.weight_decay) and decays(self, variable),
                touched=self._touched[i].value if i in self._touched else None,
                average=averages and averages[i],
                rate_factor=self._rate_factors[i],
            )
            for variable in variables
            for i in [variable_index(self, variable)]
        ]
        without_gradient = []  # weights without a gradient; Keras moves their averages too
        if self.use_ema:
            moved = {variable_index(self, variable) for variable in variables}
            without_gradient = [
                (variable.value, averages[i])
                for i, variable in enumerate(built_variables(self))
                if i not in moved
            ]
        if tf.distribute.has_strategy():  # also with one replica, since the variables are wrapped
            merge = functools.partial(
                self._apply_in_replicas, slots=slots, without_gradient=without_gradient
            )
            tf.distribute.get_replica_context().merge_call(merge, args=(gradients,))
        else:
            self._update(slots, without_gradient, gradients, self.skipped_steps.value)
            self.iterations.assign_add(1)

    def _apply_in_replicas(self, strategy, gradients, slots, without_gradient):
        """Sums the gradients over the replicas and updates each replica's copy of the variables."""
        import tensorflow as tf

        weights = [slot.weight for slot in slots]
        gradients = strategy.extended.batch_reduce_to(
            tf.distribute.ReduceOp.SUM, list(zip(gradients, weights, strict=True))
        )
        variables = [(s.weight, s.m, s.v, s.touched, s.average) for s in slots]

        def update(_, variables, without_gradient, gradients, skipped_steps):
            names = "weight", "m", "v", "touched", "average"
            local = [
                dataclasses.replace(slot, **dict(zip(names, own, strict=True)))
                for slot, own in zip(slots, variables, strict=True)
            ]
            self._update(local, without_gradient, gradients, skipped_steps)

        strategy.extended.update(
            weights[0],
            update,
            args=(variables, without_gradient, gradients, self.skipped_steps.value),
        )
        self.iterations.assign_add(1)

    def _update(self, slots, without_gradient, gradients, skipped_steps):
        """Updates the variables of one device from their summed gradients."""
        import tensorflow as tf

        from keras_roberta.training.optimizer.adamw_update import (
            AdamWUpdate,
            Constants,
            global_norm,
            merge_rows,
        )

        # Kept between traces of the step: the compiled program does not depend on a batch's shape.
        # The update refers to the variable, so its id cannot be used again.
        key = tuple(id(slot.weight) for slot in slots)
        if key not in self._updates:
            self._updates[key] = AdamWUpdate(slots)
        gradients = [merge_rows(g, slot.weight) for g, slot in zip(gradients, slots, strict=True)]
        norm = global_norm(gradients)
        step = tf.cast(self.iterations + 1, "float32")
        # As in Keras: the first average is the weight itself. Skipped steps do not count.
        is_first = tf.equal(self.iterations - tf.cast(skipped_steps, self.iterations.dtype), 0)
        every = self.ema_overwrite_frequency if self.use_ema else None
        rate = tf.cast(self.learning_rate, "float32")
        correction = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        clip = self.global_clipnorm
        constants = Constants(
            self.beta_1,
            self.beta_2,
            self.epsilon,
            gradient_scale=clip / tf.maximum(norm, clip) if clip else tf.ones(()),
            rate=rate * correction,
            decay=rate * (self.weight_decay or 0.0),
            average_momentum=tf.where(is_first, 0.0, self.ema_momentum),
            overwrite=tf.equal((self.iterations + 1) % every, 0) if every else None,
        )

        def skip():
            skipped_steps.assign_add(1)

        def update():
            self._updates[key](gradients, constants, without_gradient)

        tf.cond(tf.math.is_finite(norm), update, skip)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "not_decayed": list(self.not_decayed)}
        number = float(keras.ops.convert_to_numpy(self._rate))
        if number >= 0:  # set in the place of a schedule
            config["learning_rate"] = number
        multipliers = self._multipliers.get_config()
        if multipliers is not None:  # older files do not have this entry
            config["learning_rate_multipliers"] = multipliers
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "RobertaAdamW":
        config = RateMultipliers.restored(config, custom_objects)
        return super().from_config(config, custom_objects)


def _dense(gradients):
    """Gradients without slices, which Keras's update would square each by itself."""
    if keras.backend.backend() != "tensorflow":
        return gradients
    import tensorflow as tf

    return [None if g is None else tf.convert_to_tensor(g) for g in gradients]


def finetuning_optimizer(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = LEARNING_RATE,
    *,
    total_steps: int | None = None,
    warmup: float = WARMUP,
    weight_decay: float = WEIGHT_DECAY,
    beta_2: float = 0.98,
    epsilon: float = 1e-6,
    clip_norm: float | None = 1.0,
    **kwargs: Any,
) -> RobertaAdamW:
    """RoBERTa's optimizer for fine-tuning (Liu et al., 2019, table 10).

    Args:
        learning_rate: the peak learning rate, or your own Keras schedule, used as it is.
        total_steps: optimizer steps of the whole run. None: `fit` fills in its number of steps.
        warmup: steps of the warm-up, or its share of the run when below 1.
        weight_decay: decoupled; not applied to biases and layer norms.
        clip_norm: largest norm of all gradients together. None: no clipping.
        **kwargs: more arguments of `RobertaAdamW`, such as `learning_rate_multipliers`, `use_ema`
            and `ema_momentum`.

    Returns:
        a `RobertaAdamW`
    """
    return RobertaAdamW(
        warmup_and_decay(learning_rate, total_steps, warmup),
        weight_decay=weight_decay,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        **kwargs,
    )
