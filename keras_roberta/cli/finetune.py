"""`keras-roberta finetune`"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.cli.workers import Strategy, is_chief, strategy_of
from keras_roberta.training.allocator import keep_freed_memory


def finetune(
    preset: Annotated[
        str,
        Option(
            help="Checkpoint to start from: a directory (ours or Hugging Face's), or hf://org/name."
        ),
    ],
    train: Annotated[Path, Option(help="Training data: .tsv, .csv or .jsonl.")],
    out: Annotated[Path, Option(help="Directory for the fine-tuned preset, metrics and history.")],
    dev: Annotated[Path | None, Option(help="Data to measure on.")] = None,
    task: Annotated[Literal["classify", "regress"], Option(help="What the label is.")] = "classify",
    text_column: Annotated[
        str | None,
        Option(help="Column of the texts.", show_default="the one that is not the label"),
    ] = None,
    text_pair_column: Annotated[
        str | None, Option(help="Column of the second sentences, for sentence pairs.")
    ] = None,
    label_column: Annotated[str, Option(help="Column of the labels: numbers or names.")] = "label",
    dev_text_column: Annotated[
        str | None, Option(help="The dev file's name for it, if another.")
    ] = None,
    dev_text_pair_column: Annotated[str | None, Option(help="The same.")] = None,
    dev_label_column: Annotated[str | None, Option(help="The same.")] = None,
    num_classes: Annotated[
        int | None,
        Option(min=2, help="Classes, where labels are numbers.", show_default="as found"),
    ] = None,
    epochs: Annotated[int, Option(min=1, help="Times to go over the data.")] = 3,
    batch_size: Annotated[int, Option(min=1, help="Texts a step.")] = 32,
    learning_rate: Annotated[float, Option(help="The peak; the rate rises, then falls.")] = 3e-5,
    weight_decay: Annotated[float, Option(min=0, help="Decoupled weight decay.")] = 0.1,
    warmup: Annotated[
        float, Option(min=0, help="Steps of rising rate, or their share of all when below 1.")
    ] = 0.06,
    sequence_length: Annotated[int, Option(min=3, help="Longest text in tokens.")] = 128,
    seed: Annotated[int, Option(help="Seeds head, order and dropout.")] = 0,
    dtype: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"], Option(help="Precision.")
    ] = "float32",
    remat: Annotated[
        bool, Option("--remat", help="Less memory for more time: gradient checkpointing.")
    ] = False,
    dropout: Annotated[
        float | None,
        Option(
            help="Rate; what was pre-trained without needs some, few texts more.",
            show_default="the preset's",
        ),
    ] = None,
    lora_rank: Annotated[
        int | None, Option(min=1, help="Train only adapters of this rank, and the head.")
    ] = None,
    limit: Annotated[
        int | None, Option(min=1, help="Use only the first rows of each file.")
    ] = None,
    strategy: Strategy = "auto",
    overwrite: Annotated[bool, Option("--overwrite", help="Replace files in --out.")] = False,
):
    """Fine-tune a checkpoint on a table of texts and labels."""
    start_tensorflow()
    keep_freed_memory()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs import finetune as recipe
    from keras_roberta.jobs.columns import Columns

    with strategy_of(strategy) as devices:
        _, metrics = recipe.finetune(
            preset,
            train,
            dev,
            out,
            task=task,
            columns=Columns(
                text_column,
                text_pair_column,
                label_column,
                dev_text_column,
                dev_text_pair_column,
                dev_label_column,
            ),
            options=recipe.TrainingOptions(
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                weight_decay=weight_decay,
                warmup=warmup,
                sequence_length=sequence_length,
                seed=seed,
                dtype=dtype,
                remat=remat,
                dropout=dropout,
                lora_rank=lora_rank,
            ),
            num_classes=num_classes,
            limit=limit,
            overwrite=overwrite,
            strategy=devices,
        )
    if is_chief(devices):
        print_values({"model": str(out), **metrics})
