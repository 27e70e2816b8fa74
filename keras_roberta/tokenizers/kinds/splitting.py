r"""How tokenizers of whole words or single characters split a text, as `tokenizer.json` says it.

Two of the ways are ours, in the words of the Oniguruma library that `tokenizers` uses:

- *Characters*: each code point of Unicode is a token, white space too.
- *Words*: a word is a run, as long as it can be, of letters, marks, numbers of any kind, connecting
  signs such as `_`, and the joiners U+200C and U+200D. Each other character that is no white space
  is a token by itself. White space is left out. So "it's 3.5 m²" is `it ' s 3 . 5 m²`; Chinese and
  Japanese, which put no spaces between words, come out as long runs.

Two are the library's own: `Whitespace`, where signs side by side are one token, and
`WhitespaceSplit`, where all between white space is one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras_roberta.tokenizers.kinds.kind import as_object

_IN_WORDS = r"\w\p{N}\x{200c}\x{200d}"
CHARACTERS = {
    "type": "Split",
    "pattern": {"Regex": r"[\s\S]"},
    "behavior": "Isolated",
    "invert": False,
}
WORDS = {
    "type": "Split",
    "pattern": {"Regex": rf"[{_IN_WORDS}]+|[^{_IN_WORDS}\s]"},
    "behavior": "Removed",
    "invert": True,
}
RUNS = {"type": "Whitespace"}
BETWEEN_SPACES = {"type": "WhitespaceSplit"}
LOWERCASE = {"type": "Lowercase"}
# In characters. Graphs look words up character by character, all at once, in as many steps.
LONGEST_WORD = 100


class Splitting(NamedTuple):
    """A way to split that graphs can follow.

    Attributes:
        pre_tokenizer: one of the above.
        lowercase: whether letters become small ones first.
    """

    pre_tokenizer: dict[str, Any]
    lowercase: bool

    @classmethod
    def of(cls, content: dict[str, Any]) -> Splitting | None:
        """That of a `tokenizer.json`, given its content; None for any other way."""
        found = as_object(content.get("pre_tokenizer"))
        normalizer = content.get("normalizer")
        if found not in (CHARACTERS, WORDS, RUNS, BETWEEN_SPACES) or normalizer not in (
            None,
            LOWERCASE,
        ):
            return None
        return cls(found, normalizer is not None)
