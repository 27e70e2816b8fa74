"""An encoder's weights for models that have no token types."""

import numpy as np

from keras_roberta.checkpoints.variable_arrays import as_arrays
from keras_roberta.errors import InputError


def without_token_types(backbone) -> dict[str, np.ndarray]:
    """The weights by name, with the row that is added to every token added to the positions.

    The sum of the embeddings stays the same, but for its last digit.

    Raises:
        InputError: the model is told the types of its tokens, so that one row is not enough.
    """
    if "token_type_ids" in backbone.optional_inputs:
        raise InputError(
            "the model has token_type_ids for an input, and the format no token types; make it "
            "without optional_inputs"
        )
    weights = as_arrays(backbone.weights_by_name())
    types = weights.pop("embeddings/token_type", None)
    if types is not None:
        weights["embeddings/position"] = weights["embeddings/position"] + types[0]
    return weights
