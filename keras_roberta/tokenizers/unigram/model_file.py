"""Reads `sentencepiece.bpe.model`, sentencepiece's own file, as XLM-R's checkpoints carry it.

It is a `ModelProto` (sentencepiece_model.proto): pieces with scores, how the model was trained, and
how it normalizes texts. Ids are fairseq's: some special tokens stand in front, then come the file's
pieces behind its first three, which are its own special ones, and then `<mask>`. Which ones stand
in front is not in the file: XLM-R's are `<s>`, `<pad>`, `</s>` and `<unk>`. CamemBERT's dictionary
held the file's own three as well, so that its `<s>` and `</s>` are 5 and 6.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import LARGEST
from keras_roberta.files.json_kinds import short
from keras_roberta.files.regular_file import read_regular
from keras_roberta.tokenizers.special_token_names import (
    FRONT_TOKENS,
    MASK_TOKEN,
    SPECIAL_TOKENS,
    SpecialTokenNames,
)
from keras_roberta.tokenizers.unigram.unigram_model import META_SPACE
from keras_roberta.tokenizers.unigram.wire_format import WireError, field, fields

_TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}
_OWN = ("UNKNOWN", "CONTROL", "CONTROL")  # of the first three pieces: <unk>, <s>, </s>
# What stands in front of the pieces, as Transformers writes it in a `tokenizer.json`.
XLM_R = FRONT_TOKENS
CAMEMBERT = (
    *("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"),
    *("<s>", "</s>"),
)
_MODEL_TYPES = {1: "Unigram", 2: "BPE", 3: "Word", 4: "Char"}


def read_model_file(path: Path, front: Sequence[str] = XLM_R) -> dict[str, Any]:
    """The content of the `tokenizer.json` that says the same, as Transformers writes it.

    Args:
        front: the tokens in front of the pieces, `XLM_R` or `CAMEMBERT`.

    Raises:
        InputError: names the file, the field and what is wrong with it.
    """
    pieces, trainer, normalizer = [], {}, {}
    try:
        for number, value in fields(read_regular(path, at_most=LARGEST)):
            if number == 1:
                pieces.append(dict(fields(_message(value, "pieces"))))
            elif number == 2:
                trainer |= dict(fields(_message(value, "trainer_spec")))
            elif number == 3:
                normalizer |= dict(fields(_message(value, "normalizer_spec")))
        rules = _message(normalizer.get(2, b""), "normalizer_spec.precompiled_charsmap")
    except WireError as error:
        raise InputError(f"{path}: not a sentencepiece model ({error})") from None
    if not pieces:
        raise InputError(f"{path}: not a sentencepiece model (it has no pieces)")
    _check_settings(trainer, normalizer, path)
    return _tokenizer_json(_vocabulary(pieces, front, path), _character_map(rules, path))


def _check_settings(trainer: dict, normalizer: dict, path: Path) -> None:
    model_type = trainer.get(3, 1)
    if model_type != 1:
        found = _MODEL_TYPES.get(model_type, model_type)
        raise InputError(
            f"{path}: trainer_spec.model_type is {found}; only Unigram models can be read"
        )
    for name, value, usual in (
        ("trainer_spec.treat_whitespace_as_suffix", trainer.get(24, 0), 0),
        ("trainer_spec.byte_fallback", trainer.get(35, 0), 0),
        ("normalizer_spec.add_dummy_prefix", normalizer.get(3, 1), 1),
        ("normalizer_spec.remove_extra_whitespaces", normalizer.get(4, 1), 1),
        ("normalizer_spec.escape_whitespaces", normalizer.get(5, 1), 1),
    ):
        if value != usual:
            is_, needed = ("true", "false") if value else ("false", "true")
            raise InputError(f"{path}: {name} is {is_}; only models where it is {needed} can be "
                             "read, as XLM-R's is")  # fmt: skip


def _vocabulary(pieces: list[dict], front: Sequence[str], path: Path) -> list[list]:
    """[text, score] of each id."""
    found = [[token, 0.0] for token in front]
    known = {*front, MASK_TOKEN}
    for i, piece in enumerate(pieces):
        kind = _TYPES.get(piece.get(3, 1), piece.get(3))
        if i < len(_OWN):
            if kind != _OWN[i]:
                raise InputError(f"{path}: pieces[{i}].type is {kind}; expected {_OWN[i]}: the "
                                 "first three are <unk>, <s> and </s>")  # fmt: skip
            continue
        if kind != "NORMAL":
            raise InputError(f"{path}: pieces[{i}].type is {kind}; only NORMAL pieces can be read "
                             "behind the first three")  # fmt: skip
        text, score = piece.get(1, b""), piece.get(2, bytes(4))
        try:
            text = text.decode()
        except (UnicodeDecodeError, AttributeError):
            raise InputError(f"{path}: pieces[{i}].piece is not UTF-8 ({text!r:.60})") from None
        if not text or "\0" in text or text in known:
            what = f"is {short(text)} a second time" if text in known else "is empty or holds NUL"
            raise InputError(f"{path}: pieces[{i}].piece {what}; is the download complete?")
        score = struct.unpack("<f", score)[0] if isinstance(score, bytes) and len(score) == 4 else math.nan  # fmt: skip  # noqa: E501
        if not math.isfinite(score):
            raise InputError(f"{path}: pieces[{i}].score is no finite number; is the download "
                             "complete?")  # fmt: skip
        known.add(text)
        found.append([text, score])
    return [*found, [MASK_TOKEN, 0.0]]


def _tokenizer_json(vocabulary: list[list], character_map: bytes) -> dict[str, Any]:
    metaspace = {
        "type": "Metaspace",
        "replacement": META_SPACE,
        "prepend_scheme": "always",
        "split": True,
    }
    ids = {token: index for index, (token, _) in enumerate(vocabulary)}
    ids = {token: ids[token] for token in SPECIAL_TOKENS}
    names = SpecialTokenNames()
    flags = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    start, a, end, b = (
        {"SpecialToken": {"id": names.start, "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": names.end, "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 0}},
    )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        # `<mask>` takes white space in front along, as Transformers has it for XLM-R.
        "added_tokens": [
            {"id": index, "content": token, "lstrip": token == names.mask, **flags}
            for token, index in sorted(ids.items(), key=lambda item: item[1])
        ],
        "normalizer": {
            "type": "Precompiled",
            "precompiled_charsmap": base64.b64encode(character_map).decode(),
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, a, end],
            "pair": [start, a, end, end, b, end],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]}
                for token in (names.start, names.end)
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": ids[names.unk],
            "vocab": vocabulary,
            "byte_fallback": False,
        },
    }


def _message(value: int | bytes, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise WireError(f"its field {name} is a number")
    return value


def _character_map(value: bytes, path: Path) -> bytes:
    try:
        if value:
            sentencepiece.SentencePieceNormalizer(normalizer_spec=field(2, value))
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: normalizer_spec.precompiled_charsmap is mangled ({reason_of(error):.200})"
        ) from None
    return value
