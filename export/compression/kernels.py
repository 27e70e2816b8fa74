"""The weights that are compressed, and those of them that stay zero."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_roberta.errors import InputError

TOKENS = "embeddings/token"


def kernels_of(
    task: keras.Model, *, embeddings: bool = False, head: bool = False
) -> dict[str, keras.Variable]:
    """The matrices of a task by name: those of the encoder's blocks, and the projection behind
    embeddings that are narrower than the model.

    Args:
        task: a task of this library.
        embeddings: also the table of token embeddings.
        head: also the matrices of the head.

    Returns:
        float (inputs, outputs) each; the table is (tokens, embedding_width). A matrix that layers
        share has the name that it has in the first of them.

    Raises:
        InputError: it is no task, it is quantised, or it has adapters.
    """
    if not hasattr(task, "backbone") or not hasattr(task.backbone, "weights_by_name"):
        raise InputError(f"a {type(task).__name__} cannot be compressed; give a task")
    if any("lora" in weight.path for weight in task.backbone.weights):
        raise InputError("the task has adapters: merge them before it is compressed")
    weights = task.backbone.weights_by_name()  # refuses what is quantised
    if head:
        named = task.head_weights_by_name()
        weights |= {f"head/{name}": weight for name, weight in named.items()}
    found = {
        name: weight
        for name, weight in weights.items()
        if name.endswith("/kernel") or (embeddings and name == TOKENS)
    }
    once = {id(weight): name for name, weight in reversed(found.items())}
    return {name: found[name] for name in found if once[id(found[name])] == name}


def share_of_zeros(kernels: Mapping[str, keras.Variable]) -> float:
    """The share of zeros in the matrix that has the fewest."""
    return min(float(np.mean(np.array(kernel) == 0)) for kernel in kernels.values())


class KeptZeros:
    """Weights that are zero when this is made stay so: `apply` makes them zero again.

    Args:
        kernels: by name. To be made in the scope of the strategy that trains them.

    Attributes:
        masks: `keras.Variable` by the name of a kernel, 0 where it is zero; Only matrices
            that have zeros get one; pruning adds the others.
    """

    def __init__(self, kernels: Mapping[str, keras.Variable]):
        self._kernels = dict(kernels)
        self.masks = {}
        for name, kernel in self._kernels.items():
            mask = np.array(kernel) != 0
            if not mask.all():
                self.masks[name] = variable_like(kernel, mask)

    def apply(self) -> None:
        """Multiplies the weights with their masks, on each replica."""
        for name, mask in self.masks.items():
            kernel = self._kernels[name]
            kernel.assign(kernel.value * mask.value)


def variable_like(kernel: keras.Variable, values: np.ndarray) -> keras.Variable:
    """A variable of a kernel's shape and dtype that no model counts among its weights."""
    return keras.Variable(values.astype(kernel.dtype), trainable=False, dtype=kernel.dtype)
