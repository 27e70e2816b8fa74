"""`keras-roberta finetune`"""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from keras_roberta.cli.derived import Given
from keras_roberta.cli.paths import Overwrite, check_file, check_model, expand_home
from keras_roberta.cli.workers import Strategy, is_chief, is_first_worker, strategy_of
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.sweep import SweepOptions
from keras_roberta.jobs.unfinished_run import check_place
from keras_roberta.options import OptionError
from keras_roberta.training.allocator import keep_freed_memory
from keras_roberta.training.finetuning_recipe import RECIPES


def finetune(
    preset: Annotated[
        str,
        Option(
            help="Checkpoint to start from: a directory (ours or Hugging Face's), or "
            "hf://org/name.",
            callback=expand_home,
        ),
    ],
    train: Annotated[Path, Option(help="Training data: .tsv, .csv, .jsonl, .json or .conll.")],
    out: Annotated[Path, Option(help="Directory for the fine-tuned preset, metrics and history.")],
    changes: Annotated[dict, Given(FinetuneOptions)],
    sweep: SweepOptions,
    recipe: Annotated[
        Literal[tuple(RECIPES)] | None,
        Option(
            help="Batch size, learning rate, epochs, decay and warm-up that RoBERTa was fine-tuned "
            "with; what is given besides wins.",
            show_default="none",
        ),
    ] = None,
    dev: Annotated[Path | None, Option(help="Data to measure on.")] = None,
    strategy: Strategy = "auto",
    overwrite: Overwrite = False,
):
    """Fine-tune a checkpoint on a table of texts and labels; run again, it goes on where it was.

    Example: keras-roberta finetune --preset granite-30m/ --train train.tsv --dev dev.tsv --out run/
    """
    options = (
        FinetuneOptions.of_recipe(recipe, **changes)
        if recipe is not None
        else FinetuneOptions.from_flat(changes)
    )
    for several in ("learning_rates", "seeds"):
        one = several.removesuffix("s")
        if getattr(sweep, several) and one in changes:
            raise OptionError((several, one), ": give one of the two")
    for table in (train, dev):
        check_file(table)
    check_model(preset)
    if is_first_worker(strategy):
        check_place(out, overwrite)
    keep_freed_memory()
    from keras_roberta.cli.printing import print_tables, print_values

    with contextlib.ExitStack() as run:
        places = preset, train, dev, out, options
        how = {
            "overwrite": overwrite,
            "strategy": lambda: run.enter_context(strategy_of(strategy)),
        }
        if sweep.asked_for:
            from keras_roberta.jobs.sweep import best_of, finetune_all
            from keras_roberta.reports.runs import runs_table, settings_table

            runs = finetune_all(*places, sweep, **how)
            if is_first_worker(strategy):
                print_tables({"runs": runs_table(runs), "settings": settings_table(runs)})
                print_values({"model": str(out), **best_of(runs).to_dict()})
            return
        from keras_roberta.jobs.finetune import finetune

        task, metrics = finetune(*places, **how)
        if is_chief(task.distribute_strategy):
            print_values({"model": str(out), **metrics})
