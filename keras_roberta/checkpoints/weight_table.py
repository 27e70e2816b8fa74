"""Tables of weights: which tensors of another library each of ours is made of.

A format that keeps PyTorch's tensors has a table of its encoder and one of each head; what is read,
checked and written by a table is the same for all.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from keras_roberta.checkpoints.assign_weights import assign_weights
from keras_roberta.checkpoints.finite_weights import check_finite
from keras_roberta.checkpoints.tensor_files import StateDict
from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Weight:
    """One of our weights and the tensors it is made of.

    Attributes:
        name: ours. One that ends in `/kernel` is the transpose of theirs.
        sources: theirs; several are concatenated on our last axis.
        shape: of each source, as PyTorch stores it. A size may have a name, which stands for
            the same number in all weights of a head.
        other_source: another name under which some checkpoints have the only source, such as
            `gamma` for a layer norm's `weight`.
    """

    name: str
    sources: tuple[str, ...]
    shape: tuple[int | str, ...]
    other_source: str | None = None

    def with_prefix(self, old: str, new: str) -> "Weight":
        """The same where theirs begin with `new` in the place of `old`."""
        sources = (new + s.removeprefix(old) if s.startswith(old) else s for s in self.sources)
        return dataclasses.replace(self, sources=tuple(sources))

    def from_sources(self, arrays: list[np.ndarray]) -> np.ndarray:
        if self.name.endswith("/kernel"):
            arrays = [array.T for array in arrays]
        return np.ascontiguousarray(np.concatenate(arrays, axis=-1) if arrays[1:] else arrays[0])

    def to_sources(self, array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Views of the array, which need not lie in rows."""
        arrays = np.split(array, len(self.sources), axis=-1) if self.sources[1:] else [array]
        for source, part in zip(self.sources, arrays, strict=True):
            yield source, part.T if self.name.endswith("/kernel") else part


def find_sources(
    state: Mapping[str, np.ndarray], weights: Iterable[Weight], prefix: str = ""
) -> dict[str, str]:
    """The name that a state dict has for each source of a table.

    Args:
        state: tensors by name, of which none is read.
        prefix: in front of all names.

    Raises:
        InputError: names the tensors that are missing.
    """
    names = {}
    for weight in weights:
        for source in weight.sources:
            others = () if weight.other_source is None else (weight.other_source,)
            candidates = (prefix + name for name in (source, *others))
            names[source] = next((name for name in candidates if name in state), None)
    missing = [prefix + source for source, name in names.items() if name is None]
    if missing:
        raise InputError(f"the checkpoint lacks {listed(missing)}")
    return names


def check_shapes(
    state: Mapping[str, np.ndarray],
    weights: Iterable[Weight],
    names: Mapping[str, str],
    sizes: dict[str, int],
) -> None:
    """Compares the shapes of tensors with a table; none is read.

    Args:
        names: see `find_sources`.
        sizes: the numbers that sizes with a name stand for. One that is not in it is what the first
            shape with it says, and is added.

    Raises:
        InputError: names the first tensor that does not fit.
    """
    for weight in weights:
        for source in weight.sources:
            _check_shape(names[source], _shape(state, names[source]), weight, sizes)


def load_into(
    variables: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    weights: Iterable[Weight],
    names: Mapping[str, str],
) -> None:
    """Assigns the weights of a table to variables by our names, one after the other.

    Each is read in its variable's own dtype, so that a model of 16 bits is never there in 32.

    Args:
        names: see `find_sources`.

    Raises:
        InputError: a tensor is of whole numbers, or not finite, or a variable is missing or has
            another shape.
    """
    table = {weight.name: weight for weight in weights}
    for name, variable in variables.items():
        dtype = np.dtype(str(variable.dtype))
        arrays = {name: _load(state, table[name], names, dtype)} if name in table else {}
        assign_weights({name: variable}, arrays)


def _load(state, weight: Weight, names: Mapping[str, str], dtype: np.dtype) -> np.ndarray:
    arrays = []
    for source in weight.sources:
        name = names[source]
        array = state.read(name, dtype) if isinstance(state, StateDict) else state[name]
        if array.dtype.kind != "f" and array.dtype != dtype:
            raise InputError(
                f"{name} is stored as {array.dtype}; weights are floating-point numbers"
            )
        check_finite(name, array)
        arrays.append(array)
    return weight.from_sources(arrays)


def zeros_like(
    state: Mapping[str, np.ndarray], weights: Iterable[Weight], names: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Zeros in the shapes of our weights, by name; no tensor is read, and no memory taken."""
    zeros = {}
    for weight in weights:
        shapes = [_shape(state, names[source]) for source in weight.sources]
        if weight.name.endswith("/kernel"):
            shapes = [shape[::-1] for shape in shapes]
        shape = shapes[0]
        if shapes[1:]:
            shape = (*shape[:-1], sum(shape[-1] for shape in shapes))
        zeros[weight.name] = np.broadcast_to(np.float32(0), shape)
    return zeros


def stored_weights(
    arrays: Mapping[str, np.ndarray], weights: Iterable[Weight], sizes: Mapping[str, int]
) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors of a table by their names there: the inverse of `load_into`.

    They are views of the arrays, which take no memory of their own.

    Args:
        arrays: ours by name, all of the table and no others.
        sizes: see `check_shapes`; empty to check none.

    Raises:
        InputError: an array is missing or does not fit.
    """
    weights, sizes = list(weights), dict(sizes)
    wrong = sorted({weight.name for weight in weights} ^ set(arrays))
    if wrong:
        raise InputError(f"missing or unknown weights: {listed(wrong)}")
    for weight in weights:
        for source, array in weight.to_sources(np.asarray(arrays[weight.name])):
            if sizes:
                _check_shape(source, array.shape, weight, sizes)
            yield source, array


def listed(names: list[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shape(state, name: str) -> tuple[int, ...]:
    return state.shape(name) if isinstance(state, StateDict) else state[name].shape


def _check_shape(name: str, shape: tuple[int, ...], weight: Weight, sizes: dict[str, int]):
    for size, found in zip(weight.shape, shape, strict=False):
        if isinstance(size, str):
            sizes.setdefault(size, found)
    expected = tuple(sizes.get(size, size) for size in weight.shape)
    if shape != expected:
        raise InputError(f"{name} has the shape {tuple(shape)}; expected {expected}")
