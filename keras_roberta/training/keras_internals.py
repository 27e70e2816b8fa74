"""All uses of Keras's private attributes in this library.

Keras may rename them in any release. Each has one function here that says what it is for, and a
test in tests/training/test_keras_internals.py that fails when Keras changes it. A few more are
methods that a subclass overrides. They are tested there too: `Model._maybe_symbolic_build`
(tasks/multi_worker_fit.py), `Optimizer._apply_weight_decay`, `Optimizer._backend_update_step` and
`Optimizer._get_current_learning_rate` (training/optimizer/roberta_adamw.py).
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras.src.backend.common.global_state import get_global_attribute, set_global_attribute
from keras.src.backend.common.stateless_scope import get_stateless_scope

# === Models ===


def build_from_batch(model: keras.Model, batch: tuple) -> None:
    """Builds the model, its metrics and its optimizer from the shapes of a batch.

    Keras does this in `fit`. `model.build` builds only the layers.
    """
    model._symbolic_build(data_batch=batch)


@contextlib.contextmanager
def without_strategy(model: keras.Model) -> Iterator[None]:
    """A context in which Keras runs the model without its `tf.distribute` strategy.

    The private attribute is needed because `model.distribute_strategy` is read-only.
    """
    strategy, model._distribute_strategy = model._distribute_strategy, None
    try:
        yield
    finally:
        model._distribute_strategy = strategy


def nested_scope(values: Sequence[tuple[keras.Variable, Any]]) -> keras.StatelessScope:
    """A `keras.StatelessScope` that keeps the values of the one that it is made in, if any.

    Within Keras's own a variable has none of the values of the outer one.
    """
    scope, outer = keras.StatelessScope(values), get_stateless_scope()
    if outer is not None:
        scope.state_mapping = {**outer.state_mapping, **scope.state_mapping}
    return scope


def is_validation_in_fit(evaluate_arguments: dict[str, Any]) -> bool:
    """Whether `evaluate` was called by `fit`, which has already prepared the validation data."""
    return bool(evaluate_arguments.get("_use_cached_eval_dataset"))


def inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    """All layers inside a layer, at any depth; `model.layers` has only the outermost ones."""
    return list(layer._flatten_layers(include_self=False))


def settle_quantized_policies(model: keras.Model) -> None:
    """Gives each quantised layer inside a model its own policy, from the map it was made with.

    With the map, Keras takes the layer for one that has no scales when it is saved.
    """
    for layer in inner_layers(model):
        policies = layer.dtype_policy
        if isinstance(policies, keras.dtype_policies.DTypePolicyMap):
            if layer.quantization_mode is not None:
                layer._dtype_policy = policies[layer.path]


# === Variables ===


@contextlib.contextmanager
def variables_without_values() -> Iterator[None]:
    """A context in which new variables have a shape and a dtype, but no values and no memory.

    They get their values by `initialize`. Keras makes such variables itself while it traces, and
    keeps a list of them to initialise at the end of a scope; these are taken off it.
    """
    outer = get_global_attribute("uninitialized_variables", [])
    set_global_attribute("uninitialized_variables", [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        set_global_attribute("uninitialized_variables", outer)


def has_value(variable: keras.Variable) -> bool:
    """Whether a variable has been initialised."""
    return variable._value is not None


def initialize(variable: keras.Variable, value: Any = None) -> None:
    """Gives a variable its first value.

    Args:
        variable: one without a value.
        value: a tensor of its shape and dtype; None for what its initializer makes.
    """
    if value is not None:
        variable._initializer = lambda shape, dtype: value
    variable._deferred_initialize()


# === Optimizers ===


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer itself, without the wrapper that Keras puts around it for float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def step_counter(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """The variable that counts the steps.

    `optimizer.iterations` is a tensor, made from it, where Keras accumulates the gradients of
    several steps (`gradient_accumulation_steps`).
    """
    return inner_optimizer(optimizer)._iterations


def learning_rate_schedule(optimizer: keras.optimizers.Optimizer) -> Any:
    """The schedule, variable or function; `optimizer.learning_rate` is only its current value."""
    return getattr(inner_optimizer(optimizer), "_learning_rate", None)


def set_learning_rate_schedule(optimizer: keras.optimizers.Optimizer, schedule: Any) -> None:
    """Replaces what `learning_rate_schedule` gives; Keras would drop the variable of a number."""
    optimizer._learning_rate = schedule


def built_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The model's variables that the optimizer was built with, in order."""
    return optimizer._trainable_variables


def variable_index(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> int:
    """The index of a variable in `built_variables`."""
    return optimizer._get_variable_index(variable)


def check_known(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> None:
    """Raises Keras's ValueError if the optimizer was not built with one of the variables."""
    optimizer._check_variables_are_known(variables)


def drop_missing_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[Any],
    variables: Sequence[keras.Variable],
) -> tuple[Sequence[Any], Sequence[keras.Variable]]:
    """The gradients that are not None, and their variables; Keras warns about the others."""
    return optimizer._filter_empty_gradients(gradients, variables)


def is_overwritten(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Whether the "gradient" of a variable is its new value, as for the scales of float8."""
    return optimizer._overwrite_variable_with_gradient(variable)


def decays(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Whether weight decay applies to a variable, after `exclude_from_weight_decay`."""
    return optimizer._use_weight_decay(variable)


def adam_moments(
    optimizer: keras.optimizers.Adam,
) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Adam's first and second moments, in the order of `built_variables`."""
    return optimizer._momentums, optimizer._velocities


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The moving averages of the weights (`use_ema`), in the order of `built_variables`."""
    return optimizer._model_variables_moving_average
