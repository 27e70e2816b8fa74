"""Every use that this library makes of Keras's private attributes.

Keras may rename them in any release. Each stands here once, with what it is for, and has a test in
tests/training/test_keras_internals.py that fails when Keras changes it. Three more are methods
that a subclass overrides, and are tested there too: `Model._maybe_symbolic_build`
(tasks/multi_worker_fit.py), `Optimizer._apply_weight_decay`, `Optimizer._backend_update_step` and
`Optimizer._get_current_learning_rate` (training/optimizer/roberta_adamw.py).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

# === Models ===


def build_from_batch(model: keras.Model, batch: tuple) -> None:
    """Builds the model, its metrics and its optimizer from the shapes of a batch.

    Keras does this in `fit`; `model.build` builds the layers alone.
    """
    model._symbolic_build(data_batch=batch)


@contextlib.contextmanager
def without_strategy(model: keras.Model) -> Iterator[None]:
    """Within, Keras runs the model without the `tf.distribute` strategy that it was made in.

    `model.distribute_strategy` can only be read.
    """
    strategy, model._distribute_strategy = model._distribute_strategy, None
    try:
        yield
    finally:
        model._distribute_strategy = strategy


def is_validation_in_fit(evaluate_arguments: dict[str, Any]) -> bool:
    """Whether `evaluate` was called by Keras's `fit`, whose validation data it has prepared."""
    return bool(evaluate_arguments.get("_use_cached_eval_dataset"))


def inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    """All layers within a layer, at any depth; `model.layers` gives the outermost ones."""
    return list(layer._flatten_layers(include_self=False))


# === Optimizers ===


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer itself, where Keras has wrapped it for float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def learning_rate_schedule(optimizer: keras.optimizers.Optimizer) -> Any:
    """The schedule, variable or function; `optimizer.learning_rate` gives its present value."""
    return getattr(inner_optimizer(optimizer), "_learning_rate", None)


def built_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The model's variables that the optimizer was built with, in order."""
    return optimizer._trainable_variables


def variable_index(optimizer: keras.optimizers.Optimizer, variable) -> int:
    """The place of a variable in `built_variables`."""
    return optimizer._get_variable_index(variable)


def check_known(optimizer: keras.optimizers.Optimizer, variables) -> None:
    """Raises Keras's ValueError where the optimizer was not built with a variable."""
    optimizer._check_variables_are_known(variables)


def drop_missing_gradients(optimizer: keras.optimizers.Optimizer, gradients, variables):
    """Gradients and variables without those whose gradient is None; Keras warns of them."""
    return optimizer._filter_empty_gradients(gradients, variables)


def is_overwritten(optimizer: keras.optimizers.Optimizer, variable) -> bool:
    """Whether the "gradient" of a variable is its new value, as of the scales of float8."""
    return optimizer._overwrite_variable_with_gradient(variable)


def decays(optimizer: keras.optimizers.Optimizer, variable) -> bool:
    """Whether weight decay applies, as `exclude_from_weight_decay` has set it."""
    return optimizer._use_weight_decay(variable)


def adam_moments(optimizer: keras.optimizers.Adam) -> tuple[list, list]:
    """Adam's first and second moments, in the order of `built_variables`."""
    return optimizer._momentums, optimizer._velocities


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list:
    """The averages of the weights with `use_ema`, in the order of `built_variables`."""
    return optimizer._model_variables_moving_average
