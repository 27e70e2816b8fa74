"""Paths on the command line, looked at before TensorFlow is loaded, which takes seconds."""

import os
from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.errors import InputError
from keras_roberta.files.hub import HF_SCHEME


def expand_home(value):
    """A path or several, given as text, without `~`; also as typer's callback."""
    if isinstance(value, str):
        return os.path.expanduser(value)
    return value and [os.path.expanduser(path) for path in value]


Corpus = Annotated[Path, Option(help="Text: a file, or a directory; .txt, .jsonl, also .gz, .zst.")]
Model = Annotated[
    str,
    Option(help="A preset, a .tflite file or a SavedModel's directory.", callback=expand_home),
]
OptionalModel = Annotated[
    str | None,
    Option(help="A preset, a .tflite file or a SavedModel's directory.", callback=expand_home),
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is in --out.")]


def check_file(path: str | Path | None) -> None:
    """Raises where a file is named that is not there."""
    if path is not None and not Path(path).exists():
        raise InputError(f"{path}: no such file")


def check_corpus(path: Path) -> None:
    """Raises unless there is such a file or directory."""
    if not path.exists():
        raise InputError(f"{path}: no such file or directory; give the text to learn from")


def check_directory(path: str | Path) -> None:
    """Raises unless there is such a directory."""
    if not Path(path).is_dir():
        found = "is a file, not a directory" if Path(path).exists() else "no such directory"
        raise InputError(f"{path}: {found}")


def check_tokenizer(path: str) -> None:
    """Raises unless a tokenizer's directory may lie there; one on the hub may."""
    if not path.startswith(HF_SCHEME) and not Path(path).is_dir():
        found = "is a file, not a directory" if Path(path).exists() else "no such directory"
        raise InputError(f"{path}: {found}; give a tokenizer's directory or hf://org/name")


def check_model(path: str) -> None:
    """Raises unless a checkpoint or an exported model may lie there; one on the hub may."""
    if path.startswith(HF_SCHEME):
        return
    if not path:
        raise InputError("an empty path; give a checkpoint's directory or hf://org/name")
    if path.endswith(".tflite"):
        check_file(path)
    elif not Path(path).is_dir():
        found = "is a file, not a directory" if Path(path).exists() else "no such directory"
        raise InputError(f"{path}: {found}; give a checkpoint's directory or hf://org/name")
