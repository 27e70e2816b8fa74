"""`keras-roberta convert`"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from keras_roberta.cli.startup import start_tensorflow


def convert(
    model: Annotated[
        str, Option(help="A preset, a Hugging Face directory as downloaded, or hf://org/name.")
    ],
    out: Annotated[Path, Option(help="Directory to write.")],
    to: Annotated[
        Literal["hugging-face", "keras"],
        Option(help="What Transformers loads, or a preset of this library."),
    ] = "hugging-face",
    overwrite: Annotated[bool, Option("--overwrite", help="Replace files in --out.")] = False,
    drop_heads: Annotated[
        bool, Option("--drop-heads", help="Leave out heads that cannot be kept.")
    ] = False,
):
    """Turn a preset into a directory for Transformers, or the other way round."""
    start_tensorflow()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.convert import convert

    written = convert(model, out, to, overwrite=overwrite, drop_heads=drop_heads)
    print_values({"model": written, "directory": str(out)})
