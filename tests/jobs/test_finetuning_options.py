"""Recipes of fine-tuning, what is given besides, and options that do not go together."""

import dataclasses

import pytest

from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.jobs.options.sweep import SweepOptions
from keras_roberta.options import OptionError
from keras_roberta.training.finetuning_recipe import RECIPES

# Liu et al., 2019, table 10, and fairseq's README.glue.md: batch size, rate, epochs, decay.
PUBLISHED = {
    "cola": (16, 1e-5, 10, 0.1),
    "mnli": (32, 1e-5, 10, 0.1),
    "mrpc": (16, 1e-5, 10, 0.1),
    "qnli": (32, 1e-5, 10, 0.1),
    "qqp": (32, 1e-5, 10, 0.1),
    "rte": (16, 2e-5, 10, 0.1),
    "sst-2": (32, 1e-5, 10, 0.1),
    "sts-b": (16, 2e-5, 10, 0.1),
    "squad": (48, 1.5e-5, 2, 0.01),
    "race": (16, 1e-5, 4, 0.1),
}


def test_recipes_are_those_that_were_published():
    assert RECIPES.keys() == PUBLISHED.keys()
    for name, expected in PUBLISHED.items():
        found = FinetuneOptions.of_recipe(name)
        values = found.batch_size, found.learning_rate, found.epochs, found.weight_decay
        assert values == expected and found.warmup == 0.06
        # Nothing else is another than without a recipe.
        names = ("batch_size", "learning_rate", "epochs", "weight_decay", "warmup")
        plain = {key: getattr(FinetuneOptions(), key) for key in names}
        assert dataclasses.replace(found, **plain) == FinetuneOptions()


def test_what_is_given_besides_wins():
    found = FinetuneOptions.of_recipe("rte", epochs=3, task="regress")
    assert (found.epochs, found.batch_size, found.task) == (3, 16, "regress")
    assert FinetuneOptions.of_recipe("rte", learning_rate=5e-5).learning_rate == 5e-5
    with pytest.raises(OptionError, match="recipe 'sst2': expected one of cola.*mean sst-2"):
        FinetuneOptions.of_recipe("sst2")
    with pytest.raises(OptionError, match="epochs must be a whole number from 1"):
        FinetuneOptions.of_recipe("rte", epochs=0)


def test_the_help_lists_them(run):
    _, shown, _ = run("finetune", "--help")
    words = "".join(shown.split()).replace("│", "")
    assert "cola|mnli|mrpc" in words and "--learning-rates" in words and "--seeds" in words


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--learning-rate", "1e-5", "--learning-rates", "1e-5,2e-5"],
            "--learning-rates and --learning-rate: give one of the two",
        ),
        (["--seed", "1", "--seeds", "1,2"], "--seeds and --seed: give one of the two"),
        (["--seeds", "1,1"], "--seeds: 1 is named twice"),
        (["--patience", "0"], "--patience must be a whole number from 1; got 0"),
        (
            ["--max-sequence-length", "1024", "--lora-rank", "4"],
            "--max-sequence-length and --lora-rank: adapters leave positions as they are",
        ),
        (["--recipe", "rte", "--label-smoothing", "1"], "--label-smoothing must be in"),
    ],
)
def test_options_that_do_not_fit_are_named(run, tmp_path, options, problem):
    places = ["--preset", tmp_path, "--train", tmp_path / "a.tsv", "--out", tmp_path / "out"]
    code, _, stderr = run("finetune", *places, *options)
    assert code == 2 and problem in stderr and stderr.count("\n") == 1


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_are_those_that_numpy_takes(seed):
    with pytest.raises(OptionError, match="seed must be between 0 and 4294967295"):
        FinetuneOptions(seed=seed)
    with pytest.raises(OptionError, match="seeds must be between 0 and 4294967295"):
        SweepOptions(seeds=(1, seed))
    assert FinetuneOptions(seed=2**32 - 1).seed == 2**32 - 1
