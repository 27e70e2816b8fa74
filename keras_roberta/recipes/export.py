"""Exports a fine-tuned preset."""

from pathlib import Path

from keras_roberta.errors import InputError
from keras_roberta.export.comparison import bytes_on_disk
from keras_roberta.export.saved_model import to_saved_model
from keras_roberta.export.tflite import to_tflite
from keras_roberta.models.roberta_text_classifier import RobertaTextClassifier


def export(
    preset,
    out,
    format,
    quantization,
    sequence_lengths,
    inputs="text",
    pairs=False,
    overwrite=False,
):
    """Writes a `.tflite` file, or a SavedModel's directory.

    Args:
        preset: a fine-tuned preset.
        format: "tflite" or "saved-model".
        quantization, sequence_lengths, inputs, pairs: see `to_tflite`.
        overwrite: replace what is there.

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
    task = RobertaTextClassifier.from_preset(preset)
    if format == "tflite":
        to_tflite(task, out, quantization, inputs, sequence_lengths, pairs)
    else:
        to_saved_model(task, out, inputs, pairs, overwrite=overwrite)
    return {"model": str(out), "megabytes": bytes_on_disk(out) / 1e6}


def _is_saved_model(path):
    return (path / "saved_model.pb").is_file()
