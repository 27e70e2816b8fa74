"""The forms in which callers give texts, as lists of Unicode strings."""

import numpy as np

from keras_roberta.errors import InputError


def as_texts(texts) -> tuple[list[str], bool]:
    """A list of strings, and whether what was given was a single one.

    Args:
        texts: str or bytes, or a sequence, NumPy array or tensor of them. Bytes are read as UTF-8,
            malformed ones as U+FFFD.

    Raises:
        InputError: they are something else.
    """
    if isinstance(texts, (str, bytes)):
        return [_as_text(texts)], True
    if hasattr(texts, "numpy"):  # A tensor of any framework.
        texts = texts.numpy()
        if isinstance(texts, bytes):
            return [_as_text(texts)], True
    if isinstance(texts, np.ndarray):
        if texts.ndim > 1:
            raise InputError(f"texts have the shape {texts.shape}; expected one string or a row")
        if texts.ndim == 0:
            return [_as_text(texts.item())], True
        texts = texts.tolist()
    try:
        return [t if type(t) is str else _as_text(t) for t in texts], False
    except TypeError:
        raise InputError(f"texts: expected strings, found {type(texts).__name__}") from None


def as_batch(texts) -> list[str]:
    """As `as_texts`, and an InputError where a single string is given."""
    texts, one = as_texts(texts)
    if one:
        raise InputError("texts: expected a sequence of strings, found a single one")
    return texts


def without_surrogates(text: str) -> str:
    """Joins surrogate pairs to the character they mean and replaces lone ones by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _as_text(text) -> str:
    if isinstance(text, bytes):
        return text.decode("utf-8", errors="replace")
    if isinstance(text, str):
        return str(text)
    raise InputError(f"texts: expected strings, found {text!r:.80}")
