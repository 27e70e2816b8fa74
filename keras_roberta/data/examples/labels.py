"""Labels as the loss takes them."""

import numpy as np

from keras_roberta.errors import InputError


def class_numbers(labels, num_classes, names=None):
    """Class numbers from numbers or names.

    Args:
        labels: array of integers, or of strings that are among `names`.
        num_classes: numbers must lie in `[0, num_classes)`.
        names: class names in the order of their numbers, or None.

    Returns:
        int32 array of the same shape.

    Raises:
        InputError: names the first label that does not fit.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "USO":
        if not names:
            raise InputError(
                f"label {labels.flat[0]!r} is not a number; give the classes' names as labels=[...]"
            )
        number_of = {name: number for number, name in enumerate(names)}
        decoded = [x.decode() if isinstance(x, bytes) else str(x) for x in labels.flat]
        unknown = next((name for name in decoded if name not in number_of), None)
        if unknown is not None:
            raise InputError(f"label {unknown!r} is none of {', '.join(names)}")
        return np.array([number_of[name] for name in decoded], "int32").reshape(labels.shape)
    if labels.dtype.kind not in "iub" and np.any(labels != np.floor(labels)):
        raise InputError(f"class labels must be whole numbers; got {labels.flat[0]!r}")
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise InputError(
            f"label {outside.flat[0]} is outside 0..{num_classes - 1} (num_classes={num_classes})"
        )
    return labels.astype("int32")
