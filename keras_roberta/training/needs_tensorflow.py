"""The error of what has no form on other Keras backends."""

import keras

from keras_roberta.errors import InputError


def needs_tensorflow(what: str, instead: str) -> None:
    """Raises an InputError on another backend than TensorFlow.

    Args:
        what: what was asked for.
        instead: what to do on another backend.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise InputError(
            f"{what}: needs the backend tensorflow, and this is {backend}; set "
            f"KERAS_BACKEND=tensorflow, or {instead}"
        )
