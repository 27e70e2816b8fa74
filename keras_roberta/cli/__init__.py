"""The `keras-roberta` command.

Nothing here imports TensorFlow, so that `--help` is instant: commands import what they run.
"""

import logging
import os
import sys
import traceback
from typing import Annotated

import typer

from keras_roberta import __version__
from keras_roberta.cli.commands import (
    compress,
    convert,
    demo,
    evaluate,
    export,
    finetune,
    launch,
    predict,
    prepare,
    pretrain,
    report,
    sizes,
    tokenizer,
)
from keras_roberta.cli.derived import derived_command
from keras_roberta.cli.usage_errors import usage_message
from keras_roberta.errors import InputError, WorkerLostError
from keras_roberta.startup.quiet_tensorflow import DEBUG_VARIABLE

app = typer.Typer(
    name="keras-roberta",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(asked: bool):
    if asked:
        print(f"keras-roberta {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which version this is.", is_eager=True, callback=_say_version
        ),
    ] = False,
):
    """RoBERTa for Keras: pre-train, fine-tune on raw strings, export to TFLite and TF Serving.

    Example: keras-roberta finetune --preset granite-30m/ --train train.tsv --out run/
    """


app.command()(derived_command(demo.demo))
app.add_typer(tokenizer.app, name="tokenizer")
app.command()(derived_command(prepare.prepare))
app.command()(derived_command(pretrain.pretrain))
app.command()(derived_command(finetune.finetune))
app.command(context_settings={"ignore_unknown_options": True})(launch.launch)
app.command()(derived_command(evaluate.evaluate))
app.command()(derived_command(predict.predict))
app.add_typer(compress.app, name="compress")
app.command()(derived_command(export.export))
app.command()(derived_command(report.report))
app.command()(derived_command(convert.convert))
app.command()(derived_command(sizes.sizes))


def main(arguments=None):
    """Runs a command and leaves the process.

    Exit codes: 0 done, 1 a fault of ours, 2 something to put right in what was given, 75 (sysexits'
    EX_TEMPFAIL) another worker has gone and all should be started again, 130 Ctrl-C.
    """
    # Python's part of TensorFlow has warnings of its own, such as of functions traced again.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        code = app(arguments, prog_name="keras-roberta", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except InputError as error:
        _stop(f"error: {error}", 2)
    except WorkerLostError as error:
        _stop(f"error: {error}", 75)
    except BrokenPipeError:  # `keras-roberta predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's: an unknown option, a missing value
            _stop_with_usage(error)
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
            sys.exit(1)
        what = next(iter(str(error).strip().splitlines()), "no message")
        _stop(
            f"internal error: {type(error).__name__}: {what} "
            f"(set {DEBUG_VARIABLE}=1 for the traceback)",
            1,
        )


def _stop_with_usage(error):
    """One line for what typer shows as a box."""
    context = getattr(error, "ctx", None)
    message = usage_message(error)
    if not message:  # a command without any arguments has shown its help
        sys.exit(error.exit_code)
    hint = f"; see {context.command_path} --help" if context and message[-1] != "?" else ""
    _stop(f"error: {message}{hint}", error.exit_code)


def _stop(message, code):
    print(message, file=sys.stderr)
    sys.exit(code)
