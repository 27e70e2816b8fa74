"""What a vocabulary calls its special tokens."""

from __future__ import annotations

from typing import NamedTuple

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.kinds.kind import as_object
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles

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
    def from_files(cls, files: TokenizerFiles) -> SpecialTokenNames:
        """As `tokenizer_config.json` has them, or `special_tokens_map.json`, where these do."""
        names = {}
        for role, fields in _FIELDS.items():
            values = [
                settings.get(field)
                for settings in (files.config, files.special_tokens_map)
                for field in fields
            ]
            values = [as_object(value).get("content", value) for value in values]
            found = [value for value in values if isinstance(value, str)]
            if found:
                names[role] = found[0]
        return cls(**names)

    def as_config(self) -> dict[str, str]:
        """The entries of a `tokenizer_config.json`."""
        return {field: name for name, fields in zip(self, _FIELDS.values(), strict=True)
                for field in fields}  # fmt: skip


def check_special_tokens(vocabulary, special_tokens) -> None:
    """Raises an InputError if the vocabulary lacks a special token."""
    missing = [token for token in special_tokens if token not in vocabulary]
    if missing:
        raise InputError(
            f"the vocabulary lacks {' '.join(missing)}; RoBERTa needs all of "
            f"{' '.join(special_tokens)}"
        )
