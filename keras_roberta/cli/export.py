"""`keras-roberta export` and `keras-roberta report`"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from keras_roberta.cli.startup import start_tensorflow
from keras_roberta.errors import InputError


def export(
    preset: Annotated[str, Option(help="Fine-tuned preset.")],
    out: Annotated[Path, Option(help="A .tflite file, or the SavedModel's directory.")],
    format: Annotated[Literal["tflite", "saved-model"], Option(help="What to write.")] = "tflite",
    quantization: Annotated[
        Literal["none", "float16", "int8"], Option(help="Precision of the weights, for TFLite.")
    ] = "int8",
    sequence_lengths: Annotated[
        str, Option(help="Lengths in tokens that the TFLite model takes, with commas.")
    ] = "32,64,128",
    inputs: Annotated[
        Literal["text", "tokens"], Option(help="Whether the tokenizer goes into the model.")
    ] = "text",
    pairs: Annotated[bool, Option("--pairs", help="The model takes pairs of texts.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace what --out names.")] = False,
    top_k: Annotated[
        int, Option(min=1, help="Candidates for each <mask>, of a masked language model.")
    ] = 5,
):
    """Turn a preset into a file for phones or a directory for TF Serving."""
    lengths = _lengths(sequence_lengths)
    start_tensorflow()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.export import export

    print_values(
        export(preset, out, format, quantization, lengths, inputs, pairs, overwrite, top_k)
    )


def report(
    models: Annotated[list[str], Argument(help="Exported files and SavedModel directories.")],
    preset: Annotated[str, Option(help="The preset that they were exported from.")],
    data: Annotated[Path, Option(help="Texts and labels to compare on.")],
    out: Annotated[Path, Option(help="Directory for the table and the picture.")],
    text_column: Annotated[
        str | None,
        Option(help="Column of the texts.", show_default="the one that is not the label"),
    ] = None,
    text_pair_column: Annotated[str | None, Option(help="Column of the second sentences.")] = None,
    label_column: Annotated[str, Option(help="Column of the labels.")] = "label",
    limit: Annotated[int | None, Option(min=1, help="Use only the first rows.")] = None,
    threads: Annotated[int, Option(min=1, help="For TFLite.")] = 1,
):
    """Compare exported models with the preset: accuracy, agreement, size and latency."""
    start_tensorflow()
    from rich.console import Console

    from keras_roberta.jobs.columns import Columns
    from keras_roberta.jobs.report import report

    columns = Columns(text_column, text_pair_column, label_column)
    Console().print(report(models, preset, data, out, columns, limit, threads))


def _lengths(text):
    try:
        lengths = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        lengths = ()
    if not lengths or lengths[0] < 3:
        raise InputError(
            f"--sequence-lengths {text!r}: give whole numbers from 3 up, such as 32,64,128"
        )
    return lengths
