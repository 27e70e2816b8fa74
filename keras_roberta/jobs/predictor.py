"""A model behind one face, whether it is a preset, a TFLite file or a SavedModel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_roberta.errors import InputError
from keras_roberta.export.metadata import read_metadata
from keras_roberta.export.runtime import load
from keras_roberta.files.replacing import finish_replacing
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.reports.size_on_disk import bytes_on_disk
from keras_roberta.schemas.schema import Schema
from keras_roberta.tokenizers import open_tokenizer


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model, whatever it is kept in.

    Attributes:
        outputs: function of texts (a list, or a pair of lists), giving the named outputs, a dict
            of arrays (rows, ...).
        one: runs a single text (a list of one), without what a batch needs; for timing.
        schema: what the outputs mean.
        search: function of texts, a corpus of texts and a number, giving the nearest ones as
            `schemas.text_search.search` does; None where the model has none.
        num_bytes: size on disk.
    """

    outputs: Callable[[Any], dict[str, Any]]
    one: Callable[[Any], Any]
    schema: Schema
    num_bytes: int
    search: Callable[[Any, Any, int], list[list[dict[str, Any]]]] | None = None


def open_predictor(path: str | Path, tokenizer: str | None = None, threads: int = 1) -> Predictor:
    """The model at `path`.

    Args:
        path: a preset (directory or hf://), a `.tflite` file, or a SavedModel's directory.
        tokenizer: the preset that an exported model came from, for its tokenizer, where that is not
            in the model.
        threads: for TFLite.

    Raises:
        InputError: there is no model, or it needs a tokenizer.
    """
    if not is_exported(path):
        return task_predictor(open_finetuned_task(path), bytes_on_disk(path))
    if tokenizer is not None:
        tokenizer = open_tokenizer(tokenizer)
    elif read_metadata(path)["inputs"] == "tokens":
        raise InputError(f"{path}: takes token ids; name the preset it came from as --tokenizer")
    return runner_predictor(path, tokenizer, threads)


def runner_predictor(path: str | Path, tokenizer=None, threads: int = 1) -> Predictor:
    """An exported model as a `Predictor`.

    Args:
        tokenizer: a tokenizer, where none is in the file.
    """
    is_tflite = Path(path).suffix == ".tflite"
    runner = load(path, tokenizer, threads if is_tflite else None)
    return Predictor(
        outputs=runner.predict,
        one=runner.predict,
        schema=runner.schema,
        num_bytes=bytes_on_disk(path),
        search=runner.search,
    )


def task_predictor(task, num_bytes: int = 0) -> Predictor:
    """A Keras task in memory as a `Predictor`."""
    return Predictor(
        outputs=task.named_outputs,
        one=task.predict_on_batch,
        schema=task.schema,
        num_bytes=num_bytes,
        search=getattr(task, "search", None),  # of those that give vectors
    )


def is_exported(path: str | Path) -> bool:
    """Whether `path` is a TFLite file or a SavedModel, rather than a preset."""
    path = Path(path).expanduser()
    if path.suffix == ".tflite":
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        return True
    finish_replacing(path)
    return (path / "saved_model.pb").is_file()
