"""`keras-roberta export`"""

from pathlib import Path
from typing import Annotated

from typer import Option

from keras_roberta.cli.paths import Overwrite, check_model, expand_home
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.jobs.options.export import ExportOptions


def export(
    preset: Annotated[str, Option(help="Fine-tuned preset.", callback=expand_home)],
    out: Annotated[Path, Option(help="A .tflite file, or the SavedModel's directory.")],
    options: ExportOptions,
    overwrite: Overwrite = False,
):
    """Turn a preset into a file for phones or a directory for TF Serving.

    Example: keras-roberta export --preset run/ --out model.tflite --quantization int8
    """
    check_model(preset)
    start_interpreter()
    from keras_roberta.cli.printing import print_values
    from keras_roberta.jobs.export import export

    exported = export(preset, out, options, overwrite=overwrite)
    print_values(exported)
