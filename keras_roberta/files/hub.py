"""Where a preset lies: a local directory, or `hf://org/name` fetched into the local cache."""

import os
from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.replacing import finish_replacing

HF_SCHEME = "hf://"
FILE_SCHEME = "file://"


def local_directory(src: str | Path, patterns: list[str]) -> Path:
    """The local directory that holds `src`.

    Args:
        src: a directory, also as `file://`, or `hf://org/name`, of which only the files that match
            are fetched.
        patterns: the file names wanted, with `*` and `?`.

    Raises:
        InputError: there is no such directory, or the hub does not give it.
    """
    if not isinstance(src, (str, os.PathLike)):
        raise InputError(f"preset: expected a directory or hf://org/name; got {src!r}")
    if str(src).startswith(HF_SCHEME):
        return _fetch(str(src), patterns)
    directory = Path(str(src).removeprefix(FILE_SCHEME)).expanduser()
    if directory.is_dir():
        finish_replacing(directory)
        return directory
    found = "is a file, not a directory" if directory.exists() else "no such directory"
    raise InputError(f"{src}: {found}; give a checkpoint's directory or hf://org/name")


def _fetch(src: str, patterns: list[str]) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InputError(
            f"{src}: needs the hub's client; run pip install huggingface_hub"
        ) from None
    try:
        return Path(snapshot_download(src.removeprefix(HF_SCHEME), allow_patterns=patterns))
    except Exception as error:  # Network, permission and naming errors share no base class there.
        raise InputError(
            f"{src}: cannot be fetched ({reason_of(error)}); check the name, the network and "
            "that you may read it"
        ) from None
