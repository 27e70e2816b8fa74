"""`keras-roberta predict`"""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from keras_roberta.cli.paths import Model, check_file, check_model
from keras_roberta.cli.quiet_interpreter import start_interpreter
from keras_roberta.errors import InputError
from keras_roberta.files.output_checks import check_output_file
from keras_roberta.files.text_file import lines_of_bytes
from keras_roberta.jobs.options.evaluate import PredictOptions
from keras_roberta.jobs.prediction_formats import FORMATS, format_of
from keras_roberta.training.allocator import keep_freed_memory


def predict(
    model: Model,
    options: PredictOptions,
    texts: Annotated[
        list[str] | None, Argument(help="Texts; without any, the lines of standard input.")
    ] = None,
    option: Annotated[
        list[str] | None,
        Option(help="An option of the question, for a model that chooses; give it for each."),
    ] = None,
    text_pair: Annotated[
        str | None,
        Option(help="Second text of each of the texts, such as the context of questions."),
    ] = None,
    data: Annotated[
        Path | None, Option(help="A table of texts instead, or a .txt file with a text a line.")
    ] = None,
    out: Annotated[
        Path | None, Option(help="File for the predictions.", show_default="stdout")
    ] = None,
):
    """Answer for texts: on standard output one line a text, answer and text between tabs.

    Example: keras-roberta predict --model model.tflite "a gob of drivel" "a fine film"
    """
    if data and (texts or option):
        raise InputError("give texts or --data, not both")
    if text_pair is not None and data:
        raise InputError("--text-pair: goes with texts; name a column as --text-pair-column")
    if option and text_pair is not None:
        raise InputError("--option and --text-pair: give one of them")
    options.check_source(data)
    if out is not None:
        format_of(out, options.format)
        check_output_file(out)
    check_model(model)
    check_file(options.corpus)
    if data:
        check_file(data)
    else:
        # What is not UTF-8 becomes U+FFFD.
        texts = texts or lines_of_bytes(sys.stdin.buffer.read(), "standard input", errors="replace")
    keep_freed_memory()
    start_interpreter(model)
    from keras_roberta.jobs.predict import predict

    if option:
        texts = texts, [option] * len(texts)
    elif text_pair is not None:
        texts = texts, [text_pair] * len(texts)
    rows = predict(model, texts, options, data=data, out=out)
    if out is None:
        # What cannot be said in the terminal's encoding becomes "?".
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        for line in FORMATS[options.format or "text"](rows):
            print(line)
