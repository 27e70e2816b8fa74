"""Commands out of records: signatures, what was given, errors, and the same defaults as Python."""

import dataclasses
import inspect
import pathlib
import re
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import keras_roberta as kr
from keras_roberta.cli import app
from keras_roberta.cli.derived import Given, derived_command
from keras_roberta.cli.paths import Model, expand_home
from keras_roberta.config import SIZES
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.errors import InputError
from keras_roberta.jobs.options.compress import ClusterOptions, PruneOptions, QatOptions
from keras_roberta.jobs.options.convert import ConvertOptions
from keras_roberta.jobs.options.demo import DemoOptions
from keras_roberta.jobs.options.evaluate import EvaluateOptions, PredictOptions
from keras_roberta.jobs.options.export import ExportOptions
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.report import ReportOptions
from keras_roberta.jobs.options.train_tokenizer import TrainTokenizerOptions
from keras_roberta.jobs.options.trim_vocabulary import TrimVocabularyOptions
from keras_roberta.jobs.pretrain.options import PretrainingOptions
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


@dataclasses.dataclass(frozen=True)
class Switches(Options):
    on: bool = option(True, "On unless it is turned off.")
    off: bool = option(False, "Off unless it is turned on.")
    either: bool | None = option(None, "As another option says.", shown_default="that one's")


@dataclasses.dataclass(frozen=True)
class Paths(Options):
    preset: str | None = option(None, "A checkpoint.", is_path=True)
    folder: pathlib.Path | None = option(None, "A folder.")


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


def test_fine_tuning_has_the_same_defaults_everywhere():
    expected = {"learning_rate": 5e-5, "weight_decay": 0.1, "warmup": 0.06}
    optimizer = inspect.signature(finetuning_optimizer).parameters
    shown = help_of(app, "finetune")
    for name, value in expected.items():
        assert getattr(FinetuneOptions(), name) == optimizer[name].default == value
        assert f"[default: {value}]" in shown
    # `fit` leaves the size of batches to Keras, whose default is 32.
    fit = inspect.signature(kr.RobertaTextClassifier.fit).parameters
    assert (fit["epochs"].default, fit["batch_size"].default) == (1, None)
    assert (FinetuneOptions().epochs, FinetuneOptions().batch_size) == (1, 32)
    assert FinetuneOptions().sequence_length is None  # as long as the model's positions allow


def test_home_in_every_kind_of_path(monkeypatch):
    """Shells leave `~` as it is in `--out=~/x`."""
    monkeypatch.setenv("HOME", "/home/me")
    calls, application = [], typer.Typer()

    @application.command()
    @derived_command
    def command(
        out: Annotated[pathlib.Path, typer.Option()],
        model: Model,
        options: Paths,
        models: Annotated[list[str], typer.Argument(callback=expand_home)],
    ):
        """A command."""
        calls.append((out, model, options.preset, options.folder, *models))

    arguments = ["--out=~/a", "--model=~/b", "--preset=~/c", "--folder=~/d", "~/e", "hf://a/~"]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 0, result.output
    assert [*map(str, calls[0])] == [*(f"/home/me/{name}" for name in "abcde"), "hf://a/~"]


def test_help_has_an_example_that_is_right():
    shown = {(): help_of(app)} | {
        tuple(name.split()): help_of(app, *name.split())
        for name in (*RECORDS, "launch", "tokenizer train")
    }
    for words, text in shown.items():
        assert " Example: keras-roberta " in text, words
        example = text.split(" Example: ")[1].split(" \u256d")[0]
        for flag in re.findall(r" (--[a-z-]+)", example):
            known = text if words else help_of(app, "finetune")
            assert known.count(flag) > 1 or words == ("launch",), (words, flag)


def test_a_switch_that_is_on_can_be_turned_off():
    _, calls = run(Switches, "--out", "x")
    assert calls == [("x", Switches(on=True, off=False), 3)]
    _, calls = run(Switches, "--out", "x", "--no-on", "--off")
    assert calls == [("x", Switches(on=False, off=True), 3)]
    _, calls = run(Annotated[dict, Given(Switches)], "--out", "x", "--no-on")
    assert calls == [("x", {"on": False}, 3)]
    _, calls = run(Switches, "--out", "x", "--no-either")
    assert calls == [("x", Switches(either=False), 3)]
    result, _ = run(Switches, "--out", "x", "--no-off")
    assert result.exit_code == 2


def help_of(application, *words):
    """The help in a wide terminal, with its frames taken off and white space made single."""
    shown = CliRunner().invoke(application, [*words, "--help"], env={"COLUMNS": "1000"}).output
    return " ".join(shown.replace("\u2502", " ").split())


RECORDS = {
    "prepare": PrepareOptions,
    "pretrain": PretrainingOptions,
    "finetune": FinetuneOptions,
    "evaluate": EvaluateOptions,
    "predict": PredictOptions,
    "export": ExportOptions,
    "report": ReportOptions,
    "convert": ConvertOptions,
    "demo": DemoOptions,
    "tokenizer train": TrainTokenizerOptions,
    "compress trim": TrimVocabularyOptions,
    "compress prune": PruneOptions,
    "compress cluster": ClusterOptions,
    "compress qat": QatOptions,
}


@pytest.mark.parametrize("command", RECORDS)
def test_help_texts_arrive_whole(command):
    """rich takes what stands in square brackets for markup."""
    shown = help_of(app, *command.split())
    for named in all_options(RECORDS[command]):
        assert named.flag in shown and named.option.help in shown, named.name


def test_defaults_are_shown_as_they_are_given():
    shown = help_of(app, "export")
    assert "[default: int8; none in a SavedModel]" in shown and "[default: 32,64,128]" in shown
    assert "([" not in shown and "(int8" not in shown
    assert "[keras|hugging-face|fairseq|keras-hub]" in help_of(app, "convert")
    assert f"--size [{'|'.join(SIZES)}]" in help_of(app, "pretrain")
