"""Opens a tokenizer of any kind; the kinds are listed here."""

from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.byte_pairs import BYTE_LEVEL_BPE
from keras_roberta.tokenizers.kinds.characters import CHARACTERS
from keras_roberta.tokenizers.kinds.kind import model_type
from keras_roberta.tokenizers.kinds.unigram import SENTENCEPIECE, UNIGRAM
from keras_roberta.tokenizers.kinds.words import WORDS
from keras_roberta.tokenizers.protocol import Tokenizer
from keras_roberta.tokenizers.roberta_tokenizer import RobertaTokenizer
from keras_roberta.tokenizers.sentencepiece_tokenizer import SentencePieceTokenizer
from keras_roberta.tokenizers.tokenizer_files import find_tokenizer_files
from keras_roberta.tokenizers.word_level_tokenizer import WordLevelTokenizer

# Each kind and the class that carries it. The first that holds a file reads it, so that the more
# particular ones stand before the others.
KINDS = (
    (BYTE_LEVEL_BPE, RobertaTokenizer),
    (SENTENCEPIECE, SentencePieceTokenizer),
    (UNIGRAM, HostTokenizer),
    (CHARACTERS, WordLevelTokenizer),
    (WORDS, WordLevelTokenizer),
)


def open_tokenizer(source: str | Path | Tokenizer) -> Tokenizer:
    """Reads the tokenizer of a checkpoint, whatever its kind.

    Args:
        source: a directory or `hf://org/name`, with the files there or in `assets/tokenizer/`; or
            a tokenizer, which is given back.

    Raises:
        InputError: it is neither; names the file that is missing or mangled, or the kind that no
            class carries.
    """
    if hasattr(source, "encode_batch") and hasattr(source, "fingerprint"):
        return source
    if not isinstance(source, (str, Path)):
        raise InputError(
            f"tokenizer: expected a directory, hf://org/name or a tokenizer; got {source!r:.60}"
        )
    files = find_tokenizer_files(source)
    if files.tokenizer_json is None:  # files of their own, which byte-level BPE alone has
        return RobertaTokenizer.from_files(files)
    for kind, carrier in KINDS:
        if kind.holds(files.tokenizer_json):
            return carrier.from_files(files, kind)
    known = ", ".join(kind.name for kind, _ in KINDS)
    raise InputError(
        f"{files.path}: holds a {model_type(files.tokenizer_json)} tokenizer; known are {known}"
    )
