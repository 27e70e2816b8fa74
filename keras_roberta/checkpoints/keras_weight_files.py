"""The weights of a preset as Keras writes them: `model.weights.h5`, or shards and their index."""

import pathlib
from collections.abc import Callable, Iterable
from typing import Any

from keras_roberta.checkpoints.finite_weights import check_finite_variables
from keras_roberta.checkpoints.preset_kinds import SHARDS
from keras_roberta.checkpoints.protocol import naming
from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import short
from keras_roberta.files.regular_file import check_regular, is_file_name

_WHOLE, _INDEX = "model.weights.h5", "model.weights.json"


def weights_of(directory: pathlib.Path) -> pathlib.Path:
    """The file that Keras loads the encoder from: the whole one, or the index of the shards."""
    path = directory / _WHOLE
    return path if path.exists() else directory / _INDEX


def weight_files(directory: pathlib.Path) -> list[pathlib.Path]:
    """The files with the encoder's weights.

    Raises:
        InputError: the index of the shards is damaged.
    """
    path, index = directory / _WHOLE, directory / _INDEX
    if path.exists() or not index.exists():
        return [path]
    names: set[str] = set()
    found = read_json_object(index, SHARDS, hint="is this a model's directory?")
    for name in found["weight_map"].values():
        names.update([name] if isinstance(name, str) else name)
    for name in names:
        if not is_file_name(name):
            raise InputError(f"{index}: names {short(name)}, which is not a file beside it")
    return [directory / name for name in sorted(names)]


def load_weight_file(
    load: Callable[[str], Any], path: pathlib.Path, variables: Iterable[Any]
) -> None:
    """Has Keras load a file.

    Args:
        load: is given the path.
        path: of the file.
        variables: those that are loaded.

    Raises:
        InputError: there is no such file, it does not fit, or a weight is not finite.
    """
    check_regular(path, hint="the preset is not complete")
    try:
        load(str(path))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise InputError(
            f"{path}: does not hold this model's weights ({in_one_line(error)})"
        ) from error
    with naming(path):
        check_finite_variables(variables)


def in_one_line(error: BaseException) -> str:
    """What Keras says, without its lists of objects; its first line has not the cause."""
    text = str(error).partition("List of objects")[0]
    text = text.partition("Example error message for ")[2] or text
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
