"""The files of a tokenizer, where a checkpoint or a preset keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.files.hub import local_directory
from keras_roberta.files.json_file import read_json_object

# All that any kind reads.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocabulary.json",
    "merges.txt",
    "dict.txt",
    "encoder.json",
    "vocab.bpe",
)
# Each means that there is a tokenizer.
_MAIN_FILES = ("tokenizer.json", "vocab.json", "vocabulary.json", "dict.txt")
_HINT = "it belongs to the files beside it"


@dataclass(frozen=True)
class TokenizerFiles:
    """A directory with a tokenizer.

    Attributes:
        directory: where the files lie.
        path: the file that says what tokenizer it is, for messages.
        tokenizer_json: content of `tokenizer.json`, the `tokenizers` library's own format, which
            holds any kind; None if there is none.
        config: content of `tokenizer_config.json`; empty if there is none.
    """

    directory: Path
    path: Path
    tokenizer_json: dict[str, Any] | None = None
    config: dict[str, Any] = field(default_factory=dict)


def find_tokenizer_files(source: str | Path) -> TokenizerFiles:
    """Finds the tokenizer of a checkpoint.

    Args:
        source: a directory or `hf://org/name`; the files lie there or in `assets/tokenizer/`.

    Raises:
        InputError: there are none, or one is not JSON.
    """
    patterns = [*TOKENIZER_FILES, *(f"assets/tokenizer/{name}" for name in TOKENIZER_FILES)]
    directory = local_directory(source, patterns)
    for place in (directory, directory / "assets" / "tokenizer"):
        found = [place / name for name in _MAIN_FILES if (place / name).is_file()]
        if found:
            path, config = found[0], place / "tokenizer_config.json"
            return TokenizerFiles(
                place,
                path,
                read_json_object(path, hint=_HINT) if path.name == "tokenizer.json" else None,
                read_json_object(config, hint=_HINT) if config.is_file() else {},
            )
    raise InputError(
        f"{directory}: no tokenizer here; expected tokenizer.json, vocab.json and "
        "merges.txt, or dict.txt, encoder.json and vocab.bpe"
    )
