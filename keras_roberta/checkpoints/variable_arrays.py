"""The values of variables as arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def array_of(variable: Any) -> np.ndarray:
    """A variable's values in its dtype, without a copy where they lie in this machine's memory.

    Whoever writes into the array may change the variable.
    """
    import keras  # here, since looking into a checkpoint takes no TensorFlow

    value = variable.value if isinstance(variable, keras.Variable) else variable
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        value = tf.convert_to_tensor(value)  # a `tf.Variable` itself is copied
    return np.asarray(value)


def as_arrays(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The float32 values of variables by name."""
    return {name: np.asarray(array_of(v), np.float32) for name, v in variables.items()}
