"""Exports a preset: a classifier, or a masked language model that fills in `<mask>`."""

from pathlib import Path

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError
from keras_roberta.export.comparison import bytes_on_disk
from keras_roberta.export.saved_model import to_saved_model
from keras_roberta.export.tflite import to_tflite
from keras_roberta.tasks.masked_lm import RobertaMaskedLM
from keras_roberta.tasks.text_classifier import RobertaTextClassifier


def export(
    preset,
    out,
    format,
    quantization,
    sequence_lengths,
    inputs="text",
    pairs=False,
    overwrite=False,
    top_k=5,
):
    """Writes a `.tflite` file, or a SavedModel's directory.

    Args:
        preset: a fine-tuned preset; or one with the head of a masked language model and no other.
        format: "tflite" or "saved-model".
        quantization, sequence_lengths, inputs, pairs: see `to_tflite`.
        overwrite: replace what is there.
        top_k: candidates for each `<mask>`.

    Returns:
        dict of `model`, the path, and `megabytes`.
    """
    out = Path(out)
    if (format == "tflite") != (out.suffix == ".tflite"):
        raise InputError(
            f"{out}: a TFLite file's name ends in .tflite, a SavedModel's directory does not; "
            "change --out or --format"
        )
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists; give another --out, or --overwrite")
    if out.exists() and not (out.is_file() if format == "tflite" else _is_saved_model(out)):
        raise InputError(f"{out}: is something else than a model of this format; remove it first")
    task = _open_task(preset)
    if format == "tflite":
        to_tflite(task, out, quantization, inputs, sequence_lengths, pairs, top_k)
    else:
        to_saved_model(task, out, inputs, pairs, overwrite=overwrite, top_k=top_k)
    return {"model": str(out), "megabytes": bytes_on_disk(out) / 1e6}


def _open_task(preset):
    source = open_checkpoint(preset)
    heads = [
        cls
        for cls in (RobertaTextClassifier, RobertaMaskedLM)
        if source.task_settings(cls) is not None
    ]
    # Without any the classifier says what is missing.
    return (heads or [RobertaTextClassifier])[0].from_preset(preset)


def _is_saved_model(path):
    return (path / "saved_model.pb").is_file()
