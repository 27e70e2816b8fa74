"""`compile` and `train_step` of a Keras model whose step is made of parts."""

import logging
from collections.abc import Callable, Sequence

import keras

from keras_roberta.errors import InputError
from keras_roberta.layers.gpu import has_gpu

# The parts need the TensorFlow backend, so they are imported when they are used: tasks run on other
# backends too.

logger = logging.getLogger("keras_roberta")

_TRANSFORMS = ("loss_transforms", "gradient_transforms")


class ComposedTrainStep:
    """Mixed into a `keras.Model`, before it in the bases. On other backends than TensorFlow it
    leaves the step to Keras."""

    gradient_accumulation_steps = 1
    # Whether `train_step` scales sample weights by the parts of a batch, so that the mean over
    # parts of summed losses is right.
    weighs_parts = False
    _gradient_fn = None
    _transforms = dict.fromkeys(_TRANSFORMS, ())
    _compiles_gradients = False

    def compile(
        self,
        *args,
        jit_compile: bool | str = "auto",
        run_eagerly: bool = False,
        loss_transforms: Sequence[Callable] = (),
        gradient_transforms: Sequence[Callable] = (),
        gradient_accumulation_steps: int = 1,
        **kwargs,
    ):
        """`keras.Model.compile`, with the parts of the step.

        Args:
            jit_compile: True compiles forward and backward pass with XLA, under any
                `tf.distribute` strategy (`training.step.compiled_gradients`); "auto" does so on
                GPUs. A CPU spends its time in matrix products, which are library calls either way,
                and every shape of batch is compiled anew. The optimizer is compiled anyway.
            run_eagerly: True compiles neither; dropout and GELU stay programs of their own.
            loss_transforms, gradient_transforms: functions that change the loss, or the gradients,
                of a step; the first is applied first (`training.step`). Objects with `get_config`
                and `from_config`, registered with Keras, are saved in a `.keras` file; plain
                functions are not. A loss transform that reads variables of its own, such as a
                teacher's, lists them in an attribute `variables`.
            gradient_accumulation_steps: parts that a batch is cut into; their mean gradient is
                that of the whole, with the memory of one part.
            Others: as in `keras.Model.compile`.

        Raises:
            InputError: `gradient_accumulation_steps` is not a positive integer, or a loss is a
                sum, or the backend is not TensorFlow and a part is asked for.
        """
        if jit_compile == "auto":
            jit_compile = not run_eagerly and has_gpu()
        self._transforms = {
            "loss_transforms": tuple(loss_transforms),
            "gradient_transforms": tuple(gradient_transforms),
        }
        self.gradient_accumulation_steps = _checked_steps(gradient_accumulation_steps)
        self._gradient_fn, self._compiles_gradients = None, False
        if keras.backend.backend() == "tensorflow":
            from keras_roberta.training.step.training_step import make_gradient_function

            self._compiles_gradients = bool(jit_compile) and not run_eagerly
            self._gradient_fn = make_gradient_function(
                jit_compile=self._compiles_gradients,
                gradient_accumulation_steps=self.gradient_accumulation_steps,
                **self._transforms,
            )
            if self._compiles_gradients:
                jit_compile = False  # of Keras's own step, which fails under a strategy
        elif any(self._transforms.values()) or self.gradient_accumulation_steps > 1:
            raise InputError(
                f"{', '.join(_TRANSFORMS)} and gradient_accumulation_steps need the backend "
                f"tensorflow; this is {keras.backend.backend()}"
            )
        super().compile(*args, jit_compile=jit_compile, run_eagerly=run_eagerly, **kwargs)
        if self.gradient_accumulation_steps > 1 and not self.weighs_parts:
            losses = keras.tree.flatten(self.loss)
            if any(getattr(loss, "reduction", None) == "sum" for loss in losses):
                raise InputError(
                    "gradient_accumulation_steps: takes the mean over parts, but a loss has "
                    'reduction="sum"; give it reduction="sum_over_batch_size"'
                )

    def train_step(self, data, *args):
        if self._gradient_fn is None:
            return super().train_step(data, *args)
        self.optimizer.apply(self.gradients(data), self.trainable_variables)
        return self.get_metrics_result()

    def gradients(self, data):
        """Gradients of a batch in a training step; the metrics are counted on the way.

        Args:
            data: x, (x, y) or (x, y, sample_weight).

        Returns:
            list with a tensor, `tf.IndexedSlices` or None for each trainable variable, as the
            optimizer takes them: in float16 they are scaled. None stands where the loss does not
            depend on the variable.
        """
        from keras_roberta.training.step.batch import Batch

        return self._gradient_fn(self, Batch.of(data))

    @property
    def _compiles_each_shape(self):
        """Whether each shape of batch is compiled, so that few shapes are wanted."""
        return bool(self.jit_compile) or self._compiles_gradients

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        if self._compiles_gradients:
            config["jit_compile"] = True  # Keras was told False
        config["gradient_accumulation_steps"] = self.gradient_accumulation_steps
        for name, transforms in self._transforms.items():
            if all(hasattr(transform, "from_config") for transform in transforms):
                config[name] = [keras.saving.serialize_keras_object(t) for t in transforms]
            else:
                logger.warning(
                    "%s: functions are not saved; compile the model again after loading it, or "
                    "give registered objects with get_config and from_config",
                    name,
                )
        return config

    def compile_from_config(self, config):
        """Restores what a `.keras` file says; Keras skips it where `compile` is overridden."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


def _checked_steps(steps):
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise InputError(f"gradient_accumulation_steps must be a positive integer; got {steps!r}")
    return int(steps)
