"""The room that a corpus's tokens take at the very least while shards are made."""

import os
from collections.abc import Iterable

from keras_roberta.data.corpus.corpora import Piece
from keras_roberta.data.corpus.file_kinds import is_json_lines
from keras_roberta.data.corpus.shards import token_dtype
from keras_roberta.tokenizers import Tokenizer


def least_room(units: Iterable[tuple[Piece, ...]], tokenizer: Tokenizer) -> int:
    """Bytes that the tokens of these work units take at least, whatever is in them.

    The parts hold the tokens of every document, duplicates among them. Each token stands for no
    more bytes of text than the longest in the vocabulary. Up to half of a file may be white space
    between documents, which is not kept. Of JSON lines nothing is counted, since any share of them
    may be other fields; nor where a token such as `<unk>` may stand for any text. Prose takes some
    twenty times as much or more.

    Args:
        units: those that are still to be encoded.
        tokenizer: tokenizer of any kind.
    """
    lengths = tokenizer.byte_lengths()
    if lengths is None:
        return 0
    text = sum(_size(p) for unit in units for p in unit if not is_json_lines(p.name))
    return token_dtype(tokenizer.vocabulary_size).itemsize * (text // (2 * int(lengths.max())))


def _size(piece):
    end = os.path.getsize(piece.path) if piece.end is None else piece.end
    return end - piece.begin
