"""Looks through an HDF5 file of weights before Keras reads it.

What is in it is only counted: whether the weights are a model's, Keras sees. But HDF5 can do much
that weights do not need: point into other files, give terabytes of one fill value, hold complex
numbers, whose imaginary parts NumPy drops.
"""

import os
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.regular_file import check_regular

_MOST_LINKS = 100_000
_MOST_EXPANSION = 1000  # deflate's own bound
_ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError),
    *(OverflowError, MemoryError, IndexError, NotImplementedError, SystemError),
)


def count_stored_numbers(path: str | os.PathLike, *, whole_numbers: bool = False) -> int:
    """How many numbers the datasets of an HDF5 file have together.

    Args:
        path: the file.
        whole_numbers: whether weights may be whole numbers, as those of a quantised model are.

    Raises:
        InputError: it is no such file, is damaged, or has something that no weights have.
    """
    import h5py  # here, since every --help would wait for it

    size = check_regular(path, hint="the preset is not complete")
    try:
        with h5py.File(path, "r") as file:
            return _count(file, size, path, whole_numbers)
    except InputError:
        raise
    except _ERRORS as error:
        raise InputError(f"{path}: not an HDF5 file, or damaged ({reason_of(error)})") from None


def _count(file, size, path, whole_numbers) -> int:
    import h5py

    links: list[str] = []

    def note(name: str, link: Any) -> str | None:
        """Stops the walk with what is wrong; the library does not let an exception through."""
        links.append(name)
        if not isinstance(link, h5py.HardLink):
            return f"{name:.200} points elsewhere, which no weights do"
        return "it holds too many entries" if len(links) > _MOST_LINKS else None

    if problem := file.visititems_links(note):
        raise InputError(f"{path}: {problem}")
    numbers = stored = 0
    for name in links:
        item = file[name]
        if isinstance(item, h5py.Dataset):
            _check_dataset(name, item, path, whole_numbers)
            numbers += item.size
            stored += item.id.get_storage_size()
    if stored > size:
        raise InputError(f"{path}: its datasets take {stored:,} bytes, the file has {size:,}")
    return numbers


def _check_dataset(name, dataset, path, whole_numbers) -> None:
    if dataset.shape is None or dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: {name:.200} holds no numbers of its own")
    dtype = dataset.dtype
    is_bfloat16 = (dtype.kind, dtype.itemsize, dtype.names) == ("V", 2, None)
    if not (dtype.kind == "f" or is_bfloat16 or (whole_numbers and dtype.kind in "iu")):
        raise InputError(
            f"{path}: {name:.200} is stored as {dtype}; weights are floating-point numbers"
        )
    if dataset.nbytes > _MOST_EXPANSION * dataset.id.get_storage_size():
        raise InputError(
            f"{path}: {name:.200} has the shape {dataset.shape}, but next to no data; the file is "
            "damaged"
        )
