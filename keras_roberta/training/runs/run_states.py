"""Saved states of a training run, from which it goes on as if it had never stopped."""

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_roberta.checkpoints.finite_weights import check_finite
from keras_roberta.checkpoints.tensor_files import read_safetensors
from keras_roberta.errors import InputError, OutputError
from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.files.json_file import checked_object
from keras_roberta.files.json_kinds import Kind, Record, Whole
from keras_roberta.files.temporaries import sweep

logger = logging.getLogger("keras_roberta")

_MORE = "more/"  # in front of tensors that are no variables of the model


class RunStates:
    """The last saved states of a run: `step-00001000.safetensors` and so on.

    A state contains all weights, the seeds of dropout, all variables of the optimizer, and more
    values as JSON. It contains no code. The newest file is always complete, even if the machine
    stops; see `atomic_file`.

    Args:
        directory: the directory for the files.
        keep: the number of states to keep.

    Raises:
        InputError: `keep` is less than 1.
    """

    def __init__(self, directory: str | os.PathLike, keep: int = 2):
        if keep < 1:
            raise InputError(f"keep at least 1 state; got {keep}")
        self.directory, self.keep = Path(directory), keep

    def save(
        self,
        model: keras.Model,
        step: int,
        *,
        tensors: Mapping[str, np.ndarray] | None = None,
        **values: Any,
    ) -> None:
        """Writes the state after `step` steps, and removes old states.

        Args:
            model: a compiled model whose optimizer is built.
            step: number of batches seen so far. The data goes on from there.
            tensors: more arrays for `restore` to return.
            **values: more values for `restore` to return. They are stored as JSON.

        Raises:
            OutputError: the file cannot be written, for example because the disk is full.
        """
        from safetensors.numpy import save_file

        tensors = {f"{_MORE}{name}": np.ascontiguousarray(t) for name, t in (tensors or {}).items()}
        tensors |= {name: np.array(v, order="C") for name, v in state_variables(model).items()}
        metadata = {"run": json.dumps({"step": step, **values})}
        path = self.directory / f"step-{step:08}.safetensors"
        try:
            with atomic_file(path) as temporary:
                save_file(tensors, temporary, metadata)
        except OutputError as error:
            newest = next(iter(self._newest_first()), None)
            goes_on = f"go on from {newest.name}" if newest else "start again"
            raise OutputError(
                path, error.reason, f"put that right, and the same command will {goes_on}"
            ) from None
        for old in self._newest_first()[self.keep :]:
            old.unlink()

    def restore(self, model: keras.Model, kind: Kind | None = None) -> dict[str, Any] | None:
        """Loads the newest readable state into the model.

        Args:
            model: a compiled model whose optimizer is built.
            kind: what the values of a state have to be.

        Returns:
            `{"step": …, **values}` as given to `save`, with `tensors` if any were given; or None if
            there is no saved state.

        Raises:
            InputError: the states belong to another model, or none of them can be read.
        """
        from safetensors import SafetensorError, safe_open

        kind = kind or Record({"step": Whole(0)})
        sweep(self.directory)
        found = self._newest_first()
        for path in found:
            try:
                tensors = {name: view.read() for name, view in read_safetensors(path).items()}
                with safe_open(path, framework="numpy") as file:
                    run = (file.metadata() or {}).get("run", "")
                values = checked_object(run, "its metadata", kind)
                _check_finite(model, tensors)
            except (OSError, SafetensorError, ValueError) as error:
                logger.warning("%s: cannot be read (%s); going back to an older one", path, error)
                continue
            more = {name.removeprefix(_MORE): t for name, t in tensors.items() if _is_more(name)}
            _assign(model, {n: t for n, t in tensors.items() if not _is_more(n)}, path)
            return {**values, "tensors": more} if more else values
        if found:
            raise InputError(f"{self.directory}: none of its states can be read; start a new run")
        return None

    def clear(self) -> None:
        """Removes all states."""
        for path in self._newest_first():
            path.unlink()

    def _newest_first(self):
        named = re.compile(r"step-\d{8,}\.safetensors")
        found = [path for path in self.directory.glob("*") if named.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)


def state_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All variables that a training step reads and writes, by names that every process agrees on.

    Args:
        model: a compiled model whose optimizer is built.
    """
    weights = {id(v) for v in model.weights}
    # The seeds of dropout. Keras counts up their names, and the optimizer's, within a process.
    seeds = [v for v in model.variables if id(v) not in weights and "seed" in v.path]
    return {
        **{f"model/{v.path}": v for v in model.weights},
        **{f"seed/{i}": v for i, v in enumerate(seeds)},
        **{
            f"optimizer/{i}/{v.path.partition('/')[2]}": v
            for i, v in enumerate(model.optimizer.variables)
        },
    }


def _is_more(name):
    return name.startswith(_MORE)


def _check_finite(model, tensors):
    """Raises an InputError where a weight is not a finite number; the optimizer's may be."""
    for name in tensors:
        if name.startswith("model/") and tensors[name].dtype.kind == "f":
            check_finite(name, tensors[name])


def _assign(model, tensors, path):
    variables = state_variables(model)
    wrong = sorted(set(variables) ^ set(tensors)) or [
        name
        for name, v in variables.items()
        if tuple(v.shape) != tensors[name].shape
        or ("float" in str(v.dtype)) != (tensors[name].dtype.kind not in "biu")
    ]
    if wrong:
        raise InputError(f"{path}: a state of another model ({wrong[0]} does not fit)")
    for name, variable in variables.items():
        variable.assign(tensors[name])
