"""What sets one kind of tokenizer apart from another."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of tokenizer.

    The functions are given tokens as the vocabulary spells them, and never special ones. They are
    functions of a module, not lambdas, so that tokenizers can be pickled.

    Attributes:
        name: for messages.
        holds: whether a `tokenizer.json`, given its content, is of this kind.
        starts_word: whether a token begins a word.
        text_of: the text that a token stands for, or None if it is a part of a character.
        decoder: the `decoder` of `tokenizer.json` for files that have none; None: tokens are
            joined by spaces.
        needs: which tokens of a vocabulary have to stay so that some tokens can: given the `model`
            of a `tokenizer.json`, these tokens and "all" or "used" characters; None for a kind that
            cannot do without a part of its vocabulary.
        bytes_per_token: of UTF-8, the space before it included: enough for nearly all texts.
    """

    name: str
    holds: Callable[[dict[str, Any]], bool]
    starts_word: Callable[[str], bool]
    text_of: Callable[[str], str | None]
    decoder: dict[str, Any] | None = None
    needs: Callable[[dict[str, Any], Set[str], str], set[str]] | None = None
    # English has four to five, other languages seldom more than this.
    bytes_per_token: int = 8


def model_type(content: dict[str, Any]) -> str:
    """The type of the model in a `tokenizer.json`; "unknown" where there is none."""
    model = as_object(content.get("model"))
    # Old files name no model type; only BPE has merges.
    return str(model.get("type") or ("BPE" if "merges" in model else "unknown"))


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}
