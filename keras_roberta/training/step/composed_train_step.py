"""`compile` and `train_step` for a Keras model whose step is built from functions."""

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_roberta.errors import InputError
from keras_roberta.layers.gpu import has_gpu
from keras_roberta.training.keras_internals import learning_rate_schedule
from keras_roberta.training.needs_tensorflow import needs_tensorflow

# The parts need the TensorFlow backend, so they are imported when they are used: tasks run on other
# backends too.

logger = logging.getLogger("keras_roberta")

_TRANSFORMS = ("loss_transforms", "gradient_transforms")
# The modules of this package with transforms that a `.keras` file can contain.
_REGISTERED = ("confidence_penalty", "fast_gradient_method", "r_drop")


class ComposedTrainStep:
    """A mixin for a `keras.Model`: a training step with transforms of loss and gradients.

    It must come before `keras.Model` in the list of bases. On other backends than TensorFlow,
    Keras's own step is used.
    """

    gradient_accumulation_steps = 1
    # Whether `train_step` scales sample weights by the parts of a batch, so that the mean over
    # parts of summed losses is right.
    weighs_parts = False
    _gradient_fn = None
    _transforms = dict.fromkeys(_TRANSFORMS, ())
    _compiles_gradients = False

    def compile(
        self,
        *args: Any,
        jit_compile: bool | str = "auto",
        run_eagerly: bool = False,
        loss_transforms: Sequence[Callable] = (),
        gradient_transforms: Sequence[Callable] = (),
        gradient_accumulation_steps: int = 1,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with more arguments for the training step.

        Args:
            jit_compile: True compiles the forward and backward pass with XLA, under any
                `tf.distribute` strategy (`training.step.compiled_gradients`). "auto" does so only
                on GPUs: a CPU spends most time in matrix products, which are library calls in
                either case, and each new shape of batch takes time to compile. The optimizer is
                always compiled. On other backends than TensorFlow it is Keras's argument: on JAX
                "auto" compiles the whole step.
            run_eagerly: True compiles neither forward nor backward pass. Only dropout and GELU
                are still compiled.
            loss_transforms: functions that change the loss of a step; the first is applied first
                (see `training.step`). A transform that reads variables of another model, such as
                a teacher's, must list them in an attribute `variables`; those that are not the
                model's and that it assigns, in `states`.
            gradient_transforms: functions that change the gradients of a step; the first is
                applied first. A `.keras` file contains a transform, of the loss or the gradients,
                only if it is an object with `get_config` and `from_config`, registered with Keras.
            gradient_accumulation_steps: number of parts that each batch is split into. The mean
                of their gradients is the gradient of the batch, with the memory of one part.
            *args: as in `keras.Model.compile`.
            **kwargs: as in `keras.Model.compile`.

        Raises:
            InputError: `gradient_accumulation_steps` is not a positive integer, a loss is a sum, or
                a transform or accumulation is given and the backend is not TensorFlow.
        """
        self._transforms = {
            "loss_transforms": tuple(loss_transforms),
            "gradient_transforms": tuple(gradient_transforms),
        }
        self.gradient_accumulation_steps = _checked_steps(gradient_accumulation_steps)
        self._gradient_fn, self._compiles_gradients = None, False
        if keras.backend.backend() == "tensorflow":
            if jit_compile == "auto":
                jit_compile = not run_eagerly and has_gpu()
            self._compiles_gradients = bool(jit_compile) and not run_eagerly
            self._gradient_fn = self._made_gradient_fn()
            if self._compiles_gradients:
                jit_compile = False  # for Keras's own step, which fails under a strategy
        elif any(self._transforms.values()):
            needs_tensorflow(" and ".join(_TRANSFORMS), "leave them out")
        elif self.gradient_accumulation_steps > 1:
            needs_tensorflow("gradient_accumulation_steps", "give them to a Keras optimizer")
        super().compile(*args, jit_compile=jit_compile, run_eagerly=run_eagerly, **kwargs)
        if self.gradient_accumulation_steps > 1 and not self.weighs_parts:
            losses = keras.tree.flatten(self.loss)
            if any(getattr(loss, "reduction", None) == "sum" for loss in losses):
                raise InputError(
                    "gradient_accumulation_steps: takes the mean over parts, but a loss has "
                    'reduction="sum"; give it reduction="sum_over_batch_size"'
                )

    def accumulate(self, steps: int) -> None:
        """Splits batches into so many parts from the next step on; the model has to be compiled.

        Raises:
            InputError: `steps` is not a positive integer.
        """
        self.gradient_accumulation_steps = _checked_steps(steps)
        self._gradient_fn = self._made_gradient_fn()
        self.train_function = None  # its trace holds the old number of parts

    def add_loss_transform(self, transform: Callable) -> None:
        """Adds a transform to those that the model was compiled with, also while `fit` runs.

        It is applied last, and in the next step. `remove_loss_transform` takes it away.

        Raises:
            InputError: the backend is not TensorFlow.
        """
        needs_tensorflow("loss_transforms", "leave them out")
        self._set_loss_transforms([*self._transforms["loss_transforms"], transform])

    def remove_loss_transform(self, transform: Callable) -> None:
        """Takes a transform of `add_loss_transform` away, if it is still there."""
        self._set_loss_transforms(
            [each for each in self._transforms["loss_transforms"] if each is not transform]
        )

    def _set_loss_transforms(self, transforms):
        self._transforms = {**self._transforms, "loss_transforms": tuple(transforms)}
        self._gradient_fn = self._made_gradient_fn()
        self.make_train_function(force=True)

    def _is_traced(self, schedule):
        """Whether the training function was traced with a learning rate schedule."""
        return False

    def _made_gradient_fn(self):
        from keras_roberta.training.step.training_step import make_gradient_function

        return make_gradient_function(
            jit_compile=self._compiles_gradients,
            gradient_accumulation_steps=self.gradient_accumulation_steps,
            **self._transforms,
        )

    def make_train_function(self, force: bool = False) -> None:
        """As Keras's, and made anew where the optimizer has got another learning rate schedule.

        Keras would go on with the schedule that it has traced.
        """
        schedule = learning_rate_schedule(self.optimizer)
        if self.train_function is not None and not force and self._is_traced(schedule):
            return
        super().make_train_function(force=True)
        # In a function: the learning rate of Keras's optimizers is a variable, which as an
        # attribute would count among the model's weights.
        self._is_traced = lambda other: other is schedule
        function = self.train_function

        def train(*arguments):
            if learning_rate_schedule(self.optimizer) is schedule:
                return function(*arguments)
            self.make_train_function(force=True)  # a callback has set another
            return self.train_function(*arguments)

        self.train_function = train

    def train_step(self, *arguments: Any) -> Any:
        if self._gradient_fn is None:
            return super().train_step(*arguments)  # on JAX (state, data)
        (data,) = arguments
        self.optimizer.apply(self.gradients(data), self.trainable_variables)
        return self.get_metrics_result()

    def gradients(self, data: Any) -> list[Any]:
        """The gradients of a batch, as in a training step. Also updates the metrics.

        Args:
            data: x, (x, y) or (x, y, sample_weight).

        Returns:
            a list with a tensor, a `tf.IndexedSlices` or None for each trainable variable, ready
            for the optimizer: in float16 they are multiplied by the loss scale. None means that
            the loss does not depend on the variable.
        """
        from keras_roberta.training.step.batch import Batch

        return self._gradient_fn(self, Batch.of(data))

    @property
    def _compiles_each_shape(self):
        """Whether the step is compiled for each shape of batch; then few shapes are better."""
        return bool(self.jit_compile) or self._compiles_gradients

    def get_compile_config(self) -> dict[str, Any] | None:
        config = super().get_compile_config()
        if not config:
            return config
        if self._compiles_gradients:
            config["jit_compile"] = True  # `compile` gave Keras False
        config["gradient_accumulation_steps"] = self.gradient_accumulation_steps
        for name, transforms in self._transforms.items():
            saved = [t for t in transforms if hasattr(t, "from_config")]
            config[name] = [keras.saving.serialize_keras_object(t) for t in saved]
            if left_out := [t for t in transforms if not hasattr(t, "from_config")]:
                logger.warning(
                    "%s: the file does not contain %s; compile the model again after loading it, "
                    "or give registered objects with get_config and from_config",
                    name,
                    ", ".join(getattr(t, "__name__", type(t).__name__) for t in left_out),
                )
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the settings of a `.keras` file.

        Keras's own method does nothing for a model that overrides `compile`.

        Raises:
            InputError: there are transforms, and the backend is not TensorFlow.
        """
        if any(config.get(name) for name in _TRANSFORMS):
            needs_tensorflow(" and ".join(_TRANSFORMS), "load the file with compile=False")
            for module in _REGISTERED:  # Keras finds classes only once they are imported
                importlib.import_module(f"{__package__}.{module}")
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


def _checked_steps(steps):
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise InputError(f"gradient_accumulation_steps must be a positive integer; got {steps!r}")
    return int(steps)
