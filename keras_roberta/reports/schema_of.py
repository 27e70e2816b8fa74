"""The schema of a task or of an exported file."""

from keras_roberta.errors import InputError
from keras_roberta.schemas import Schema, schema_of_format_2


def schema_of(model) -> Schema:
    """What a task's or a `Runner`'s outputs mean.

    Raises:
        InputError: it has no answers that could be judged.
    """
    schema = getattr(model, "schema", None)
    if schema is None and hasattr(model, "metadata"):
        schema = schema_of_format_2(model.metadata)
    if schema is None:
        raise InputError(
            f"{type(model).__name__}: gives no answers that could be judged; fine-tune a task"
        )
    return schema
