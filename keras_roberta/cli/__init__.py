"""The `keras-roberta` command.

Nothing here imports TensorFlow, so that `--help` is instant: commands import what they run.
"""

import os
import sys
import traceback

import typer

from keras_roberta.cli import (
    convert,
    demo,
    evaluate,
    export,
    finetune,
    launch,
    prepare,
    pretrain,
    tokenizer,
)
from keras_roberta.cli.startup import DEBUG_VARIABLE
from keras_roberta.errors import InputError, WorkerLostError

app = typer.Typer(
    name="keras-roberta",
    help="RoBERTa for Keras: pre-train, fine-tune on raw strings, export to TFLite and TF Serving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.add_typer(tokenizer.app, name="tokenizer")
app.command()(prepare.prepare)
app.command()(pretrain.pretrain)
app.command()(finetune.finetune)
app.command(context_settings={"ignore_unknown_options": True})(launch.launch)
app.command()(evaluate.evaluate)
app.command()(evaluate.predict)
app.command()(export.export)
app.command()(export.report)
app.command()(convert.convert)


def main(arguments=None):
    """Runs a command and leaves the process.

    Exit codes: 0 done, 1 a fault of ours, 2 something to put right in what was given, 75 (sysexits'
    EX_TEMPFAIL) another worker has gone and all should be started again, 130 Ctrl-C.
    """
    try:
        app(arguments, prog_name="keras-roberta")
    except InputError as error:
        _stop(f"error: {error}", 2)
    except WorkerLostError as error:
        _stop(f"error: {error}", 75)
    except KeyboardInterrupt:
        _stop("interrupted", 130)
    except BrokenPipeError:  # `keras-roberta predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
            sys.exit(1)
        what = (str(error).strip() or "no message").splitlines()[0]
        _stop(
            f"internal error: {type(error).__name__}: {what} "
            f"(set {DEBUG_VARIABLE}=1 for the traceback)",
            1,
        )


def _stop(message, code):
    print(message, file=sys.stderr)
    sys.exit(code)
