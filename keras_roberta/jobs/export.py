"""Exports a preset's task."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any, NamedTuple

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.data.examples.columns import Columns
from keras_roberta.data.examples.table_files import Table
from keras_roberta.errors import InputError
from keras_roberta.export.arguments import (
    check_calibration,
    check_number_of_texts,
    check_sides,
    lengths_of_file,
    takes_pairs,
)
from keras_roberta.export.edge_quantizer import check_quantizer, check_widths
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.signature_lengths import best_lengths
from keras_roberta.files.hold_output import hold_output
from keras_roberta.files.output_checks import check_writable, is_empty
from keras_roberta.files.room import bytes_in_float32, check_room
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.jobs.input_table import has_no_columns, read_input_table
from keras_roberta.jobs.options.export import AUTO, ExportOptions
from keras_roberta.options import OptionError
from keras_roberta.reports.size_on_disk import bytes_on_disk

logger = logging.getLogger("keras_roberta")


class TextTable(NamedTuple):
    """A table of texts like those that a model will see.

    Attributes:
        table: what was read.
        columns: where its texts are.
    """

    table: Table
    columns: Columns

    @classmethod
    def read(cls, path: str | None, columns: Columns, limit: int | None) -> TextTable | None:
        """Reads one; None where there is no path. The columns that are named are those of tables:
        a `.txt` file has none."""
        if path is None:
            return None
        columns = Columns() if has_no_columns(path) else columns
        return cls(read_input_table(path, columns, labels=False).head(limit), columns)


@dataclasses.dataclass(frozen=True)
class ExportData:
    """What an export reads besides the preset, before TensorFlow is imported.

    Attributes:
        calibration: the table that activations are calibrated on, or None.
        lengths_from: the table that decides the lengths, or None.
    """

    calibration: TextTable | None
    lengths_from: TextTable | None

    @classmethod
    def read(
        cls,
        preset: str | Path,
        options: ExportOptions,
        columns: Columns,
        limit: int | None = None,
        dev: Table | None = None,
    ) -> ExportData:
        """Reads the tables, and checks the lengths.

        Args:
            columns: of all tables.
            limit: the first rows of each that are used; None for all.
            dev: the table that the file will be measured on, where there is one.

        Raises:
            InputError: names the file, line, column or option that does not fit.
        """
        if isinstance(options.sequence_lengths, tuple):
            longest = open_checkpoint(preset).config.max_sequence_length
            lengths_of_file(options.sequence_lengths, longest)
        calibration = TextTable.read(options.calibration, columns, limit)
        lengths_from = TextTable.read(options.lengths_from, columns, limit)
        if options.chooses_lengths and lengths_from is None:
            lengths_from = calibration if dev is None else TextTable(dev, columns)
            if lengths_from is None:
                raise OptionError(
                    "sequence_lengths",
                    f"{AUTO!r}: there are no texts to choose by; name a table of some in "
                    "lengths_from",
                )
        return cls(calibration, lengths_from)

    def arguments(self, task, options: ExportOptions) -> dict[str, Any]:
        """The arguments of `to_tflite` or `to_saved_model` for a task, but for the place and the
        quantisation."""
        found = {"inputs": options.inputs, "pairs": options.pairs, **options.of_head}
        if options.license is not None:
            found["license"] = options.license
        if isinstance(options.sequence_lengths, tuple):
            found["sequence_lengths"] = options.sequence_lengths
        texts = self.texts(self.lengths_from, task, options)
        if texts is None:
            return found
        lengths = best_lengths(task, texts, options.num_lengths or 3)
        path = self.lengths_from.table.path
        logger.info("lengths of %s: %s tokens", path, ", ".join(map(str, lengths)))
        return {**found, "sequence_lengths": lengths}

    @staticmethod
    def texts(source: TextTable | None, task, options: ExportOptions) -> Any:
        """The texts of a table as the task takes them; None where there is no table.

        Raises:
            InputError: names the file whose texts the task or the exported model does not take.
        """
        if source is None:
            return None
        texts, schema = task.schema.read_inputs(*source), task.schema
        pairs = takes_pairs(task, options.inputs, options.pairs)
        check_sides(schema, schema.texts_of(texts), options.inputs, pairs, source.table.path)
        return texts


def export(
    preset: str | Path,
    out: str | Path,
    options: ExportOptions | None = None,
    *,
    columns: Columns | None = None,
    limit: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes a `.tflite` file, or a SavedModel's directory.

    Args:
        preset: one with the head of a task.
        out: the file or directory.
        columns: of the tables that `lengths_from` and `calibration` name.
        limit: the first rows of each that are used; None for all.
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
        return _export(preset, out, options, columns or Columns(), limit, overwrite)


def _export(preset, out, options, columns, limit, overwrite):
    of_weights, scheme = {}, None
    if options.quantization is not None:
        of_weights["quantization"] = options.quantization
    if options.format == "tflite" and options.quantization is not None:
        scheme = SCHEMES[options.quantization]
        source = open_checkpoint(preset)
        learned = source.backbone_settings.get("activation_ranges")
        check_calibration(scheme, options.calibration, learned)
        check_quantizer(scheme)
        check_widths(scheme, source.config)
    data = ExportData.read(preset, options, columns, limit)
    if data.calibration is not None and scheme is not None:
        check_number_of_texts(scheme, len(data.calibration.table))
    task = open_finetuned_task(preset)
    check_room(out, bytes_in_float32(task.weights))
    arguments = data.arguments(task, options)
    if data.calibration is not None:
        of_weights["calibration"] = data.texts(data.calibration, task, options)

    from keras_roberta.export.saved_model import to_saved_model
    from keras_roberta.export.tflite import to_tflite

    write = to_tflite if options.format == "tflite" else to_saved_model
    write(task, out, overwrite=overwrite, **arguments, **of_weights)
    return {"model": str(out), "megabytes": bytes_on_disk(out) / 1e6}


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
