"""How often the tokens of a vocabulary occur in a corpus."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_roberta.data.corpus.corpora import CorpusOptions, Piece, read_documents
from keras_roberta.data.corpus.encoded_parts import split_of
from keras_roberta.data.corpus.encoding import document_key
from keras_roberta.tokenizers import Tokenizer

_AT_ONCE = 1 << 22  # characters that are tokenised at a time
_HELD_OUT = 1 << 24  # characters of texts that are held out, which are kept in memory


@dataclasses.dataclass(frozen=True)
class TokenCounts:
    """Counts of tokens by id, int64 (vocabulary_size,) each, and texts to measure with.

    Attributes:
        learnt: of the documents that were not held out.
        heldout: of the others.
        heldout_texts: these others.
    """

    learnt: np.ndarray
    heldout: np.ndarray
    heldout_texts: list[str]


def count_tokens(
    tokenizer: Tokenizer,
    units: Sequence[tuple[Piece, ...]],
    options: CorpusOptions,
    heldout: float = 0.0,
    prefixes: Sequence[str] = ("",),
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> TokenCounts:
    """Tokenises a corpus and counts the tokens, as a model is given them.

    Args:
        units: the corpus; see `work_units`.
        heldout: the share of documents to hold out, by a hash of their text. Of large corpora fewer
            are held out.
        prefixes: what a model puts in front of texts. Each text is counted behind each of them.
        progress: function of (what is going on, tasks done, tasks in all).

    Raises:
        InputError: see `read_documents`.
    """
    counts = np.zeros((2, tokenizer.vocabulary_size), np.int64)
    heldout_texts, size = [], 0
    for done, unit in enumerate(units):
        progress("counting tokens", done, len(units))
        for texts in _batches(unit, options):
            parts = [], []
            for text in texts:
                is_heldout = size < _HELD_OUT and split_of(document_key(text.encode()), heldout)
                parts[is_heldout].extend(prefix + text for prefix in prefixes)
                size += len(text) if is_heldout else 0
            heldout_texts += parts[1]
            for count, part in zip(counts, parts, strict=True):
                ids, _ = tokenizer.encode_ragged(part, add_special_tokens=False)
                count += np.bincount(ids, minlength=len(count))
    progress("counting tokens", len(units), len(units))
    return TokenCounts(*counts, heldout_texts)


def _batches(unit, options) -> Iterator[list[str]]:
    texts, size = [], 0
    for document in read_documents(unit, options, with_labels=False):
        texts.append(document.text)
        size += len(document.text)
        if size >= _AT_ONCE:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts
