"""`keras-roberta pretrain`"""

import signal
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.cli.workers import Strategy, is_chief, strategy_of
from keras_roberta.errors import InputError
from keras_roberta.training.allocator import keep_freed_memory


def pretrain(
    data: Annotated[Path, Option(help="Directory of shards that `prepare` wrote.")],
    out: Annotated[
        Path, Option(help="Directory of the run, and of the preset at its end. Resumes by itself.")
    ],
    recipe: Annotated[
        Literal["roberta-base", "roberta-large", "one-day"] | None,
        Option(help="Where the other options start.", show_default="one-day with --hours"),
    ] = None,
    size: Annotated[
        str | None,
        Option(help="tiny, mini, small, base, large, xlm-base or xlm-large.", show_default=False),
    ] = None,
    preset: Annotated[
        str | None,
        Option(
            help="Go on from the weights of this checkpoint, instead of --size.", show_default=False
        ),
    ] = None,
    initializer: Annotated[
        Literal["normal", "truncated_normal", "glorot_uniform"] | None,
        Option(help="Of a new model's weights.", show_default="normal"),
    ] = None,
    initial_embeddings: Annotated[
        Literal["random", "cooccurrence"] | None,
        Option(
            help="Of the tokens of a new model: random, or by what stands beside them in the text.",
            show_default="random",
        ),
    ] = None,
    objectives: Annotated[
        str, Option(help="One or more of mlm, sop, nsp, choice, tokens, with commas.")
    ] = "mlm",
    loss_weights: Annotated[
        str | None, Option(help="Factors, such as mlm:1,sop:0.5.", show_default="1 each")
    ] = None,
    hours: Annotated[float | None, Option(help="Time to use.", show_default=False)] = None,
    steps: Annotated[
        int | None, Option(help="Steps to take; repeatable, unlike hours.", show_default=False)
    ] = None,
    batch_size: Annotated[
        int | None,
        Option(help="Sequences a step.", show_default="the recipe's; one-day without a GPU: 64"),
    ] = None,
    micro_batch_size: Annotated[
        int | None, Option(help="Sequences on the device at once.", show_default="64")
    ] = None,
    sequence_length: Annotated[
        int | None, Option(help="Tokens a sequence.", show_default="512; one-day: 128")
    ] = None,
    batch_ramp: Annotated[
        str | None, Option(help="Batch size from a share of the run on: 0:64,0.3:128,0.6:256.")
    ] = None,
    length_ramp: Annotated[
        str | None, Option(help="The same for the sequence length: 0:128,0.9:512.")
    ] = None,
    packing: Annotated[
        str | None,
        Option(
            help="full-sentences, doc-sentences, segment-pair, sentence-pair or block-diagonal.",
            show_default="by objective",
        ),
    ] = None,
    mask_rate: Annotated[float | None, Option(help="Share to mask.", show_default="0.15")] = None,
    mask_units: Annotated[
        str | None, Option(help="token, whole-word or span.", show_default="token")
    ] = None,
    static_masking: Annotated[
        bool, Option("--static-masking", help="Mask a row alike each time.")
    ] = False,
    language_alpha: Annotated[
        float | None, Option(help="Languages by tokens to this power.", show_default="0.7")
    ] = None,
    num_choices: Annotated[
        int | None, Option(help="Endings a beginning, for choice.", show_default="4")
    ] = None,
    learning_rate: Annotated[
        float | None, Option(help="The peak.", show_default="by batch size and width")
    ] = None,
    warmup: Annotated[
        float | None, Option(help="Share of the run.", show_default="the recipe's")
    ] = None,
    decay_power: Annotated[
        float | None, Option(help="Of the polynomial decay.", show_default="1")
    ] = None,
    weight_decay: Annotated[
        float | None, Option(help="Decoupled, not on biases and norms.", show_default="0.01")
    ] = None,
    clip_norm: Annotated[
        float | None, Option(help="Bound on the gradient.", show_default="the recipe's")
    ] = None,
    dropout: Annotated[float | None, Option(help="Rate.", show_default="0.1; one-day: 0")] = None,
    dtype: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"] | None,
        Option(help="Precision.", show_default="float32"),
    ] = None,
    remat: Annotated[
        bool, Option("--remat", help="Less memory for more time: gradient checkpointing.")
    ] = False,
    seed: Annotated[int, Option(help="Seeds weights, dropout, order and masking.")] = 0,
    save_every: Annotated[int, Option(min=1, help="Steps between saved states.")] = 1000,
    keep_states: Annotated[int, Option(min=1, help="Saved states that stay.")] = 2,
    log_every: Annotated[int, Option(min=1, help="Steps between rows of the log.")] = 50,
    evaluate_every: Annotated[
        int, Option(min=1, help="Steps between evaluations; a multiple of --log-every.")
    ] = 1000,
    evaluation_batches: Annotated[
        int, Option(min=1, help="Held-out batches a language, at most.")
    ] = 20,
    strategy: Strategy = "auto",
    skip_corrupt: Annotated[
        bool, Option("--skip-corrupt", help="Pass over damaged records instead of stopping.")
    ] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Start anew where --out holds a run.")
    ] = False,
):
    """Pre-train a model from shards; run again, it goes on where it was stopped or killed."""
    if evaluate_every % log_every:
        raise InputError(
            f"--evaluate-every {evaluate_every} is not a multiple of --log-every {log_every}"
        )
    if size and preset:
        raise InputError("--size and --preset: give one of them; a preset has its own size")
    changes = {
        "size": size,
        "preset": preset,
        "initializer": initializer,
        "initial_embeddings": initial_embeddings,
        "objectives": tuple(objectives.split(",")),
        "loss_weights": loss_weights and dict(_pairs("--loss-weights", loss_weights, str, float)),
        "hours": hours,
        "steps": steps,
        "batch_size": batch_size,
        "micro_batch_size": micro_batch_size,
        "sequence_length": sequence_length,
        "batch_ramp": batch_ramp and tuple(_pairs("--batch-ramp", batch_ramp, float, int)),
        "length_ramp": length_ramp and tuple(_pairs("--length-ramp", length_ramp, float, int)),
        "packing": packing,
        "mask_rate": mask_rate,
        "mask_units": mask_units,
        "static_masking": static_masking,
        "language_alpha": language_alpha,
        "num_choices": num_choices,
        "learning_rate": learning_rate,
        "warmup": warmup,
        "decay_power": decay_power,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
        "dropout": dropout,
        "dtype": dtype,
        "remat": remat,
        "seed": seed,
        "save_every": save_every,
        "keep_states": keep_states,
        "log_every": log_every,
        "evaluate_every": evaluate_every,
        "evaluation_batches": evaluation_batches,
    }
    start_tensorflow()
    keep_freed_memory()
    import tensorflow as tf

    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.pretrain import options as options_module
    from keras_roberta.jobs.pretrain.run import pretrain as run

    name = recipe or ("one-day" if hours and not steps else "roberta-base")
    if name == "one-day" and batch_size is None and not tf.config.list_physical_devices("GPU"):
        # A day of a CPU is some 10^8 tokens: batches of a GPU would make it a few hundred steps.
        changes["batch_size"] = 64
    options = options_module.recipe(name, **changes)
    with strategy_of(strategy) as devices:
        on_corrupt = "skip" if skip_corrupt else "raise"
        result = run(data, out, options, overwrite, on_corrupt, devices)
    if not is_chief(devices):
        raise typer.Exit(0 if result.signal is None else 128 + result.signal)
    if result.signal is not None:
        name = signal.Signals(result.signal).name
        typer.echo(
            f"stopped by {name} after step {result.steps}; the same command goes on from there",
            err=True,
        )
        raise typer.Exit(128 + result.signal)
    values = {
        "model": str(out),
        "steps": result.steps,
        "tokens": result.tokens,
        "hours": result.hours,
        "skipped steps": result.skipped_steps,
    }
    for language, metrics in result.heldout.items():
        values |= {f"{language} {name}": value for name, value in metrics.items()}
    print_values(values)


def _pairs(option, text, key, value):
    try:
        for pair in text.split(","):
            left, right = pair.split(":")
            yield key(left.strip()), value(right)
    except ValueError:
        raise InputError(f"{option} {text!r}: give pairs such as 0:64,0.5:128") from None
