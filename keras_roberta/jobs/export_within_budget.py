"""Exports a preset in one quantisation after another, until one is within a budget."""

from __future__ import annotations

import dataclasses
import logging
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_roberta
from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.errors import InputError, OutputError, ReadError
from keras_roberta.export.arguments import check_number_of_texts, takes_pairs
from keras_roberta.export.mismatch import ExportMismatch
from keras_roberta.export.quantization import SCHEMES
from keras_roberta.export.runtime import load
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.json_file import read_json_object
from keras_roberta.files.json_kinds import OBJECT, TEXT, ListOf, Maybe, Number, Record
from keras_roberta.files.room import bytes_in_float32, check_room
from keras_roberta.jobs.export import ExportData
from keras_roberta.jobs.finetuned_task import open_finetuned_task
from keras_roberta.jobs.input_table import read_input_table
from keras_roberta.jobs.measured_file import FileMeasure
from keras_roberta.jobs.options.budget import LIMITS, BudgetOptions
from keras_roberta.jobs.options.export import AUTO, ExportOptions
from keras_roberta.jobs.options.tables import TableColumns
from keras_roberta.jobs.same_run import WAY_OUT
from keras_roberta.jobs.unfinished_run import UnfinishedRun, run_record
from keras_roberta.options import OptionError
from keras_roberta.reports.variants import Search, Variant
from keras_roberta.reports.variants_page import PAGE_NAME, write_search
from keras_roberta.reports.write import JSON_NAME, PICTURE_NAME, write_json

MODEL_NAME = "model.tflite"
# More of the same form is kept at once: a copy, and what the converter writes on the way.
_BESIDES = 2.0
_DONE = Record(
    {
        "variants": ListOf(
            Record(
                {
                    "name": TEXT,
                    "summary": TEXT,
                    "row": Maybe(OBJECT),
                    "drop": Maybe(Number()),
                    "refused": Maybe(TEXT),
                }
            )
        )
    }
)

logger = logging.getLogger("keras_roberta")


class NoneWithinBudget(InputError):
    """No file is within all limits.

    Attributes:
        search: what was tried.
    """

    def __init__(self, search: Search, page: Path):
        self.search = search
        super().__init__(f"{search.reason} See {page}; raise a limit and go on")


def export_within_budget(
    preset: str | Path,
    dev: str | Path,
    out: str | Path,
    options: ExportOptions | None = None,
    budget: BudgetOptions | None = None,
    tables: TableColumns | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Search:
    """Writes the best `.tflite` file within a budget, and a report on all that were tried.

    The schemes are tried from few bits a weight to many. Each file is measured on the dev data: its
    score beside the task's, its size, and the time of a text. With a limit for the loss the search
    ends with the first file that is within all limits; without one all schemes are tried.

    `out` gets `model.tflite`, `report.html`, `report.png` and `report.json`. Until then it has
    `unfinished/`, with the files and what was measured: the same call goes on there. Where no file
    is within all limits, the report is written and `unfinished/` stays, so that a call with other
    limits need not measure again.

    Args:
        preset: one with the head of a task that learns from labels.
        dev: a table with labels; see `read_table`.
        out: a directory.
        options: of the files; the quantisation is left open or "auto".
        budget: the limits.
        tables: columns of `dev`, and how many rows of it.
        overwrite: replace what is in `out`, and start anew.
        progress: called with what is going on, steps done and steps in all.

    Returns:
        what was tried and chosen.

    Raises:
        InputError: names the file or option that does not fit.
        NoneWithinBudget: says which limit cannot be met.
    """
    options, budget = options or ExportOptions(), budget or BudgetOptions()
    tables = tables or TableColumns()
    _check(options, budget, out)
    table = read_input_table(dev, tables.columns, labels=True).head(tables.limit)
    data = ExportData.read(preset, options, tables.columns, tables.limit, dev=table)
    _check_number_of_texts(data)
    asked = {**options.to_dict(), **budget.to_dict(), **tables.to_dict()}
    asked["keras_roberta"] = keras_roberta.__version__  # files of another may be others
    files = {"dev": dev, "model": open_checkpoint(preset).directory}
    files |= {name: getattr(options, name) for name in ("calibration", "lengths_from")}
    run = UnfinishedRun(out, run_record(preset, files, asked), may_differ=LIMITS)
    run.check(overwrite)
    with run.held(overwrite):
        task = open_finetuned_task(preset)
        measure = FileMeasure(task, preset, table, tables.columns, budget.threads or 1)
        measure.check_pairs(takes_pairs(task, options.inputs, options.pairs), options.inputs)
        of_files = sum(scheme.bits for scheme in SCHEMES.values()) / 32 + _BESIDES
        check_room(out, of_files * bytes_in_float32(task.weights))
        run.begin()
        search = _search(task, measure, data, options, budget, run, progress)
        search = _write(Path(out).expanduser(), run, search, measure)
        if search.chosen is None:
            raise NoneWithinBudget(search, Path(out) / PAGE_NAME)
        run.remove()
    return search


def _check(options, budget, out):
    budget.check_asked_for()
    if options.quantization not in (None, AUTO):
        raise OptionError("quantization", f": is searched for; leave it out or give {AUTO!r}")
    if options.format != "tflite":
        raise OptionError("format", ": only TFLite files are searched for; give 'tflite'")
    if Path(out).suffix == ".tflite":
        raise InputError(
            f"{out}: a search writes {MODEL_NAME} and a report into a directory; --out names that"
        )


def _check_number_of_texts(data):
    if data.calibration is None:
        return
    for scheme in SCHEMES.values():
        if scheme.needs_calibration:
            check_number_of_texts(scheme, len(data.calibration.table))


def _search(task, measure, data, options, budget, run, progress) -> Search:
    from keras_roberta.export.tflite import to_tflite

    arguments = data.arguments(task, options)
    calibration = data.texts(data.calibration, task, options)
    state = run.directory / "variants.json"
    done = {one.name: one for one in _read_done(state)}
    variants: list[Variant] = []

    def search():
        return Search(
            title=f"{Path(measure.preset).name} on {measure.table.path.name}",
            score=measure.score,
            points=measure.points,
            reference=measure.reference,
            variants=variants,
            budget=budget.budget,
            facts={
                "preset": str(measure.preset),
                "dev data": str(measure.table.path),
                "rows": len(measure.table),
                "threads": measure.threads,
                **_machine(),
            },
        )

    schemes = sorted(SCHEMES.values(), key=lambda scheme: scheme.bits)
    for number, scheme in enumerate(schemes):
        progress("files tried", number, len(schemes))
        path = _file_of(run, scheme.name)
        found = done.get(scheme.name)
        # What was refused is tried again: a package that was missing may be there now.
        if found is None or found.row is None or not path.is_file():
            found = _try(task, scheme, path, arguments, calibration, measure, to_tflite)
        variants.append(found)
        done[found.name] = found
        write_json(state, {"variants": [one.to_dict() for one in done.values()]})
        if budget.max_drop is not None and search().chosen is not None:
            break
    progress("files tried", len(variants), len(variants))
    if all(one.row is None for one in variants):
        raise InputError(f"no file could be written; {variants[0].name}: {variants[0].refused}")
    return search()


def _try(task, scheme, path, arguments, calibration, measure, to_tflite) -> Variant:
    given = calibration if scheme.needs_calibration else None
    try:
        to_tflite(task, path, scheme.name, calibration=given, overwrite=True, **arguments)
    except (OutputError, ReadError):  # of the disk, not of the scheme
        raise
    except (InputError, ExportMismatch) as error:
        logger.warning("%s: no file; %s", scheme.name, error)
        return Variant(scheme.name, scheme.summary, refused=str(error))
    found = measure(scheme, path)
    if found.row is None:
        logger.warning("%s: not chosen; %s", scheme.name, found.refused)
    else:
        logger.info("%s: %.2f points lost, %.2f MB", scheme.name, found.drop, found.row.megabytes)
    return found


def _write(out, run, search, measure):
    """Writes what there is to see, and the file if one is chosen.

    Returns:
        the search, with the times of that file's signatures and operations.
    """
    from keras_roberta.export.operator_times import operator_times
    from keras_roberta.reports.signature_times import signature_times

    chosen = search.chosen
    if chosen is not None:
        path = _file_of(run, chosen.name)
        with load(path, measure.tokenizer, measure.threads) as runner:
            times = operator_times(path, runner.max_length, threads=measure.threads)
            search = dataclasses.replace(
                search,
                signatures=signature_times(runner),
                operators=[dataclasses.asdict(one) for one in times],
            )
    replaces = [MODEL_NAME, JSON_NAME, PICTURE_NAME, PAGE_NAME]
    with atomic_directory(out, last=JSON_NAME, replaces=replaces) as directory:
        if chosen is not None:
            shutil.copyfile(path, directory / MODEL_NAME)
        write_search(directory, search)
    return search


def _file_of(run, name):
    return run.directory / f"{name}.tflite"


def _read_done(path) -> list[Variant]:
    if not path.is_file():
        return []
    values = read_json_object(path, _DONE, hint=WAY_OUT)["variants"]
    try:
        return [Variant.from_dict(one) for one in values]
    except TypeError:
        raise InputError(f"{path}: is damaged; {WAY_OUT}") from None


def _machine() -> dict[str, Any]:
    """Where the times were measured."""
    return {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "system": platform.system()}
