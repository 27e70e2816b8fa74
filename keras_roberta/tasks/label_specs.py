"""Labels in a dataset of token ids: what Keras's losses cannot take is refused by its type.

Their values are not known before they flow into a compiled step, which fails in words of its own.
"""

from typing import Any

from keras_roberta.data.examples.label_names import is_ragged_spec
from keras_roberta.errors import InputError
from keras_roberta.tasks.class_losses import is_of_keras, takes_class_numbers


def check_label_spec(spec: Any, loss: Any, output_rank: int | None) -> None:
    """Raises an InputError for labels that a loss of Keras cannot take.

    Args:
        spec: of the labels, as a `tf.data.Dataset` has it.
        loss: as it was given to `compile`; of one's own it may take what it likes.
        output_rank: of the model's outputs, the batch included; None where there are several.
    """
    if not is_of_keras(loss) or not hasattr(spec, "shape"):
        return
    if is_ragged_spec(spec):
        raise InputError(
            "labels: found lists of unequal lengths beside token ids; give one mark, 0 or 1, for "
            "each class, or give the texts themselves to the task"
        )
    if spec.dtype == "string":
        raise InputError(
            "labels: found names beside token ids; give their numbers, as dataset.map("
            "preprocessor) does where the preprocessor has labels=[...]"
        )
    shape = tuple(spec.shape) if spec.shape.rank is not None else ()
    if takes_class_numbers(loss) and len(shape) == output_rank and shape[-1] != 1:
        raise InputError(
            f"labels: found the shape {shape}, one-hot or probabilities, for which the loss has to "
            "be another: compile(loss='categorical_crossentropy')"
        )
