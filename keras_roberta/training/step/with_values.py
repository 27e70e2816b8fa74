"""Runs a model with other values of some of its variables."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras

from keras_roberta.training.keras_internals import nested_scope

_Result = TypeVar("_Result")


def with_values(
    model: keras.Model,
    values: Sequence[tuple[keras.Variable, Any]],
    function: Callable[[], _Result],
) -> _Result:
    """What a function returns while variables have other values.

    The variables themselves stay as they are. What the function assigns to seeds of dropout, to
    metrics and to other non-trainable weights is kept. It works within a compiled step and in each
    replica.

    Args:
        model: whose non-trainable weights and metrics are kept.
        values: pairs of a variable and a tensor of its shape.
        function: without arguments.
    """
    scope = nested_scope(values)
    states = model.non_trainable_variables + model.metrics_variables
    before = [scope.get_current_value(state) for state in states]
    with scope:
        result = function()
    for state, old in zip(states, before, strict=True):
        new = scope.get_current_value(state)
        if new is not old:
            state.assign(new)
    return result
