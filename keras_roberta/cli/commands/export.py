"""`keras-roberta export`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Overwrite, check_file, check_model, expand_home
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.budget import OF_A_SEARCH, BudgetOptions
from keras_roberta.jobs.options.export import AUTO, ExportOptions
from keras_roberta.jobs.options.tables import TableColumns
from keras_roberta.jobs.unfinished_run import check_place


def export(
    preset: Annotated[str, Option(help="Fine-tuned preset.", callback=expand_home)],
    out: Annotated[
        Path,
        Option(
            help="A .tflite file, or the SavedModel's directory; of --quantization auto a "
            "directory for model.tflite and the report."
        ),
    ],
    options: ExportOptions,
    budget: BudgetOptions,
    tables: TableColumns,
    dev: Annotated[
        Path | None, Option(help="Data with labels to measure on, of --quantization auto.")
    ] = None,
    overwrite: Overwrite = False,
):
    """Turn a preset into a file for phones or a directory for TF Serving.

    Example: keras-roberta export --preset run/ --out model.tflite --quantization int8

    Example: keras-roberta export --preset run/ --out phone/ --quantization auto --max-drop 0.5
    --dev dev.tsv
    """
    check_model(preset)
    if options.quantization == AUTO:
        _search(preset, dev, out, options, budget, tables, overwrite)
        return
    budget.check_none_given()
    tables.check_not_given("label_column", "labels", problem=OF_A_SEARCH)
    if options.lengths_from is None and options.calibration is None:
        tables.check_not_given(
            *("text_column", "text_pair_column", "no_header", "limit"),
            problem="is of tables that are read; give one as calibration or lengths_from",
        )
    if dev is not None:
        raise InputError(f"--dev: is for a search among quantizations; give --quantization {AUTO}")
    start_interpreter()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.export import export

    exported = export(
        preset, out, options, columns=tables.columns, limit=tables.limit, overwrite=overwrite
    )
    print_values(exported)


def _search(preset, dev, out, options, budget, tables, overwrite):
    budget.check_asked_for()
    if dev is None:
        raise InputError("--dev: quantization auto is decided by data with labels; give a file")
    check_file(dev)
    check_place(out, overwrite)
    start_interpreter()
    from keras_roberta.cli.printing import print_tables, print_values
    from keras_roberta.cli.progress_bars import ProgressBars
    from keras_roberta.jobs.export_within_budget import (
        MODEL_NAME,
        NoneWithinBudget,
        export_within_budget,
    )
    from keras_roberta.reports.variants_page import PAGE_NAME
    from keras_roberta.reports.variants_table import variants_table

    try:
        with ProgressBars() as progress:
            search = export_within_budget(
                preset, dev, out, options, budget, tables, overwrite=overwrite, progress=progress
            )
    except NoneWithinBudget as error:
        print_tables({error.search.title: variants_table(error.search)})
        raise
    print_tables({search.title: variants_table(search)})
    print_values({"model": out / MODEL_NAME, "report": out / PAGE_NAME, "chosen": search.reason})
