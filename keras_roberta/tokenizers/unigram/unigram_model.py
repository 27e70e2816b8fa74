"""A Unigram model (Kudo 2018, "Subword regularization"): pieces, scores and a character map."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.kinds.kind import as_object
from keras_roberta.tokenizers.special_token_names import (
    FRONT_TOKENS,
    MASK_TOKEN,
    SpecialTokenNames,
)
from keras_roberta.tokenizers.unigram.wire_format import field, float_field, number_field

UNKNOWN_PENALTY = np.float32(10)  # how far below the worst piece: sentencepiece's kUnkPenalty
# CamemBERT's vocabulary holds the places of tokens that fairseq numbers anew.
_NOT_USED = re.compile("<.*>NOTUSED")
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # types of pieces
META_SPACE = "\u2581"  # "▁", which pieces hold for a space


@dataclass(frozen=True, eq=False)
class UnigramModel:
    """Pieces by id.

    Attributes:
        pieces: text of each id; U+2581 stands for a space.
        scores: float32 (ids,), log probabilities.
        in_texts: bool (ids,), whether an id stands for its text; the others are special.
        unknown_id: the id of characters that no piece has.
        character_map: sentencepiece's `precompiled_charsmap`, see `character_map.rules_of`; empty
            for a model that leaves characters as they are.
    """

    pieces: list[str]
    scores: np.ndarray
    in_texts: np.ndarray
    unknown_id: int
    character_map: bytes

    @classmethod
    def from_tokenizer_json(
        cls, content: dict[str, Any], special_ids: Collection[int]
    ) -> UnigramModel:
        """The model in the content of a `tokenizer.json`.

        Args:
            special_ids: of tokens that stand for no text.

        Raises:
            InputError: a piece is empty or occurs twice, or the character map is mangled.
        """
        model = content["model"]
        pieces = [token for token, _ in model["vocab"]]
        in_texts = np.ones(len(pieces), bool)
        in_texts[[i for i in special_ids if i < len(pieces)]] = False
        in_texts[model["unk_id"]] = False
        in_texts[[i for i, token in enumerate(pieces) if _NOT_USED.fullmatch(token)]] = False
        if len(set(pieces)) < len(pieces) or any(not p or "\0" in p for p in pieces):
            raise InputError("model.vocab: a piece is empty, holds NUL or is there twice")
        if not in_texts.any():
            raise InputError("model.vocab: has special tokens alone")
        scores = np.array([score for _, score in model["vocab"]], np.float32)
        if not np.isfinite(scores).all():
            raise InputError("model.vocab: a score is no finite number")
        return cls(pieces, scores, in_texts, model["unk_id"], _character_map_of(content))

    @property
    def unknown_score(self) -> np.float32:
        """The score of a character that no piece has."""
        return self.scores[self.in_texts].min() - UNKNOWN_PENALTY

    def serialized(self) -> bytes:
        """As sentencepiece's `ModelProto`, in which a piece's number is its id here."""
        kinds = [_NORMAL if in_texts else _CONTROL for in_texts in self.in_texts]
        kinds[self.unknown_id] = _UNKNOWN
        return self._proto(zip(self.pieces, self.scores.tolist(), kinds, strict=True))

    def model_file(self) -> bytes:
        """As `sentencepiece.bpe.model`, whose pieces have fairseq's ids: see `model_file.py`.

        Raises:
            InputError: the ids are others.
        """
        end = len(self.pieces) - (self.pieces[-1] == MASK_TOKEN)
        front = len(FRONT_TOKENS)
        if tuple(self.pieces[:front]) != FRONT_TOKENS or not self.in_texts[front:end].all():
            raise InputError(
                "its ids are not those that fairseq gives pieces: "
                f"{', '.join(FRONT_TOKENS)}, the pieces and {MASK_TOKEN}"
            )
        names = SpecialTokenNames()
        own = [(names.unk, 0.0, _UNKNOWN), (names.start, 0.0, _CONTROL), (names.end, 0.0, _CONTROL)]
        pieces, scores = self.pieces[front:end], self.scores[front:end].tolist()
        rows = ((piece, score, _NORMAL) for piece, score in zip(pieces, scores, strict=True))
        return self._proto([*own, *rows])

    def _proto(self, rows: Iterable[tuple[str, float, int]]) -> bytes:
        """A `ModelProto` of pieces with their scores and types."""
        parts = []
        for piece, score, kind in rows:
            content = field(1, piece.encode()) + float_field(2, score) + number_field(3, kind)
            parts.append(field(1, content))
        parts.append(field(2, number_field(3, 1)))  # trainer_spec.model_type: Unigram
        flags = b"".join(number_field(number, 1) for number in (3, 4, 5))
        parts.append(field(3, field(2, self.character_map) + flags))  # normalizer_spec
        return b"".join(parts)


def normalizers_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the `normalizer` of a `tokenizer.json`, in their order."""
    return _parts(content.get("normalizer"), "normalizers")


def pre_tokenizers_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of its `pre_tokenizer`."""
    return _parts(content.get("pre_tokenizer"), "pretokenizers")


def _parts(value: Any, name: str) -> list[dict[str, Any]]:
    value = as_object(value)
    if value.get("type") != "Sequence":
        return [value] if value else []
    parts = value.get(name)
    return [as_object(part) for part in parts] if isinstance(parts, list) else []


def _character_map_of(content: dict[str, Any]) -> bytes:
    for part in normalizers_of(content):
        if part.get("type") == "Precompiled":
            try:
                return base64.b64decode(part["precompiled_charsmap"] or "", validate=True)
            except (KeyError, TypeError, ValueError, binascii.Error):
                raise InputError("normalizer.precompiled_charsmap: is not base64") from None
    return b""
