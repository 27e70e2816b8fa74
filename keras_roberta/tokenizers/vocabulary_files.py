"""Reads a byte-level BPE's vocabulary and merges from the forms in which checkpoints carry them."""

from dataclasses import dataclass
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.json_file import read_json_object
from keras_roberta.tokenizers import fairseq_dictionary
from keras_roberta.tokenizers.kinds.kind import as_object, model_type
from keras_roberta.tokenizers.line_files import read_lines
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles

_HINT = "it belongs to the files beside it"


@dataclass(frozen=True)
class VocabularyFiles:
    """What a checkpoint's files say, as yet unchecked, and the file to name in an error.

    The vocabulary is the model's, without tokens that other files or entries add."""

    path: Path
    vocabulary: dict[str, int]
    merges: list
    add_prefix_space: bool = False


def read_vocabulary(files: TokenizerFiles) -> VocabularyFiles:
    """Reads a vocabulary and its merges from whichever files there are.

    Raises:
        InputError: one of a set is missing, or one cannot be read, or holds another kind.
    """
    if files.tokenizer_json is not None:
        return _read_tokenizer_json(files)
    if files.path.name == "dict.txt":
        return _read_fairseq(files.directory)
    merges = files.directory / "merges.txt"
    vocabulary = read_json_object(files.path, hint=_HINT)
    return VocabularyFiles(merges, vocabulary, _read_merges(merges), _prefix_space(files, False))


def _read_tokenizer_json(files: TokenizerFiles) -> VocabularyFiles:
    path, content = files.path, files.tokenizer_json or {}
    model = as_object(content.get("model"))
    pre_tokenizer = as_object(content.get("pre_tokenizer"))
    kind = model_type(content)
    if kind != "BPE":
        raise InputError(f"{path}: holds a {kind} tokenizer; RoBERTa's is a byte-level BPE")
    if pre_tokenizer.get("type") != "ByteLevel" or not pre_tokenizer.get("use_regex", True):
        found = pre_tokenizer.get("type") or "none"
        raise InputError(f"{path}: splits text by {found}; RoBERTa's tokenizer splits by ByteLevel")
    for field in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"):
        if model.get(field):
            raise InputError(f"{path}: sets model.{field}, which RoBERTa's tokenizer does not have")
    if content.get("normalizer"):
        raise InputError(f"{path}: has a normalizer, which RoBERTa's tokenizer does not have")
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise InputError(f"{path}: model.vocab and model.merges are missing or mangled")
    add_prefix_space = _prefix_space(files, bool(pre_tokenizer.get("add_prefix_space")))
    return VocabularyFiles(path, vocabulary, merges, add_prefix_space)


def _read_fairseq(place: Path) -> VocabularyFiles:
    vocabulary = fairseq_dictionary.read_vocabulary(place)
    return VocabularyFiles(place / "dict.txt", vocabulary, _read_merges(place / "vocab.bpe"))


def _read_merges(path: Path) -> list[str]:
    return [line for line in read_lines(path) if not line.startswith("#version")]


def _prefix_space(files: TokenizerFiles, default: bool) -> bool:
    """Transformers lets tokenizer_config.json overrule tokenizer.json here."""
    return bool(files.config.get("add_prefix_space", default))
