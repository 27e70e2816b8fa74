"""Forward and backward pass as one XLA program, under any strategy.

Keras compiles the whole step, which fails under MirroredStrategy: a compiled program cannot reach
another device's variables (Keras issues 18145, 19005, 20763). Here the program gets the values of
the variables and gives back gradients and new values, so that it knows of no variables at all; the
optimizer, with its reduction over the replicas, runs outside.
"""

import functools
import logging
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_roberta.layers.compiled import one_program
from keras_roberta.training.keras_internals import build_from_batch
from keras_roberta.training.step.batch import Batch, Gradients, GradientTransform
from keras_roberta.training.step.loss import counts_metrics

logger = logging.getLogger("keras_roberta")

# More shapes than this are worth a warning: each is compiled.
MANY_SHAPES = 16


def compiled(*, other_variables: Sequence[keras.Variable] = ()) -> GradientTransform:
    """A gradient transform: the same gradients, all dense, by one XLA program a shape of batch.

    Within the function, variables are read and assigned through Keras (`variable.value`,
    `variable.assign`). What it assigns to metrics and to weights that are not trained is kept.

    Args:
        other_variables: variables that the function reads besides the model's, such as a
            teacher's. One that is not named here works on one device only.
    """
    return lambda gradient_fn: _CompiledGradients(gradient_fn, other_variables)


class _CompiledGradients:
    def __init__(self, gradient_fn, other_variables):
        self._gradient_fn = gradient_fn
        self._other_variables = list(other_variables)
        self._programs = {}
        self._shapes = set()
        self._warned = False

    def __call__(self, model: keras.Model, batch: Batch) -> Gradients:
        self._watch_shape(tf.nest.flatten(batch.x)[-1])  # of a dict, the token ids or as large
        with tf.init_scope():  # metrics make their variables at first use
            build_from_batch(model, tuple(batch))
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        states = _states(model)
        values = [tf.convert_to_tensor(v.value) for v in states]
        constants = [tf.convert_to_tensor(v.value) for v in self._constants(model)]
        gradients, changed = self._program(model)(weights, values, constants, batch)
        for variable, value in zip(states, changed, strict=True):
            if value is not None:
                variable.value.assign(value)
        return gradients

    def _program(self, model):
        """The program to be run here; what it was traced for must be what is asked now."""
        key = id(model), counts_metrics(), len(_loss_scale(model))
        if key not in self._programs:
            run = functools.partial(self._run, model)  # holds the model: its id stays its own
            self._programs[key] = tf.function(run, jit_compile=True, autograph=False)
        return self._programs[key]

    def _constants(self, model):
        """The variables that are read and never changed."""
        return self._other_variables + _loss_scale(model)

    def _run(self, model, weights, values, constants, batch):
        states = _states(model)
        scope = keras.StatelessScope(
            [
                *zip(model.trainable_variables, weights, strict=True),
                *zip(states, values, strict=True),
                *zip(self._constants(model), constants, strict=True),
            ]
        )
        with one_program(), scope:
            gradients = self._gradient_fn(model, batch)
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


def _states(model):
    """The variables that a forward pass may change: seeds of dropout, metrics and the like."""
    return model.non_trainable_variables + model.metrics_variables


def _loss_scale(model):
    """The variable of the loss scale in float16, in a list; else an empty one."""
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) and optimizer.built:
        return [optimizer.dynamic_scale]
    return []
