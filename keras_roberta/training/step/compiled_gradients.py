"""Forward and backward pass as one XLA program, under any `tf.distribute` strategy.

Keras compiles the whole step. That fails under MirroredStrategy, since a compiled program cannot
access the variables of another device (Keras issues 18145, 19005, 20763). The program here contains
no variables: it takes their values, and returns gradients and new values. The optimizer runs
outside the program, with its sum over the replicas.
"""

import functools
import logging
from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_roberta.layers.compiled import one_program
from keras_roberta.training.keras_internals import build_from_batch, step_counter
from keras_roberta.training.step.batch import Batch, Gradients, GradientTransform
from keras_roberta.training.step.loss import counts_metrics

logger = logging.getLogger("keras_roberta")

# A warning is logged for more shapes than this, since each is compiled.
MANY_SHAPES = 16


def compiled(
    *,
    other_variables: Sequence[keras.Variable] = (),
    other_states: Sequence[keras.Variable] = (),
) -> GradientTransform:
    """A gradient transform that runs the gradient function as an XLA program.

    The gradients are the same, but all dense. There is one program for each shape of batch.

    The gradient function must read and assign variables through Keras (`variable.value`,
    `variable.assign`). Its assignments to metrics and to non-trainable weights are kept.

    Args:
        other_variables: variables of other models that the function reads, such as a teacher's.
            A variable that is missing here works only on a single device.
        other_states: variables besides the model's that the function assigns; they keep what it
            assigned.
    """
    return lambda gradient_fn: _CompiledGradients(gradient_fn, other_variables, other_states)


class _CompiledGradients:
    def __init__(self, gradient_fn, other_variables, other_states):
        self._gradient_fn = gradient_fn
        self._other_variables, self._other_states = list(other_variables), list(other_states)
        self._programs = {}
        self._shapes = set()
        self._warned = False

    def __call__(self, model: keras.Model, batch: Batch) -> Gradients:
        self._watch_shape(tf.nest.flatten(batch.x)[-1])  # of a dict: the token ids, or as large
        with tf.init_scope():  # metrics create their variables at first use
            build_from_batch(model, tuple(batch))
        weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        states = self._states(model)
        values = [tf.convert_to_tensor(v.value) for v in states]
        constants = [tf.convert_to_tensor(v.value) for v in self._constants(model)]
        gradients, changed = self._program(model)(weights, values, constants, batch)
        for variable, value in zip(states, changed, strict=True):
            if value is not None:
                variable.value.assign(value)
        return gradients

    def _program(self, model):
        """The program for the current settings: it is traced again if one of them has changed."""
        key = id(model), counts_metrics()
        if key not in self._programs:
            run = functools.partial(
                self._run, model
            )  # refers to the model, so its id is not used again
            self._programs[key] = tf.function(run, jit_compile=True, autograph=False)
        return self._programs[key]

    def _constants(self, model):
        """The variables that are only read."""
        return [*self._other_variables, *_of_optimizer(model.optimizer)]

    def _states(self, model):
        """The variables that a forward pass may change, such as seeds of dropout and metrics."""
        return model.non_trainable_variables + model.metrics_variables + self._other_states

    def _run(self, model, weights, values, constants, batch):
        states = self._states(model)
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


def _of_optimizer(optimizer):
    """The variables of an optimizer that a step reads: its counter, in float16 the loss scale."""
    if optimizer is None:
        return []
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) and optimizer.built:
        return [step_counter(optimizer), optimizer.dynamic_scale]
    return [step_counter(optimizer)]
