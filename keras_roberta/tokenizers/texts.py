"""The forms in which callers give texts, as lists of Unicode strings."""

from collections.abc import Mapping, Set

from keras_roberta.errors import InputError

_TO_LIST = ("to_pylist", "to_list", "tolist")  # pyarrow; pandas and polars; numpy


def as_texts(texts) -> tuple[list[str], bool]:
    """A list of strings, and whether what was given was a single one.

    Args:
        texts: str or bytes, or a sequence, array, tensor or column (of pandas, polars, pyarrow) of
            them. Bytes are read as UTF-8, malformed ones as U+FFFD.

    Raises:
        InputError: they are something else; names the row.
    """
    if hasattr(texts, "numpy"):  # a tensor of any framework
        texts = texts.numpy()
    shape = getattr(texts, "shape", ())
    if len(shape) > 1:
        raise InputError(f"texts have the shape {tuple(shape)}; expected one string or a row")
    to_list = next((name for name in _TO_LIST if hasattr(texts, name)), None)
    if to_list:
        texts = getattr(texts, to_list)()
    if isinstance(texts, (str, bytes)):
        return [_as_text(texts)], True
    # Iterating over a table or a dict gives the names of its columns; a set has no order.
    if isinstance(texts, (Mapping, Set)) or hasattr(texts, "columns"):
        raise InputError(f"texts: expected strings, found a {type(texts).__name__}")
    try:
        texts = list(texts)
    except TypeError:
        raise InputError(f"texts: expected strings, found {type(texts).__name__}") from None
    return [t if type(t) is str else _as_text(t, row) for row, t in enumerate(texts)], False


def as_batch(texts) -> list[str]:
    """As `as_texts`, and an InputError where a single string is given."""
    texts, one = as_texts(texts)
    if one:
        raise InputError("texts: expected a sequence of strings, found a single one")
    return texts


def without_surrogates(text: str) -> str:
    """Joins surrogate pairs to the character they mean and replaces lone ones by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _as_text(text, row=None) -> str:
    if hasattr(text, "numpy"):  # a scalar tensor
        text = text.numpy()
    if isinstance(text, bytes):
        return text.decode("utf-8", errors="replace")
    if isinstance(text, str):
        return str(text)
    where = "" if row is None else f" in row {row}"
    raise InputError(f"texts: expected strings, found {text!r:.80}{where}")
