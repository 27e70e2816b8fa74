"""A tokenizer as the files that fairseq reads it from."""

import os

from keras_roberta.errors import InputError
from keras_roberta.tokenizers import RobertaTokenizer
from keras_roberta.tokenizers.fairseq_dictionary import (
    byte_level_files,
    check_pieces,
    piece_dictionary,
)
from keras_roberta.tokenizers.protocol import Tokenizer
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer

# Besides the dictionary; patterns.
FAIRSEQ_FILES = ("encoder.json", "vocab.bpe", "sentencepiece*.model")


def check_dictionary(path: str | os.PathLike, tokenizer: Tokenizer) -> None:
    """Raises an InputError unless a dict.txt has the pieces of a tokenizer that lies beside it.

    That of a byte-level BPE decides its ids, and is read with it.
    """
    if isinstance(tokenizer, SentencePieceTokenizer):
        tokens = [tokenizer.id_to_token(index) for index in range(tokenizer.vocabulary_size)]
        check_pieces(path, tokens)


def fairseq_tokenizer_files(tokenizer: Tokenizer, rows: int) -> dict[str, str | bytes]:
    """The contents of the files by name.

    Args:
        tokenizer: a byte-level BPE, or XLM-R's.
        rows: those of the model's embedding.

    Raises:
        InputError: fairseq has no such tokenizer; says what it lacks.
    """
    added = [t.content for t in tokenizer.added_tokens if t.id not in _usual_ids(tokenizer)]
    if added:
        raise InputError(f"fairseq finds no added tokens in texts; the tokenizer has {added[0]!r}")
    if isinstance(tokenizer, SentencePieceTokenizer):
        content = tokenizer.model_file()  # first, since it looks at the ids
        tokens = [tokenizer.id_to_token(index) for index in range(rows)]
        return {"dict.txt": piece_dictionary(tokens), "sentencepiece.bpe.model": content}
    if not isinstance(tokenizer, RobertaTokenizer):
        raise InputError(
            f"fairseq has no place for a {tokenizer.kind_name} tokenizer; convert the encoder "
            "without it"
        )
    if tokenizer.add_prefix_space:
        raise InputError("fairseq puts no space in front of texts; add_prefix_space must be false")
    names = tokenizer.special_tokens
    specials = (names.start, names.pad, names.end, names.unk)
    return byte_level_files(tokenizer.vocabulary, tokenizer.merges, specials, names.mask, rows)


def _usual_ids(tokenizer: Tokenizer) -> set[int]:
    return {
        tokenizer.start_token_id,
        tokenizer.pad_token_id,
        tokenizer.end_token_id,
        tokenizer.unk_token_id,
        tokenizer.mask_token_id,
    }
