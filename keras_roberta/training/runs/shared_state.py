"""The chief's saved state, put into the models of all workers."""

import json
from typing import Any

import keras
import numpy as np

from keras_roberta.files.json_kinds import Kind
from keras_roberta.training.runs.run_states import RunStates, state_variables
from keras_roberta.training.workers.exchange import Exchange


def restore_on_all(
    states: RunStates | None, model: keras.Model, kind: Kind, exchange: Exchange
) -> dict[str, Any] | None:
    """`RunStates.restore` of the chief; every worker calls it, and none but the chief reads.

    Args:
        states: the chief's; the others' are not looked at.

    Returns:
        what it gives, on all workers.
    """
    rank = exchange.rank
    found = states.restore(model, kind) if rank.is_chief and states is not None else None
    if rank.num_workers == 1:
        return found
    tensors = (found or {}).pop("tensors", {})
    shapes = {name: [t.dtype.str, list(t.shape)] for name, t in tensors.items()}
    sent = json.dumps([found, shapes]).encode()
    found, shapes = json.loads(exchange.bytes_of_chief(sent))
    if found is None:
        return None
    for variable in state_variables(model).values():
        variable.assign(exchange.of_chief(np.array(variable)))
    received = {
        name: exchange.of_chief(tensors.get(name, np.zeros(shape, dtype)))
        for name, (dtype, shape) in shapes.items()
    }
    return {**found, "tensors": received} if received else found
