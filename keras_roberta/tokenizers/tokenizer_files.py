"""The files of a tokenizer, where a checkpoint or a preset keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.hub import local_directory
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import Kind
from keras_roberta.tokenizers.file_kinds import SETTINGS, TOKENIZER
from keras_roberta.tokenizers.unigram.model_file import CAMEMBERT, XLM_R, read_model_file

# sentencepiece's own file, as fairseq and Hugging Face call it, and KerasHub.
MODEL_FILES = ("sentencepiece.bpe.model", "sentencepiece.model", "vocabulary.spm")
# All that any kind reads.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    *MODEL_FILES,
    "vocab.json",
    "vocabulary.json",
    "merges.txt",
    "dict.txt",
    "encoder.json",
    "vocab.bpe",
)
# Each means that there is a tokenizer.
_MAIN_FILES = ("tokenizer.json", *MODEL_FILES, "vocab.json", "vocabulary.json", "dict.txt")
# In the order of the attributes below.
_SETTINGS = {
    "tokenizer_config.json": SETTINGS,
    "special_tokens_map.json": SETTINGS,
    "added_tokens.json": None,
}
_MODEL_CONFIG = "config.json"  # names the family of models
_HINT = "it belongs to the files beside it"


@dataclass(frozen=True)
class TokenizerFiles:
    """A directory with a tokenizer.

    Attributes:
        directory: where the files lie.
        path: the file that says what tokenizer it is, for messages.
        tokenizer_json: content of `tokenizer.json`, the `tokenizers` library's own format, which
            holds any kind, or of the sentencepiece model in that format; None if there is neither.
        config: content of `tokenizer_config.json`; empty if there is none.
        special_tokens_map: content of `special_tokens_map.json`; empty if there is none.
        added_tokens: content of `added_tokens.json`, token to id; empty if there is none.
    """

    directory: Path
    path: Path
    tokenizer_json: dict[str, Any] | None = None
    config: dict[str, Any] = field(default_factory=dict)
    special_tokens_map: dict[str, Any] = field(default_factory=dict)
    added_tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def model_max_length(self) -> int | None:
        """The longest row that the model takes, where `tokenizer_config.json` says one."""
        length = self.config.get("model_max_length")
        # Transformers writes 1e30 where there is no limit.
        return int(length) if isinstance(length, (int, float)) and 0 < length < 2**31 else None


def find_tokenizer_files(source: str | Path) -> TokenizerFiles:
    """Finds the tokenizer of a checkpoint.

    Args:
        source: a directory or `hf://org/name`; the files lie there or in `assets/tokenizer/`.

    Raises:
        InputError: there are none, or one is not JSON.
    """
    patterns = [*TOKENIZER_FILES, *(f"assets/tokenizer/{name}" for name in TOKENIZER_FILES)]
    patterns.append(_MODEL_CONFIG)
    directory = local_directory(source, patterns)
    for place in (directory, directory / "assets" / "tokenizer"):
        found = [place / name for name in _MAIN_FILES if (place / name).exists()]
        if found:
            path = found[0]
            settings = [_read_if_there(place / name, kind) for name, kind in _SETTINGS.items()]
            return TokenizerFiles(
                place, path, _read_whole_tokenizer(path, tokenizer_config=settings[0]), *settings
            )
    raise InputError(
        f"{directory}: no tokenizer here; expected tokenizer.json, vocab.json and "
        "merges.txt, sentencepiece.bpe.model, or dict.txt, encoder.json and vocab.bpe"
    )


def _read_whole_tokenizer(path: Path, tokenizer_config: dict) -> dict[str, Any] | None:
    """A file that holds all of a tokenizer, as the content of a `tokenizer.json`; else None."""
    if path.name in MODEL_FILES:
        # The file does not say whose ids its pieces have; those beside it do, its own first.
        config = _read_if_there(path.parent / _MODEL_CONFIG)
        named = str(tokenizer_config.get("tokenizer_class") or config.get("model_type"))
        return read_model_file(path, CAMEMBERT if "camembert" in named.lower() else XLM_R)
    if path.name == "tokenizer.json":
        return read_json_object(path, TOKENIZER, hint=_HINT)
    return None


def _read_if_there(path: Path, kind: Kind | None = None) -> dict[str, Any]:
    return read_json_object(path, kind, hint=_HINT) if path.exists() else {}
