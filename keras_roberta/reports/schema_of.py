"""The schema and the named outputs of tasks and exported files that do not give them yet."""

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.schemas import OneLabel, Schema, Value


def schema_of(model) -> Schema:
    """The schema of a task, or of a `Runner`.

    Raises:
        InputError: it has none that answers could be judged by.
    """
    schema = getattr(model, "schema", None)
    if schema is not None:
        return schema
    if hasattr(model, "metadata"):
        model.check_classifies()
        num_classes, labels = model.metadata["num_classes"], model.labels
    elif hasattr(model, "num_classes"):
        num_classes, labels = model.num_classes, model.labels
    else:
        raise InputError(f"{type(model).__name__}: has no answers that could be judged")
    if num_classes == 1:
        return Value()
    numbers = tuple(map(str, range(num_classes)))
    return OneLabel(num_classes, None if tuple(labels) == numbers else tuple(labels))


def named_outputs(task, texts) -> dict[str, np.ndarray]:
    """What an exported file of a Keras task would give for texts."""
    if hasattr(task, "named_outputs"):
        return task.named_outputs(texts)
    return schema_of(task).outputs(np.asarray(task.predict(texts, verbose=0)))
