"""The type of tensors in signatures."""

from typing import Any, TypeAlias

# Each Keras backend has a class of its own, and `keras.KerasTensor` stands for tensors without
# values. Shapes and dtypes are in the docstrings.
Tensor: TypeAlias = Any
