"""Arrays into the variables of a model."""

from collections.abc import Mapping

import numpy as np

from keras_roberta.errors import InputError


def assign_weights(variables: Mapping, arrays: Mapping[str, np.ndarray]) -> None:
    """Assigns arrays to the variables of the same names.

    Raises:
        InputError: names the first weight that is missing or has another shape.
    """
    for name, variable in variables.items():
        if name not in arrays:
            raise InputError(f"the checkpoint lacks the weight {name}")
        if tuple(arrays[name].shape) != tuple(variable.shape):
            raise InputError(
                f"weight {name}: the checkpoint's shape is {tuple(arrays[name].shape)}, the "
                f"model's {tuple(variable.shape)}"
            )
        variable.assign(arrays[name])
