"""A model behind one face, whether it is a preset, a TFLite file or a SavedModel."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.export.comparison import bytes_on_disk
from keras_roberta.export.metadata import read_metadata
from keras_roberta.export.runtime import load
from keras_roberta.tasks.text_classifier import RobertaTextClassifier
from keras_roberta.tokenizers import open_tokenizer


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model, whatever it is kept in.

    Attributes:
        logits: function of texts (a list, or a pair of lists), giving float (rows, classes).
        one: the same for a single text (a list of one), without what a batch needs.
        labels: names of the classes, in their order; None for a regression.
        num_classes: columns of the logits.
        num_bytes: size on disk.
    """

    logits: Callable
    one: Callable
    labels: tuple[str, ...] | None
    num_classes: int
    num_bytes: int

    def predict(self, texts):
        """One dict a text: `label` and `score`, its probability; for a regression the `score`."""
        logits = np.asarray(self.logits(texts))
        if self.num_classes == 1:
            return [{"score": float(value)} for value in logits[:, 0]]
        return [
            {"label": self.labels[row.argmax()], "score": float(row.max())}
            for row in softmax(logits)
        ]


def open_predictor(path, tokenizer=None, threads=1):
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
        return task_predictor(RobertaTextClassifier.from_preset(path), bytes_on_disk(path))
    if tokenizer is not None:
        tokenizer = open_tokenizer(tokenizer)
    elif read_metadata(path)["inputs"] == "tokens":
        raise InputError(f"{path}: takes token ids; name the preset it came from as --tokenizer")
    return runner_predictor(path, tokenizer, threads)


def runner_predictor(path, tokenizer=None, threads=1):
    """An exported model as a `Predictor`."""
    is_tflite = Path(path).suffix == ".tflite"
    runner = load(path, tokenizer, threads if is_tflite else None)
    runner.check_classifies()

    def logits(texts):
        return runner.predict(texts)["logits"]

    num_classes = runner.metadata["num_classes"]
    labels = runner.labels if num_classes > 1 else None
    return Predictor(logits, logits, labels, num_classes, bytes_on_disk(path))


def task_predictor(task, num_bytes=0):
    """A `RobertaTextClassifier` in memory as a `Predictor`."""
    return Predictor(
        logits=lambda texts: task.predict(texts, verbose=0),
        one=task.predict_on_batch,
        labels=task.labels if task.num_classes > 1 else None,
        num_classes=task.num_classes,
        num_bytes=num_bytes,
    )


def is_exported(path):
    """Whether `path` is a TFLite file or a SavedModel, rather than a preset."""
    path = Path(path)
    if path.suffix == ".tflite":
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        return True
    return (path / "saved_model.pb").is_file()


def softmax(logits):
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
