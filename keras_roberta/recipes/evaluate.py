"""Labels and scores from a preset, a TFLite file or a SavedModel, and how good they are."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model, whatever it is kept in.

    Attributes:
        logits: function of texts (a list, or a pair of lists), giving float (rows, classes).
        labels: names of the classes, in their order; None for a regression.
        num_classes: columns of the logits.
    """

    logits: Callable
    labels: tuple[str, ...] | None
    num_classes: int

    def predict(self, texts):
        """One dict a text: `label` and `score`, its probability; for a regression the `score`."""
        logits = self.logits(texts)
        if self.num_classes == 1:
            return [{"score": float(value)} for value in logits[:, 0]]
        best = logits.argmax(axis=-1)
        probabilities = softmax(logits)
        return [
            {"label": self.labels[i], "score": float(row[i])}
            for i, row in zip(best, probabilities, strict=True)
        ]


def open_model(path, tokenizer=None, threads=1):
    """The model at `path`.

    Args:
        path: a preset (directory or hf://), a `.tflite` file, or a SavedModel's directory.
        tokenizer: the preset whose tokenizer and labels an exported model goes with, where the
            model takes token ids.
        threads: for TFLite.

    Returns:
        `Predictor`
    """
    if is_exported(path):
        from keras_roberta import export

        runner = export.load(str(path), tokenizer=tokenizer, threads=threads)
        probe = runner.predict(["a"])["logits"]
        labels = getattr(runner, "labels", None)
        return _predictor(lambda texts: runner.predict(texts)["logits"], labels, probe.shape[-1])
    from keras_roberta.models.roberta_text_classifier import RobertaTextClassifier

    task = RobertaTextClassifier.from_preset(path)
    return _predictor(lambda texts: task.predict(texts, verbose=0), task.labels, task.num_classes)


def is_exported(path):
    """Whether `path` is a TFLite file or a SavedModel, rather than a preset."""
    path = Path(path)
    if path.suffix == ".tflite":
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        return True
    return (path / "saved_model.pb").is_file()


def _predictor(logits, labels, num_classes):
    if num_classes == 1:
        labels = None
    return Predictor(
        logits,
        tuple(labels or map(str, range(num_classes))) if num_classes > 1 else None,
        num_classes,
    )


def scores(logits, targets):
    """How good outputs are.

    Args:
        logits: (rows, classes); one class is a regression.
        targets: class numbers, or floats.

    Returns:
        dict of `accuracy` and `macro_f1`; or of `mse` and `pearson` (nan where either side is
        constant).
    """
    logits, targets = np.asarray(logits), np.asarray(targets)
    if logits.shape[-1] == 1:
        outputs = logits[:, 0].astype("float64")
        constant = np.ptp(outputs) == 0 or np.ptp(targets) == 0
        return {
            "mse": float(np.mean((outputs - targets) ** 2)),
            "pearson": float("nan") if constant else float(np.corrcoef(outputs, targets)[0, 1]),
        }
    from sklearn.metrics import f1_score

    predicted = logits.argmax(axis=-1)
    return {
        "accuracy": float(np.mean(predicted == targets)),
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
    }


def softmax(logits):
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
