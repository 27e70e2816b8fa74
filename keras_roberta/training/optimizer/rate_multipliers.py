"""Different learning rates for different weights."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_roberta.errors import InputError

_NAME = "learning_rate_multipliers"


class RateMultipliers:
    """Factors of the learning rate, by the path of the weight.

    A weight that layers share (`RobertaConfig.parameter_sharing`) has the path of the first of
    them, and so its factor.

    Args:
        given: either a dict of regular expressions to factors, or a function from a path to a
            factor. In a dict, the first expression that is found in the path counts, and a weight
            without one has the factor 1. None: all factors are 1.

    Raises:
        InputError: a factor is not a number of at least 0, or an expression is malformed.

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
        """The factor of the weight with this path."""
        if self.given is None:
            return 1.0
        if callable(self.given):
            return _check(self.given(path), f"{_NAME}({path!r})")
        found = (f for pattern, f in self.given.items() if re.search(pattern, path))
        return float(next(found, 1.0))

    def factor(self, variable: Any) -> float:
        """The factor of a `keras.Variable`, or of a `tf.Variable`, which has only a name."""
        return self.of_path(getattr(variable, "path", variable.name))

    def get_config(self) -> dict[str, Any] | None:
        """What a saved optimizer contains: None, the dict, or the serialised function."""
        if callable(self.given):
            return keras.saving.serialize_keras_object(self.given)
        return None if self.given is None else dict(self.given)

    @staticmethod
    def restored(
        config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """An optimizer's config in which a serialised function is a function again."""
        saved = config.get(_NAME)
        if not isinstance(saved, dict) or not isinstance(saved.get("class_name"), str):
            return config  # a pattern's factor is a number
        function = keras.saving.deserialize_keras_object(saved, custom_objects)
        return {**config, _NAME: function}


def _check(factor, name):
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor >= 0:
        raise InputError(f"{name} must be a number of at least 0; got {factor!r}")
    return float(factor)
