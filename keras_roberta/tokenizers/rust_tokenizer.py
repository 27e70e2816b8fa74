"""The `tokenizers` library's own object: read, given tokens, without special ones, compared."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

from tokenizers import AddedToken as RustAddedToken
from tokenizers import Tokenizer as RustTokenizer

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_kinds import short
from keras_roberta.tokenizers.added_tokens import AddedToken, read_added_tokens
from keras_roberta.tokenizers.file_kinds import MOST_IDS
from keras_roberta.tokenizers.kinds.kind import as_object
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles

# A noncharacter of Unicode, which is in no text. With it in front a token of the vocabulary is
# never found.
_IN_NO_TEXT = "\U0010ffff"


def read_rust(
    files: TokenizerFiles, names: SpecialTokenNames, decoder: dict[str, Any] | None = None
) -> RustTokenizer:
    """Reads `tokenizer.json`, with the tokens that the files beside it add.

    Args:
        names: of the special tokens.
        decoder: for a file that has none.

    Raises:
        InputError: names the file and what is wrong with it.
    """
    content = dict(files.tokenizer_json or {})
    if not content.get("decoder") and decoder:
        content["decoder"] = decoder
    model = as_object(content.get("model"))
    if model.get("unk_token") is None and model.get("unk_id") is None:
        raise InputError(
            f"{files.path}: names no unknown token, so that some texts have no ids; "
            "set model.unk_token"
        )
    vocabulary = _vocabulary_of(model)
    if any(index >= MOST_IDS for index in vocabulary.values()):
        raise InputError(f"{files.path}: not a tokenizer (an id of {MOST_IDS} or more)")
    unknown = model.get("unk_token")
    if isinstance(unknown, str) and unknown not in vocabulary:
        raise InputError(
            f"{files.path}: not a tokenizer (its unknown token {short(unknown)} is not in its "
            "vocabulary)"
        )
    added = read_added_tokens(files, names, vocabulary)
    content["added_tokens"] = [{"id": token.id, **token.to_json()} for token in added]
    with library_errors(f"{files.path}: not a tokenizer"):
        rust = RustTokenizer.from_str(json.dumps(content))
    _check_numbers(rust, added, files.path)
    return rust


@contextlib.contextmanager
def library_errors(problem: str) -> Iterator[None]:
    """A context in which what the `tokenizers` library raises becomes an `InputError`.

    It raises nothing more precise than `Exception`; where its Rust panics, not even that.
    """
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{problem} ({reason_of(error):.300})") from None


def add_to(rust: RustTokenizer, tokens: Iterable[AddedToken]) -> None:
    """Adds tokens to one of the library's tokenizers, ascending by id."""
    for token in sorted(tokens, key=lambda token: token.id):
        flags = token.to_json()
        add = rust.add_special_tokens if token.special else rust.add_tokens
        add([RustAddedToken(flags.pop("content"), **flags)])


def added_tokens_of(rust: RustTokenizer) -> tuple[AddedToken, ...]:
    """The tokens that a text is searched for before it is split, ascending by id."""
    return tuple(
        AddedToken(
            *(token.content, index, token.lstrip, token.rstrip),
            *(token.single_word, token.normalized, token.special),
        )
        for index, token in sorted(rust.get_added_tokens_decoder().items())
    )


def hiding(rust: RustTokenizer, hidden: Set[str]) -> RustTokenizer:
    """The same tokenizer, to which some tokens in a text are text like other.

    It puts no special tokens around texts.
    """
    content = json.loads(rust.to_str())
    content["post_processor"] = None

    def renamed(token):
        return _IN_NO_TEXT + token if token in hidden else token

    # Renamed and not left out: the library numbers tokens that are in no vocabulary anew.
    for token in content["added_tokens"]:
        if token["content"] in hidden:
            # A normalizer may drop the noncharacter.
            token |= {"content": renamed(token["content"]), "normalized": False}
    model = content["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {renamed(token): index for token, index in model["vocab"].items()}
    else:  # pairs of tokens and scores
        model["vocab"] = [[renamed(token), score] for token, score in model["vocab"]]
    if model.get("unk_token"):
        model["unk_token"] = renamed(model["unk_token"])
    return RustTokenizer.from_str(json.dumps(content))


def what_decides(rust: RustTokenizer) -> list:
    """As JSON, what decides the ids of a text."""
    content = json.loads(rust.to_str())
    parts = [content[n] for n in ("normalizer", "pre_tokenizer", "model", "added_tokens")]
    # Without what is off: a later version of the library may know of more.
    return _without_defaults(parts)


def _check_numbers(rust: RustTokenizer, tokens: Iterable[AddedToken], path: Path) -> None:
    """Raises an InputError if the library has numbered an added token in its own way."""
    for token in tokens:
        found = rust.token_to_id(token.content)
        if found != token.id:
            raise InputError(
                f"{path}: the added token {token.content!r} has the id {token.id}, and the library "
                f"numbers it {found}; ids of added tokens follow those of the vocabulary"
            )


def _vocabulary_of(model: dict) -> dict[str, int]:
    """Token to id in the `model` of a `tokenizer.json`; empty if it is mangled."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, list):  # pairs of tokens and scores
        pairs = (pair for pair in enumerate(vocabulary) if isinstance(pair[1], list) and pair[1])
        return {pair[0]: index for index, pair in pairs if isinstance(pair[0], str)}
    items = as_object(vocabulary).items()
    return {token: index for token, index in items if type(index) is int}


def _without_defaults(content):
    """JSON without the entries of objects that are null or false."""
    if isinstance(content, dict):
        items = content.items()
        return {k: _without_defaults(v) for k, v in items if v is not None and v is not False}
    if isinstance(content, list) and any(isinstance(value, dict) for value in content):
        return [_without_defaults(value) for value in content]
    return content
