"""Tables of weights: which tensors of another library each of ours is made of.

A format that keeps PyTorch's tensors has a table of its encoder and one of each head; what is read,
checked and written by a table is the same for all.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

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

    def from_sources(self, arrays: list[np.ndarray]) -> np.ndarray:
        if self.name.endswith("/kernel"):
            arrays = [array.T for array in arrays]
        return np.ascontiguousarray(np.concatenate(arrays, axis=-1) if arrays[1:] else arrays[0])

    def to_sources(self, array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        arrays = np.split(array, len(self.sources), axis=-1) if self.sources[1:] else [array]
        for source, part in zip(self.sources, arrays, strict=True):
            yield source, np.ascontiguousarray(part.T if self.name.endswith("/kernel") else part)


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


def load_weights(
    state: Mapping[str, np.ndarray], weights: Iterable[Weight], names: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Our weights by name.

    Args:
        names: see `find_sources`.

    Raises:
        InputError: a tensor is of whole numbers, or not finite.
    """
    loaded = {}
    for weight in weights:
        arrays = []
        for source in weight.sources:
            array = state[names[source]]
            if array.dtype.kind != "f":
                raise InputError(
                    f"{names[source]} is stored as {array.dtype}; weights are floating-point "
                    "numbers"
                )
            check_finite(names[source], array)
            arrays.append(array)
        loaded[weight.name] = weight.from_sources(arrays)
    return loaded


def zeros_like(
    state: Mapping[str, np.ndarray], weights: Iterable[Weight], names: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Zeros in the shapes of `load_weights`; no tensor is read."""
    zero = np.float32(0)
    return {
        weight.name: weight.from_sources(
            [np.broadcast_to(zero, _shape(state, names[source])) for source in weight.sources]
        )
        for weight in weights
    }


def stored_weights(
    arrays: Mapping[str, np.ndarray], weights: Iterable[Weight], sizes: Mapping[str, int]
) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors of a table by their names there: the inverse of `load_weights`.

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
