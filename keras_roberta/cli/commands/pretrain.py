"""`keras-roberta pretrain`"""

import signal
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from keras_roberta.cli.derived import Given
from keras_roberta.cli.paths import check_directory, check_model
from keras_roberta.cli.workers import Strategy, is_chief, is_first_worker, strategy_of
from keras_roberta.jobs.pretrain.checks import check_run, check_size_and_budget
from keras_roberta.jobs.pretrain.options import RECIPES, PretrainingOptions
from keras_roberta.jobs.pretrain.options import recipe as options_of_recipe
from keras_roberta.training.allocator import keep_freed_memory


def pretrain(
    data: Annotated[Path, Option(help="Directory of shards that `prepare` wrote.")],
    out: Annotated[
        Path, Option(help="Directory of the run, and of the preset at its end. Resumes by itself.")
    ],
    changes: Annotated[dict, Given(PretrainingOptions)],
    recipe: Annotated[
        Literal[tuple(RECIPES)] | None,
        Option(help="Where the other options start.", show_default="one-day with --hours"),
    ] = None,
    strategy: Strategy = "auto",
    skip_corrupt: Annotated[
        bool, Option("--skip-corrupt", help="Pass over damaged records instead of stopping.")
    ] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Start anew where --out holds a run.")
    ] = False,
):
    """Pre-train a model from shards; run again, it goes on where it was stopped or killed.

    Example: keras-roberta pretrain --data shards/ --size small --hours 2 --out run/
    """
    name = recipe or (
        "one-day" if "hours" in changes and "steps" not in changes else "roberta-base"
    )
    # A day of a CPU is some 10^8 tokens: batches of a GPU would make it a few hundred steps.
    of_cpu = {"batch_size": 64} if name == "one-day" and "batch_size" not in changes else {}
    options = options_of_recipe(name, **changes, **of_cpu)
    check_size_and_budget(changes, recipe)
    check_directory(data)
    if options.preset is not None:
        check_model(options.preset)
    on_corrupt = "skip" if skip_corrupt else "raise"
    check_run(
        data,
        out,
        options,
        overwrite=overwrite,
        on_corrupt=on_corrupt,
        # What is asked for on a graphics card is known once TensorFlow is there.
        with_directory=is_first_worker(strategy) and not of_cpu,
    )
    keep_freed_memory()
    import tensorflow as tf

    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.pretrain.run import pretrain

    if of_cpu and tf.config.list_physical_devices("GPU"):
        options = options_of_recipe(name, **changes)
    with strategy_of(strategy) as devices:
        result = pretrain(
            data,
            out,
            options,
            overwrite=overwrite,
            on_corrupt=on_corrupt,
            strategy=devices,
        )
    if is_chief(devices):
        if result.signal is None:
            print_values({"model": str(out), **result.summary()})
        else:
            typer.echo(
                f"stopped by {signal.Signals(result.signal).name} after step {result.steps}; the "
                "same command goes on from there",
                err=True,
            )
    raise typer.Exit(0 if result.signal is None else 128 + result.signal)
