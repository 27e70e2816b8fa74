"""Hugging Face's names for what a tokenizer does: `convert_tokens_to_ids`, `bos_token`, …"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.added_tokens import token_list
from keras_roberta.tokenizers.hugging_face_call import encode


class HuggingFaceNames:
    """Hugging Face's names for what a tokenizer does, mixed into a `protocol.Tokenizer`."""

    # Text to tokens and back

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> list[int]:
        """The ids of one text; the options are those of calling the tokenizer."""
        return encode(self, text, text_pair, **options)["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens=False) -> list[str]:
        """The tokens of a text as the vocabulary spells them."""
        return encode(self, text, pair, add_special_tokens=add_special_tokens).tokens()

    def batch_decode(
        self, rows: Iterable[Iterable[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """The same as `decode_batch`."""
        return self.decode_batch(rows, skip_special_tokens)

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> int | list[int]:
        """The id of a token, or of each of many; that of `<unk>` where there is none."""
        if isinstance(tokens, str):
            index = self.token_to_id(tokens)
            return self.unk_token_id if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(
        self, ids: int | Iterable[int], skip_special_tokens: bool = False
    ) -> str | None | list[str | None]:
        """The token of an id, or of each of many, as the vocabulary spells it."""
        if isinstance(ids, (int, np.integer)):
            return self.id_to_token(ids)
        skipped = self.special_token_ids if skip_special_tokens else ()
        return [self.id_to_token(index) for index in ids if index not in skipped]

    def convert_tokens_to_string(self, tokens: Iterable[str]) -> str:
        """The text of tokens as the vocabulary spells them."""
        return self.decode(self.convert_tokens_to_ids(tokens), skip_special_tokens=False)

    # Special tokens

    bos_token = cls_token = property(lambda self: self.id_to_token(self.start_token_id))
    eos_token = sep_token = property(lambda self: self.id_to_token(self.end_token_id))
    pad_token = property(lambda self: self.id_to_token(self.pad_token_id))
    unk_token = property(lambda self: self.id_to_token(self.unk_token_id))
    mask_token = property(lambda self: self.id_to_token(self.mask_token_id))
    bos_token_id = cls_token_id = property(lambda self: self.start_token_id)
    eos_token_id = sep_token_id = property(lambda self: self.end_token_id)

    @property
    def all_special_ids(self) -> list[int]:
        return self.convert_tokens_to_ids(self.all_special_tokens)

    @property
    def all_special_tokens(self) -> list[str]:
        """The five by what they do, as Transformers orders them, then the others."""
        ids = (self.start_token_id, self.end_token_id, self.unk_token_id, self.pad_token_id)
        ids = dict.fromkeys((*ids, self.mask_token_id, *self.special_token_ids))
        return self.convert_ids_to_tokens(ids)

    @property
    def special_tokens_map(self) -> dict[str, str]:
        roles = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        return {f"{role}_token": getattr(self, f"{role}_token") for role in roles}

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens are put around a text, or around a pair."""
        layout = self.special_token_layout
        return sum(map(len, layout[2:] if pair else layout[:2]))

    # The vocabulary

    def get_vocab(self) -> dict[str, int]:
        return self.vocabulary

    def get_added_vocab(self) -> dict[str, int]:
        """The tokens that a text is searched for before it is split, token to id."""
        return {token.content: token.id for token in self.added_tokens}

    def __len__(self) -> int:
        """`vocabulary_size`: the rows that an embedding needs."""
        return self.vocabulary_size

    def add_special_tokens(self, tokens: dict[str, Any]) -> int:
        """Adds special tokens: `{"additional_special_tokens": ["<ent>"]}`.

        Returns:
            how many were added.

        Raises:
            InputError: it names another special token for what has one (`mask_token` and so on), or
                the additional ones are no list.
        """
        extra = []
        for role, value in tokens.items():
            if role in ("additional_special_tokens", "extra_special_tokens"):
                extra += token_list(value, role)
            elif str(value) != self.special_tokens_map.get(role, ""):
                known = ", ".join((*self.special_tokens_map, "additional_special_tokens"))
                if role not in self.special_tokens_map:
                    raise InputError(f"there is no special token {role!r}; known: {known}")
                raise InputError(
                    f"{role} is {self.special_tokens_map[role]!r}; to call it {str(value)!r}, say "
                    "so in tokenizer_config.json and open the tokenizer again"
                )
        return self.add_tokens(extra, special_tokens=True)
