"""Exports a preset's task."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import Table, read_table
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import (
    check_calibration,
    check_number_of_texts,
    lengths_of_file,
)
from keras_roberta.export.edge_quantizer import check_quantizer, check_widths
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.signature_lengths import best_lengths
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.output_checks import check_writable, is_empty
from keras_roberta.files.room import bytes_in_float32, check_room
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.options.export import AUTO, ExportOptions
from keras_roberta.options import OptionError
from keras_roberta.reports.size_on_disk import bytes_on_disk

logger = logging.getLogger("keras_roberta")


@dataclasses.dataclass(frozen=True)
class ExportData:
    """What an export reads besides the preset, before TensorFlow is imported.

    Attributes:
        calibration: texts, or None.
        lengths_from: the table that decides the lengths, or None.
        columns: of that table.
    """

    calibration: Any
    lengths_from: Table | None
    columns: Columns

    @classmethod
    def read(cls, preset: str | Path, options: ExportOptions, columns: Columns) -> ExportData:
        """Reads the tables, and checks the lengths.

        Raises:
            InputError: names the file, line, column or option that does not fit.
        """
        calibration = table = None
        if options.calibration is not None:
            calibration = _read_texts(options.calibration, options.pairs)
        if options.sequence_lengths is not None:
            longest = open_checkpoint(preset).config.max_sequence_length
            lengths_of_file(options.sequence_lengths, longest)
        if options.lengths_from is not None:
            table = read_input_table(options.lengths_from, columns, labels=False)
        return cls(calibration, table, columns)

    def arguments(self, task, options: ExportOptions) -> dict[str, Any]:
        """The arguments of `to_tflite` or `to_saved_model` for a task, but for the place and the
        quantisation."""
        found = {"inputs": options.inputs, "pairs": options.pairs, **options.of_head}
        if options.license is not None:
            found["license"] = options.license
        if options.sequence_lengths is not None:
            found["sequence_lengths"] = tuple(sorted(set(options.sequence_lengths)))
        table = self.lengths_from
        if table is None:
            return found
        texts = task.schema.read_inputs(table, self.columns)
        if options.pairs and not isinstance(texts, tuple):
            raise InputError(f"{table.path}: no column text_pair, though the model takes pairs")
        lengths = best_lengths(task, texts, options.num_lengths or 3)
        logger.info("lengths of %s: %s tokens", table.path, ", ".join(map(str, lengths)))
        return {**found, "sequence_lengths": lengths}


def export(
    preset: str | Path,
    out: str | Path,
    options: ExportOptions | None = None,
    *,
    columns: Columns | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes a `.tflite` file, or a SavedModel's directory.

    Args:
        preset: one with the head of a task.
        out: the file or directory.
        columns: of the table that `lengths_from` names.
        overwrite: replace what is there.

    Returns:
        dict of `model`, the path, and `megabytes`.

    Raises:
        InputError: names the path or option that does not fit.
    """
    options, out = options or ExportOptions(), Path(out).expanduser()
    if options.quantization == AUTO:
        raise OptionError("quantization", f": {AUTO!r} is for export_within_budget")
    check_output(out, options.format, overwrite)
    with hold_output(out):
        check_output(out, options.format, overwrite)
        return _export(preset, out, options, columns or Columns(), overwrite)


def _export(preset, out, options, columns, overwrite):
    of_weights, scheme = {}, None
    if options.quantization is not None:
        of_weights["quantization"] = options.quantization
    if options.format == "tflite" and options.quantization is not None:
        scheme = SCHEMES[options.quantization]
        check_calibration(scheme, options.calibration)
        check_quantizer(scheme)
        check_widths(scheme, open_checkpoint(preset).config)
    data = ExportData.read(preset, options, columns)
    if data.calibration is not None:
        of_weights["calibration"] = texts = data.calibration
        if scheme is not None:
            check_number_of_texts(scheme, len(texts[0] if options.pairs else texts))
    task = open_finetuned_task(preset)
    check_room(out, bytes_in_float32(task.weights))
    arguments = data.arguments(task, options)

    from keras_roberta.export.saved_model import to_saved_model
    from keras_roberta.export.tflite import to_tflite

    write = to_tflite if options.format == "tflite" else to_saved_model
    write(task, out, overwrite=overwrite, **arguments, **of_weights)
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
