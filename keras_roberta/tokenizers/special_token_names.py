"""What a vocabulary calls its special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.kinds.kind import as_object

_FIELDS = {
    "start": ("cls_token", "bos_token"),
    "pad": ("pad_token",),
    "end": ("sep_token", "eos_token"),
    "unk": ("unk_token",),
    "mask": ("mask_token",),
}


class SpecialTokenNames(NamedTuple):
    """What a vocabulary calls the special tokens that RoBERTa calls
    `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>`."""

    start: str = "<s>"
    pad: str = "<pad>"
    end: str = "</s>"
    unk: str = "<unk>"
    mask: str = "<mask>"

    @classmethod
    def from_settings(cls, *contents: Mapping[str, Any]) -> SpecialTokenNames:
        """As the contents of a `tokenizer_config.json` and a `special_tokens_map.json` have them;
        the first that names a token counts."""
        names = {}
        for role, fields in _FIELDS.items():
            values = [settings.get(field) for settings in contents for field in fields]
            values = [as_object(value).get("content", value) for value in values]
            found = [value for value in values if isinstance(value, str)]
            if found:
                names[role] = found[0]
        return cls(**names)

    def as_config(self) -> dict[str, str]:
        """The entries of a `tokenizer_config.json`."""
        return {field: name for name, fields in zip(self, _FIELDS.values(), strict=True)
                for field in fields}  # fmt: skip


SPECIAL_TOKENS = tuple(SpecialTokenNames())
# fairseq numbers four of them from 0 on, and puts the last one behind the vocabulary.
FRONT_TOKENS, MASK_TOKEN = SPECIAL_TOKENS[:4], SPECIAL_TOKENS[4]


def check_special_tokens(vocabulary, special_tokens) -> None:
    """Raises an InputError if the vocabulary lacks a special token."""
    missing = [token for token in special_tokens if token not in vocabulary]
    if missing:
        raise InputError(
            f"the vocabulary lacks {' '.join(missing)}; RoBERTa needs all of "
            f"{' '.join(special_tokens)}"
        )
