"""Learning rates that differ from weight to weight."""

import re
from collections.abc import Callable, Mapping

import keras

from keras_roberta.errors import InputError

_NAME = "learning_rate_multipliers"


class RateMultipliers:
    """What the learning rate is multiplied by for each weight, found by the weight's path.

    Args:
        given: a dict of regular expressions to factors, or a function of the path; None for 1.

    >>> RateMultipliers({r"block_\\d/": 0.5, "": 2.0}).of_path("encoder/block_1/kernel")
    0.5
    """

    def __init__(self, given: Mapping[str, float] | Callable[[str], float] | None = None):
        self.given = given
        if given is None or callable(given):
            return
        if not isinstance(given, Mapping):
            raise InputError(
                f"{_NAME} must be a dict of patterns to factors or a function of a weight's path; "
                f"got {given!r}"
            )
        for pattern, factor in given.items():
            _check(factor, f"{_NAME}[{pattern!r}]")
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise InputError(f"{_NAME}: {pattern!r} is not a pattern: {error}") from None

    def of_path(self, path: str) -> float:
        """The factor of the weight of a path."""
        if self.given is None:
            return 1.0
        if callable(self.given):
            return _check(self.given(path), f"{_NAME}({path!r})")
        found = (f for pattern, f in self.given.items() if re.search(pattern, path))
        return float(next(found, 1.0))

    def factor(self, variable) -> float:
        """The factor of a `keras.Variable`, or of a `tf.Variable`, which has a name only."""
        return self.of_path(getattr(variable, "path", variable.name))

    def get_config(self):
        """What a saved optimizer holds: None, a dict, or a function as Keras serialises it."""
        if callable(self.given):
            return keras.saving.serialize_keras_object(self.given)
        return None if self.given is None else dict(self.given)

    @staticmethod
    def restored(config: dict, custom_objects=None) -> dict:
        """An optimizer's config with the function in place of its serialised form."""
        saved = config.get(_NAME)
        if not isinstance(saved, dict) or not isinstance(saved.get("class_name"), str):
            return config  # a pattern's factor is a number
        function = keras.saving.deserialize_keras_object(saved, custom_objects)
        return {**config, _NAME: function}


def _check(factor, name):
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor >= 0:
        raise InputError(f"{name} must be a number of at least 0; got {factor!r}")
    return float(factor)
