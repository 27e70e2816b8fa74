"""What a task's examples and answers look like to people, in numpy alone.

A schema says which columns of a table hold texts and targets, which targets there are, what the
outputs of a model mean and how they are scored. A task in Keras, a `.tflite` file and a SavedModel
of it share one schema; it is kept in their metadata, and none of it needs TensorFlow.
"""

from keras_roberta.errors import InputError
from keras_roberta.schemas.answer_span import AnswerSpan
from keras_roberta.schemas.comparison import Comparison
from keras_roberta.schemas.entities import Entities
from keras_roberta.schemas.format_2 import schema_from_format_2
from keras_roberta.schemas.many_labels import ManyLabels
from keras_roberta.schemas.masked_tokens import MaskedTokens
from keras_roberta.schemas.multiple_choice import MultipleChoice
from keras_roberta.schemas.one_label import OneLabel
from keras_roberta.schemas.schema import Schema
from keras_roberta.schemas.text_vectors import TextVectors
from keras_roberta.schemas.value import Value

SCHEMAS: dict[str, type[Schema]] = {
    cls.name: cls
    for cls in (
        OneLabel,
        ManyLabels,
        Value,
        AnswerSpan,
        MultipleChoice,
        MaskedTokens,
        Entities,
        TextVectors,
    )
}

__all__ = [
    "SCHEMAS",
    "AnswerSpan",
    "Comparison",
    "Entities",
    "ManyLabels",
    "MaskedTokens",
    "MultipleChoice",
    "OneLabel",
    "Schema",
    "TextVectors",
    "Value",
    "register_schema",
    "schema_from_dict",
    "schema_from_format_2",
]


def register_schema(cls: type[Schema]) -> type[Schema]:
    """Makes a schema of your own known, so that exported files that name it can be read.

    The same class registered again, as by a module that was reloaded, takes the older one's place.

    Raises:
        InputError: another class has the name.
    """
    taken = SCHEMAS.get(cls.name)
    if taken and (taken.__module__, taken.__name__) != (cls.__module__, cls.__name__):
        raise InputError(
            f"{cls.__name__}: the schema name {cls.name!r} is taken by {taken.__name__}; choose "
            "another"
        )
    SCHEMAS[cls.name] = cls
    return cls


def schema_from_dict(values: dict) -> Schema:
    """The inverse of `Schema.to_dict`.

    Raises:
        InputError: no schema has the name, since the module that registers it was not imported; or
            its fields are others.
    """
    name = values.get("name")
    if name not in SCHEMAS:
        raise InputError(
            f"answers of the kind {name!r} are not known; import the module that registers them, "
            "or name it in KERAS_ROBERTA_TASKS"
        )
    try:
        return SCHEMAS[name].from_dict({k: v for k, v in values.items() if k != "name"})
    except TypeError as error:
        raise InputError(
            f"answers of the kind {name!r}: was written by another version of keras_roberta "
            f"({error})"
        ) from None
