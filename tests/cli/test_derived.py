"""Commands out of records: signatures, what was given, errors, and the same defaults as Python."""

import dataclasses
import inspect
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import keras_roberta as kr
from keras_roberta.cli import app
from keras_roberta.cli.derived import Given, derived_command
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.options import OptionError, Options, all_options, nested, option
from keras_roberta.training.optimizer import finetuning_optimizer


@dataclasses.dataclass(frozen=True)
class Inner(Options):
    names: tuple[str, ...] = option(("a",), "Names.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record(Options):
    needed: int = option(help="Has to be given.")
    step_size: float = option(0.0, "A number.", group="Numbers", flag="--step")
    inner: Inner = nested(Inner)
    loud: bool = option(False, "A switch.")

    def check(self):
        if self.step_size > self.needed:
            raise OptionError("step_size", f"{self.step_size} is more than needed, or step_size")


def run(function, *arguments):
    """What the function of a command was called with."""
    calls = []
    application = typer.Typer()

    @application.command()
    @derived_command
    def command(out: Annotated[str, typer.Option()], options: function, more: int = 3):
        """A command."""
        calls.append((out, options, more))

    result = CliRunner().invoke(application, arguments)
    return result, calls


def test_a_record_of_what_was_given():
    result, calls = run(Record, "--needed", "2", "--names", "b, c", "--out", "x", "--loud")
    assert result.exit_code == 0, result.output
    assert calls == [("x", Record(needed=2, inner=Inner(("b", "c")), loud=True), 3)]
    result, calls = run(Record, "--needed", "2", "--out", "x", "--step", "0", "--more", "4")
    assert calls == [("x", Record(needed=2), 4)]


def test_what_was_given_alone():
    given = Annotated[dict, Given(Record)]
    _, calls = run(given, "--needed", "2", "--out", "x", "--step", "0")
    assert calls == [("x", {"needed": 2, "step_size": 0.0}, 3)]


def test_errors_spell_options_as_the_command_line_does():
    result, calls = run(Record, "--needed", "2", "--step", "5", "--out", "x")
    assert not calls and isinstance(result.exception, InputError)
    assert str(result.exception) == "--step 5.0 is more than needed, or --step"
    result, _ = run(Record, "--out", "x")
    assert result.exit_code == 2 and "--needed" in result.output


def test_help_says_defaults_choices_and_groups():
    result, _ = run(Record, "--help")
    assert "Numbers" in result.output and "A switch." in result.output
    shown = CliRunner().invoke(app, ["finetune", "--help"], env={"COLUMNS": "200"}).output
    for text in ("regress", "classify", "5e-05", "as found", "Tables", "the preset's"):
        assert text in shown


def command(name):
    """A command's function of typer and its parameters."""
    for registered in app.registered_commands:
        if registered.callback.__name__ == name:
            return inspect.signature(registered.callback).parameters
    raise KeyError(name)


def test_fine_tuning_has_the_same_defaults_everywhere():
    record = FinetuneOptions()
    optimizer = inspect.signature(finetuning_optimizer).parameters
    for name in ("learning_rate", "weight_decay", "warmup"):
        assert getattr(record, name) == optimizer[name].default
    fit = inspect.signature(kr.RobertaTextClassifier.fit).parameters
    assert record.epochs == fit["epochs"].default == 1
    # `fit` leaves the size of batches to Keras, whose default is 32.
    assert fit["batch_size"].default in (None, record.batch_size) and record.batch_size == 32
    assert record.sequence_length is None  # as long as the model's positions allow
    # The command line adds none of its own: what is not given is the record's.
    parameters = command("finetune")
    for named in all_options(FinetuneOptions):
        assert parameters[named.name].default in (None, False)


def test_the_command_line_loads_no_framework():
    code = (
        "import sys; import keras_roberta.cli\n"
        "found = {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", [c.callback.__name__ for c in app.registered_commands])
def test_no_default_is_written_twice(name):
    """Options of records have no default on the command line but that of the record."""
    records = {
        cls
        for cls in Options.__subclasses__()
        for cls in (cls, *cls.__subclasses__())
        if cls.__module__.startswith("keras_roberta")
    }
    of_records = {named.name for cls in records for named in all_options(cls)}
    for parameter in command(name).values():
        if parameter.name in of_records - {"preset", "train", "dev", "tokenizer", "language_alpha"}:
            assert parameter.default in (None, False, inspect.Parameter.empty)
