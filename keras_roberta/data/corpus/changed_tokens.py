"""What a tokenizer with a smaller vocabulary does to texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_roberta.tokenizers import Tokenizer


class ChangedTokens(NamedTuple):
    """Tokens of some texts, as a tokenizer and a trimmed one cut them.

    Attributes:
        before: how many they were.
        after: how many they are.
        changed: how many of those before are not among those after, at the same place of the text.
    """

    before: int
    after: int
    changed: int


def changed_tokens(
    tokenizer: Tokenizer, trimmed: Tokenizer, old_ids: np.ndarray, texts: list[str]
) -> ChangedTokens:
    """Tokenises texts both ways.

    Args:
        old_ids: int (trimmed.vocabulary_size,), what `trimmed` has in the place of each of its ids.
    """
    size = tokenizer.vocabulary_size
    offsets = np.cumsum([0, *(len(text.encode()) + 1 for text in texts)])[:-1]

    def places(of, ids=lambda ids: ids):
        """A number for each token: its id, and the byte where it ends."""
        found = of.encode_plain(texts)
        ends = found.ends + np.repeat(offsets, found.row_lengths)
        return ends * size + ids(found.token_ids)

    before, after = places(tokenizer), places(trimmed, lambda ids: old_ids[ids])
    return ChangedTokens(len(before), len(after), int((~np.isin(before, after)).sum()))
