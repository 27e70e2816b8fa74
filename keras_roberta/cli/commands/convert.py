"""`keras-roberta convert`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Overwrite, check_model, expand_home
from keras_roberta.jobs.options.convert import ConvertOptions


def convert(
    model: Annotated[
        str,
        Option(
            help="A directory of any of these formats as downloaded, or hf://org/name.",
            callback=expand_home,
        ),
    ],
    out: Annotated[Path, Option(help="Directory to write.")],
    options: ConvertOptions,
    overwrite: Overwrite = False,
):
    """Turn a checkpoint into one of another format.

    Example: keras-roberta convert --model run/ --out for-transformers/
    """
    check_model(model)
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.convert import convert

    converted = convert(model, out, options, overwrite=overwrite)
    print_values({"model": converted, "directory": str(out)})
