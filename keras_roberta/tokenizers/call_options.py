"""Hugging Face's options of calling a tokenizer: which there are, and what they mean."""

from __future__ import annotations

from types import NoneType
from typing import Any, NamedTuple

from keras_roberta.errors import InputError
from keras_roberta.options.option import Option
from keras_roberta.options.values import checked
from keras_roberta.unknown_arguments import nearest

_PADDING = {False: None, True: "longest", None: None, "do_not_pad": None}
_PADDING |= {name: name for name in ("longest", "max_length")}
_TRUNCATION = {False: None, True: "longest_first", "do_not_truncate": None}
_TRUNCATION |= {name: name for name in ("longest_first", "only_first", "only_second")}


class Options(NamedTuple):
    """Options of a call beside the texts.

    Attributes:
        padding: True or "longest", to the longest row; "max_length"; or False.
        truncation: True or "longest_first", "only_first", "only_second", or False. None: cut if
            `max_length` is given and nothing is padded.
        stride: how many tokens of the text a row shares with the one before it, where
            `return_overflowing_tokens` gives what was cut as further rows.
        is_split_into_words: whether texts are lists of words.
        pad_to_multiple_of: the padded length is a multiple of it.
        padding_side: "right" or "left".
        return_tensors: "np" or "tf"; None for lists.
        return_attention_mask, return_overflowing_tokens, return_special_tokens_mask,
        return_offsets_mapping, return_length, return_token_type_ids: what to give; overflowing
            rows come with `overflow_to_sample_mapping`.
    """

    padding: bool | str | None = False
    truncation: bool | str | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: str | None = None
    return_attention_mask: bool | None = True
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    return_token_type_ids: bool | None = False
    verbose: bool = True  # taken for the sake of code that gives it

    @classmethod
    def of(cls, options: dict[str, Any]) -> Options:
        """Checks names and values."""
        for name in options:
            if name not in cls._fields:
                hint = nearest(name, cls._fields) or f"; known: {', '.join(cls._fields)}"
                raise InputError(f"a tokenizer has no option {name!r}{hint}")
        found = cls(**options)
        for name, known in (("padding", _PADDING), ("truncation", {None: None, **_TRUNCATION})):
            if not _is_among(getattr(found, name), known):
                raise _unknown(name, getattr(found, name), known)
        if not _is_among(found.return_tensors, (None, "np", "tf")):
            raise InputError(
                f"return_tensors: expected 'np' or 'tf'; got {found.return_tensors!r} (of 'np' "
                "every framework makes its tensors)"
            )
        if not _is_among(found.padding_side, (None, "right", "left")):
            raise _unknown("padding_side", found.padding_side, ("right", "left"))
        stride = checked("stride", int, Option("", at_least=0), found.stride)
        multiple = checked(
            "pad_to_multiple_of", int | None, Option("", at_least=1), found.pad_to_multiple_of
        )
        return found._replace(stride=stride, pad_to_multiple_of=multiple)

    def strategy(self, max_length) -> str | None:
        """How rows are cut."""
        if self.truncation is None:
            pads = _PADDING[self.padding] is not None
            return None if max_length is None or pads else "longest_first"
        return _TRUNCATION[self.truncation]

    @property
    def cuts(self) -> str:
        """Which text of a row that is too long is cut."""
        return _TRUNCATION[self.truncation or True]

    def longest(self, max_length, tokenizer) -> int | None:
        """Tokens that a row may have; None for any number."""
        if self.strategy(max_length) is None:
            return None
        return tokenizer.model_max_length if max_length is None else max_length

    def padded_length(self, lengths, max_length, tokenizer) -> int | None:
        """The length to which rows are padded, if they are."""
        strategy, length = _PADDING[self.padding], max(lengths, default=0)
        if strategy == "max_length":
            length = max_length or tokenizer.model_max_length or None
        elif strategy is None:
            length = None
        if length is not None and self.pad_to_multiple_of:
            length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
        return length


def _is_among(value, known) -> bool:
    """Whether a value is one of some; lists and the like, which have no hash, never are."""
    return isinstance(value, (str, bool, NoneType)) and value in known


def _unknown(name, value, known):
    return InputError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")
