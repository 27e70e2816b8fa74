"""A tokenizer's file with a part of its vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.tokenizers.kinds.kind import Kind
from keras_roberta.tokenizers.protocol import Tokenizer

CHARACTERS = ("all", "used")


def kept_ids(
    tokenizer: Tokenizer,
    kind: Kind,
    model: dict[str, Any],
    token_ids: Iterable[int],
    characters: str = "all",
) -> list[int]:
    """The old id of each new one: those of the tokens that are to stay, and of what they need.

    They ascend, so that special tokens which stand in front stay there. `<pad>` keeps its id,
    from which models count positions.

    Args:
        kind: the tokenizer's.
        model: the `model` of its `tokenizer.json`.
        token_ids, characters: see `Tokenizer.trimmed`.

    Raises:
        InputError: see `Tokenizer.trimmed`.
    """
    if kind.needs is None:
        raise InputError(
            f"the tokenizer ({kind.name}) cannot be trimmed: texts would lose what its vocabulary "
            "no longer holds"
        )
    if characters not in CHARACTERS:
        raise OptionError("characters", f"{characters!r}: expected one of {', '.join(CHARACTERS)}")
    wanted = {int(index) for index in token_ids}
    tokens = {index: tokenizer.id_to_token(index) for index in wanted}
    if without := [index for index, token in tokens.items() if token is None]:
        raise InputError(f"{min(without)} is the id of no token")
    beside = {
        *tokenizer.special_token_ids,
        *(token.id for token in tokenizer.added_tokens),
        *(index for part in tokenizer.special_token_layout for index in part),
    }
    pieces = {token for index, token in tokens.items() if index not in beside}
    needed = {tokenizer.token_to_id(token) for token in kind.needs(model, pieces, characters)}
    kept = sorted(wanted | needed | beside)
    pad = tokenizer.pad_token_id
    kept.remove(pad)
    if pad > len(kept):
        raise InputError(
            f"the tokenizer cannot be trimmed to {len(kept) + 1} tokens: its padding has the id "
            f"{pad}, from which models count positions"
        )
    kept.insert(pad, pad)
    return kept


def renumbered(content: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """The content of a `tokenizer.json` without merges, with a part of its tokens.

    Args:
        kept: what `kept_ids` gave.
    """
    new_ids = {old: new for new, old in enumerate(kept)}
    model = dict(content["model"])
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        found = ((token, new_ids.get(old)) for token, old in vocabulary.items())
        model["vocab"] = {token: new for token, new in found if new is not None}
    else:  # pairs of tokens and scores, by id
        model["vocab"] = [vocabulary[old] for old in kept if old < len(vocabulary)]
    if model.get("unk_id") is not None:
        model["unk_id"] = new_ids[model["unk_id"]]
    added = [{**token, "id": new_ids[token["id"]]} for token in content["added_tokens"]]
    layout = _renumbered_layout(content["post_processor"], new_ids)
    return {**content, "model": model, "added_tokens": added, "post_processor": layout}


def _renumbered_layout(value, new_ids):
    """A `post_processor` of any type: `[token, id]` for `sep` and `cls`, lists of `ids`."""
    if isinstance(value, list):
        return [_renumbered_layout(inner, new_ids) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        if name in ("sep", "cls") and isinstance(inner, list):
            found[name] = [inner[0], new_ids[inner[1]]]
        elif name == "ids":
            found[name] = [new_ids[index] for index in inner]
        else:
            found[name] = _renumbered_layout(inner, new_ids)
    return found
