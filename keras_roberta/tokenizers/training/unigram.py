"""Learns a Unigram model in XLM-R's layout, by sentencepiece itself."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import sentencepiece

from keras_roberta.errors import InputError
from keras_roberta.options import OptionError
from keras_roberta.tokenizers.open import open_tokenizer
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS
from keras_roberta.tokenizers.tokenizer_files import MODEL_FILES
from keras_roberta.tokenizers.training.stretches import stretches

# sentencepiece leaves out what is longer, so texts are cut into lines of fewer characters (bytes).
_LONGEST_LINE, _LONGEST_SENTENCE = 1_000, 4_192
# Its own three tokens become four, and `<mask>` comes behind them.
_FEWER_PIECES = 2


def train_unigram(
    texts: Iterable[str],
    vocabulary_size: int = 50265,
    lowercase: bool = False,
    progress: bool = False,
) -> SentencePieceTokenizer:
    """Learns a Unigram model (Kudo 2018, "Subword regularization", section 3.2).

    Texts are normalized as XLM-R's are (sentencepiece's `nmt_nfkc`). Characters that make up the
    rarest 0.05 % of the text become `<unk>`. The same texts in the same order give the same
    tokenizer.

    Args:
        texts: the corpus, read once and held in memory; lines or whole documents.
        vocabulary_size: ids in all; fewer come out where the text is too small. `<s> <pad> </s>
            <unk>` take the ids 0 to 3, `<mask>` the last one.
        lowercase: whether letters of either case are one (`nmt_nfkc_cf`, case folding).
        progress: whether sentencepiece tells on stderr what it does.

    Raises:
        InputError: the vocabulary has no room for the characters of the texts, or there is no text.
    """
    smallest = len(SPECIAL_TOKENS) + 1
    if vocabulary_size < smallest:
        raise OptionError(
            "vocabulary_size",
            f"{vocabulary_size}: the special tokens alone take {smallest - 1}; give more",
        )
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(stretches(texts)),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocabulary_size - _FEWER_PIECES,
            hard_vocab_limit=False,
            max_sentence_length=_LONGEST_SENTENCE,
            normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
            minloglevel=0 if progress else 2,
        )
    except RuntimeError as error:
        needed = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
        if needed is None:
            # It has no message for texts of white space alone.
            empty = re.search(r"sentences_\.empty|all_chars_count", str(error))
            problem = "finds nothing to learn" if empty else "cannot learn from them"
            raise InputError(f"texts: sentencepiece {problem} ({error})") from None
        raise OptionError(
            "vocabulary_size",
            f"{vocabulary_size}: the characters of the texts and the special tokens alone take "
            f"{int(needed[1]) + _FEWER_PIECES}; give more",
        ) from None
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / MODEL_FILES[0]).write_bytes(written.getvalue())
        return open_tokenizer(directory)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines of texts, long ones cut: at the last space that has room before it, if any."""
    for text in texts:
        for line in text.splitlines():
            begin = 0
            while len(line) - begin > _LONGEST_LINE:
                end = line.rfind(" ", begin + 1, begin + _LONGEST_LINE)
                end = end if end > 0 else begin + _LONGEST_LINE
                yield line[begin:end]
                begin = end
            yield line[begin:]
