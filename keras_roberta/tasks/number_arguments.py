"""The numbers that tasks are made with, and `fit`, `evaluate` and `predict` called."""

from typing import Any

from keras_roberta.options.option import Option
from keras_roberta.options.values import checked

_COUNT, _START = Option("", at_least=1), Option("", at_least=0)
_ARGUMENTS = {
    **dict.fromkeys(("num_classes", "hidden_dim"), (int | None, _COUNT)),
    **dict.fromkeys(("max_answer_length", "n_best"), (int, _COUNT)),
    "stride": (int, _START),
    "sequence_length": (int | None, Option("", at_least=3)),
    **dict.fromkeys(("batch_size", "steps_per_epoch", "steps"), (int | None, _COUNT)),
    **dict.fromkeys(("validation_steps", "validation_batch_size"), (int | None, _COUNT)),
    "epochs": (int, _COUNT),
    "initial_epoch": (int, _START),
    "validation_split": (float | None, Option("", at_least=0, below=1)),
}


def check_numbers(**arguments: Any) -> None:
    """Raises an InputError that names the argument whose number does not fit; others pass."""
    for name, value in arguments.items():
        if name in _ARGUMENTS:
            hint, bounds = _ARGUMENTS[name]
            checked(name, hint, bounds, value)
