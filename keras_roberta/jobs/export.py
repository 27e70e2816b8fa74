"""Exports a preset's task."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import read_table
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import check_calibration, lengths_of_file
from keras_roberta.export.edge_quantizer import check_quantizer, check_widths
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.signature_lengths import best_lengths
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.output_checks import check_writable, is_empty
from keras_roberta.files.room import bytes_of, check_room
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.export import ExportOptions
from keras_roberta.reports.size_on_disk import bytes_on_disk

logger = logging.getLogger("keras_roberta")


def export(
    preset: str | Path,
    out: str | Path,
    options: ExportOptions | None = None,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes a `.tflite` file, or a SavedModel's directory.

    Args:
        preset: one with the head of a task.
        out: the file or directory.
        overwrite: replace what is there.

    Returns:
        dict of `model`, the path, and `megabytes`.

    Raises:
        InputError: names the path or option that does not fit.
    """
    options, out = options or ExportOptions(), Path(out).expanduser()
    check_output(out, options.format, overwrite)
    with hold_output(out):
        check_output(out, options.format, overwrite)
        return _export(preset, out, options, overwrite)


def _export(preset, out, options, overwrite):
    of_tflite = options.of_tflite
    if options.format == "tflite" and options.quantization is not None:
        scheme = SCHEMES[options.quantization]
        check_calibration(scheme, options.calibration)
        check_quantizer(scheme)
        check_widths(scheme, open_checkpoint(preset).config)
    if options.calibration is not None:
        of_tflite["calibration"] = _read_texts(options.calibration, options.pairs)
    if options.sequence_lengths is not None:
        longest = open_checkpoint(preset).config.max_sequence_length
        lengths_of_file(options.sequence_lengths, longest)
    table = None
    if options.lengths_from is not None:
        table = read_input_table(options.lengths_from, Columns(), labels=False)
    task = open_finetuned_task(preset)
    check_room(out, bytes_of(task.weights))
    if table is not None:
        texts = task.schema.read_inputs(table, Columns())
        if options.pairs and not isinstance(texts, tuple):
            raise InputError(f"{table.path}: no column text_pair, though the model takes pairs")
        lengths = best_lengths(task, texts, options.num_lengths or 3)
        logger.info("lengths of %s: %s tokens", table.path, ", ".join(map(str, lengths)))
        of_tflite["sequence_lengths"] = lengths

    from keras_roberta.export.saved_model import to_saved_model
    from keras_roberta.export.tflite import to_tflite

    common = {"inputs": options.inputs, "pairs": options.pairs, "overwrite": overwrite}
    if options.format == "tflite":
        to_tflite(task, out, **common, **of_tflite, **options.of_head)
    else:
        to_saved_model(task, out, **common, **options.of_saved_model, **options.of_head)
    return {"model": str(out), "megabytes": bytes_on_disk(out) / 1e6}


def _read_texts(path: str, pairs: bool):
    """The texts of a table, or pairs of them, as `to_tflite` takes them."""
    table = read_table(path)
    if pairs:
        return table.texts("text"), table.texts("text_pair")
    return table.texts("text" if len(table.columns) > 1 else next(iter(table.columns)))


def check_output(out: Path, format: str, overwrite: bool) -> None:
    """Raises unless a model of the format may be written to `out`."""
    if (format == "tflite") != (out.suffix == ".tflite"):
        raise InputError(
            f"{out}: a TFLite file's name ends in .tflite, a SavedModel's directory does not; "
            "change --out or --format"
        )
    check_writable(out)
    if format != "tflite" and is_empty(out):
        return
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists; give another --out, or overwrite=True (--overwrite)")
    is_model = out.is_file() if format == "tflite" else (out / "saved_model.pb").is_file()
    if out.exists() and not is_model:
        raise InputError(f"{out}: is something else than a model of this format; remove it first")
