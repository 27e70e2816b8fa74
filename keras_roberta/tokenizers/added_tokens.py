"""Tokens that a text is searched for before it is split: `<mask>`, `<ent>`, words of a domain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short
from keras_roberta.tokenizers.file_kinds import MOST_IDS, TOKEN_ID
from keras_roberta.tokenizers.kinds.kind import as_object
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles

_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


class AddedToken(NamedTuple):
    """A token that becomes its id wherever a text spells it out, and is never cut.

    The flags are those of the `tokenizers` library and of Hugging Face's files.

    Attributes:
        content: its text.
        id: its number in the vocabulary.
        lstrip: whether it takes the white space in front of it along.
        rstrip: whether it takes the white space behind it along.
        single_word: whether it is found only where no letter, mark, digit or connecting sign
            touches it.
        normalized: whether it is looked for in the normalized text, after those that are not.
        special: whether it stands for no text: decoding leaves it out, and in a corpus its letters
            are text like other.
    """

    content: str
    id: int
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False
    special: bool = True

    def to_json(self) -> dict[str, Any]:
        """As an entry of `added_tokens_decoder`, which names the id itself."""
        return {"content": self.content, **{flag: getattr(self, flag) for flag in _FLAGS}}


def special_added_tokens(
    names: SpecialTokenNames, vocabulary: Mapping[str, int]
) -> list[AddedToken]:
    """The special tokens with RoBERTa's flags: `<mask>` takes white space in front along."""
    return [
        AddedToken(name, vocabulary[name], lstrip=name == names.mask)
        for name in dict.fromkeys(names)
        if name in vocabulary
    ]


def read_added_tokens(
    files: TokenizerFiles, names: SpecialTokenNames, vocabulary: Mapping[str, int]
) -> list[AddedToken]:
    """All tokens that a checkpoint's files add, with the flags that they say, ascending by id.

    Where files differ the later of these counts, as in Transformers: RoBERTa's flags of the special
    tokens; `special_tokens_map.json` and the tokens of `tokenizer_config.json`;
    `added_tokens.json`; `tokenizer.json`; `added_tokens_decoder` in `tokenizer_config.json`.

    Args:
        names: of the special tokens.
        vocabulary: token to id, without the tokens that are added.

    Raises:
        InputError: names the file and the token without a text or an id of its own.
    """
    found = {token.content: token for token in special_added_tokens(names, vocabulary)}
    config_path = files.directory / "tokenizer_config.json"
    for value in (*files.special_tokens_map.values(), *files.config.values()):
        token = as_object(value)
        if isinstance(token.get("content"), str) and token["content"] in found:
            found[token["content"]] = _with_flags(found[token["content"]], token)

    for content, index in files.added_tokens.items():
        token = {"content": content, "id": index, "special": content in names, "normalized": True}
        found[content] = _token(token, vocabulary, files.directory / "added_tokens.json")
    for token in (files.tokenizer_json or {}).get("added_tokens") or []:
        token = _token(as_object(token), vocabulary, files.path)
        found[token.content] = token
    for index, token in as_object(files.config.get("added_tokens_decoder")).items():
        index = int(index) if re.fullmatch("[0-9]{1,9}", index) else index
        token = _token({**as_object(token), "id": index}, vocabulary, config_path)
        found[token.content] = token

    # Tokens that are named without an id take the next one, as in Transformers.
    ids = (*vocabulary.values(), *(token.id for token in found.values()))
    following = 1 + max((index for index in ids if type(index) is int), default=-1)
    for content in _extra_special_tokens(files):
        if content in found:
            found[content] = found[content]._replace(special=True)
        else:
            found[content] = AddedToken(content, vocabulary.get(content, following))
            following += content not in vocabulary
    return sorted(found.values(), key=lambda token: token.id)


def new_added_tokens(
    given: Any,
    known: Iterable[AddedToken],
    vocabulary: Mapping[str, int],
    following: int,
    special_tokens: bool,
) -> list[AddedToken]:
    """Those of some tokens that are not added yet, with ids.

    Args:
        given: texts, or tokens with the flags of an `AddedToken`; or a single one.
        known: those that are added.
        vocabulary: token to id.
        following: the id of the first that is not in the vocabulary.
        special_tokens: whether those are special that do not say so.

    Raises:
        InputError: one is no text and has none.
    """
    known, found = {token.content for token in known}, {}
    one = isinstance(given, str) or hasattr(given, "content")
    if not one and (isinstance(given, bytes) or not hasattr(given, "__iter__")):
        raise InputError(f"add_tokens: expected texts or AddedTokens; got {given!r:.60}")
    for token in [given] if one else given:
        content = getattr(token, "content", token)
        if not isinstance(content, str) or not content:
            raise InputError(f"add_tokens: expected texts or AddedTokens; got {token!r:.60}")
        if content in known or content in found:
            continue
        flags = {"normalized": not special_tokens}
        if token is not content:
            flags |= {name: getattr(token, name) for name in _FLAGS}
        flags["special"] = bool(special_tokens or flags.get("special"))
        index = vocabulary.get(content, following)
        found[content] = AddedToken(content, index, **flags)
        following += index == following
    return list(found.values())


def token_list(tokens: Any, where: str) -> list:
    """Tokens that were given as a list, or as a dict by what they are for.

    Args:
        where: what holds them, for the message.

    Raises:
        InputError: it is neither. A single text would be taken letter by letter.
    """
    if isinstance(tokens, Mapping):
        tokens = tokens.values()
    elif not isinstance(tokens, (list, tuple)):
        raise InputError(f"{where}: expected a list of texts; got {tokens!r:.60}")
    return list(tokens)


def _token(token: dict, vocabulary, path) -> AddedToken:
    content, index = token.get("content"), token.get("id")
    if not isinstance(content, str) or not content:
        raise InputError(f"{path}: an added token has no text ({token!r:.60})")
    if TOKEN_ID.problem(index):
        raise InputError(
            f"{path}: the added token {short(content)} has the id {short(index)}; give a number "
            f"below {MOST_IDS}"
        )
    if vocabulary.get(content, index) != index:
        raise InputError(
            f"{path}: the added token {content!r} has the id {index}, and in the vocabulary "
            f"{vocabulary[content]}; do the files belong together?"
        )
    return _with_flags(AddedToken(content, index, special=False), token)


def _with_flags(token: AddedToken, flags: Mapping[str, Any]) -> AddedToken:
    return token._replace(**{name: bool(flags[name]) for name in _FLAGS if name in flags})


def _extra_special_tokens(files: TokenizerFiles) -> Iterable[str]:
    """Names of special tokens beside the five."""
    for settings in (files.special_tokens_map, files.config):
        for field in ("additional_special_tokens", "extra_special_tokens"):
            values = settings.get(field) or []
            for value in values.values() if isinstance(values, dict) else values:
                content = as_object(value).get("content", value)
                if isinstance(content, str) and content:
                    yield content
