import json
import pathlib

import pytest

from keras_roberta.config import SIZES, RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import RECIPES, PretrainingOptions, recipe


def test_the_recipes():
    base, large, day = (recipe(name) for name in ("roberta-base", "roberta-large", "one-day"))
    assert base == PretrainingOptions()
    assert base.peak_learning_rate(768) == pytest.approx(7e-4)
    assert base.warmup * base.steps == pytest.approx(24_000)
    assert (large.size, large.warmup * large.steps) == ("large", pytest.approx(30_000))
    assert (day.steps, day.hours, day.peak_learning_rate(768)) == (None, 24, 1e-3)
    sizes = [stage.batches.batch_size for stage in day.stages()]
    assert sizes == [1024, 2048, 4096] and day.stages()[-1].until == 1.0


def test_changes_go_where_they_belong():
    options = recipe("one-day", hours=2, batch_size=64, objectives=("mlm", "sop"), size=None)
    assert (options.size, options.hours, options.steps) == ("base", 2, None)
    assert options.batches.objectives == ("mlm", "sop")
    assert [stage.batches.batch_size for stage in options.stages()] == [16, 32, 64]
    assert recipe("one-day", steps=10).hours is None
    assert recipe("roberta-base", hours=1).steps is None
    assert recipe("roberta-base", tokens=10**9).steps is None
    json.dumps(options.to_dict())
    continued = recipe("roberta-large", preset=pathlib.Path("a/preset"))
    assert (continued.size, continued.preset) == (None, "a/preset")
    assert continued.warmup == recipe("roberta-large").warmup
    json.dumps(continued.to_dict())


def test_ramps_make_stages():
    options = recipe(
        "roberta-base",
        batch_size=64,
        sequence_length=64,
        micro_batch_size=16,
        batch_ramp=((0.5, 128),),
        length_ramp=((0.0, 32), (0.5, 48), (0.9, 512)),
    )
    found = [
        (s.until, s.batches.batch_size, s.batches.sequence_length, s.parts)
        for s in options.stages()
    ]
    assert found == [(0.5, 64, 32, 4), (0.9, 128, 48, 8), (1.0, 128, 512, 8)]
    assert (options.largest_batch_size, options.longest_sequence) == (128, 512)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(length_ramp="0:4"), "length_ramp at 0: must be a whole number from 8; got 4"),
        (dict(batch_ramp="0.5:65"), "batch_ramp at 0.5: 65 does not divide into 2 parts"),
        (dict(size="smal"), "size 'smal': expected one of tiny, .*did you mean small?"),
        (dict(steps=0), "steps must be positive"),
        (dict(hours=-1), "hours must be positive"),
        (dict(size="tiny", preset="x"), "size and preset: give one of them"),
        (
            dict(initial_embeddings="glove"),
            "initial_embeddings 'glove': expected one of random, cooccurr",
        ),
        (dict(preset="x", initial_embeddings="cooccurrence"), "preset has its own weights"),
        (
            dict(initializer="zeros"),
            "initializer 'zeros': expected one of normal, truncated_normal, glorot",
        ),
        (dict(preset="x", norm_first=True), "norm_first True: a preset has its own weights"),
        (dict(sharing_groups=2), "^sharing_groups 2 needs a parameter_sharing of all"),
        (dict(embedding_dim=900), "^embedding_dim must be .* less than hidden_dim=768"),
        (dict(num_layers=0), "num_layers must be a whole number from 1; got 0"),
        (dict(size="huge"), "size 'huge': expected one of tiny, mini"),
        (dict(dropout=1.0), "dropout"),
        (dict(dtype="float8"), "dtype 'float8': expected one of"),
        (dict(batch_size=65), "batch_size 65 does not divide into 2 parts"),
        (dict(batch_ramp=((0.5, 64), (0.5, 128))), "batch_ramp: shares of the run must rise"),
        (dict(length_ramp=((1.0, 64),)), "length_ramp: shares of the run must rise"),
        (dict(length_ramp=((0.1, 2),)), "length_ramp at 0.1: must be a whole number from 8"),
        (dict(save_every=0), "save_every must be a whole number from 1"),
        (dict(objectives=("clm",)), "objectives clm"),
        (dict(mask_rate=2.0), "mask_rate"),
        (dict(evaluate_every=70), "evaluate_every 70 is not a multiple of log_every 50"),
        (dict(learning_rat=1.0), "learning_rat is no option here; did you mean learning_rate"),
        (dict(steps="10"), "steps must be a whole number; got '10'"),
    ],
)
def test_options_that_do_not_fit(changes, message):
    with pytest.raises(InputError, match=message):
        recipe("roberta-base", **changes)


def test_options_survive_json():
    options = recipe(
        "one-day",
        hours=2,
        batch_size=64,
        objectives="mlm, sop",
        loss_weights={"sop": 0.5},
        length_ramp=((0.0, 32),),
    )
    assert options.batches.objectives == ("mlm", "sop")
    read = json.loads(json.dumps(options.to_dict()))
    assert PretrainingOptions.from_dict(read) == options
    with pytest.raises(InputError, match="siz is no option here; did you mean size"):
        PretrainingOptions.from_dict({"siz": "base"})


def test_a_record_of_a_run_reads_as_it_did():
    """The layout of `run.json`: nested where it was, all names as they were."""
    values = recipe("roberta-base", steps=10, batch_ramp=((0.0, 64),)).to_dict()
    assert values["batches"]["objectives"] == ["mlm"] and values["batch_ramp"] == [[0.0, 64]]
    assert set(values) == set(
        "size preset model initializer initial_embeddings batches loss_weights steps tokens hours "
        "micro_batch_size batch_ramp length_ramp learning_rate warmup decay_power weight_decay "
        "epsilon clip_norm dropout activation_dropout layer_drop dtype remat check_memory seed "
        "save_every keep_states log_every evaluate_every evaluation_batches".split()
    )


def test_a_size_keeps_its_own_where_nothing_is_said():
    sizes = {name: recipe("roberta-base", size=name).model.fields() for name in SIZES}
    for name, fields in sizes.items():
        assert RobertaConfig.named(name, **fields) == RobertaConfig.named(name)
    untied = recipe("roberta-base", tie_word_embeddings=False, num_layers=3).model.fields()
    assert untied == {"tie_word_embeddings": False, "num_layers": 3}


def test_a_presets_trailing_slash_makes_no_other_run():
    one, other = (recipe("roberta-base", preset=path) for path in ("hf/", pathlib.Path("hf")))
    assert one == other
    assert recipe("roberta-base", preset="hf://a/b").preset == "hf://a/b"


def test_an_unknown_recipe():
    with pytest.raises(InputError, match=f"choose from {', '.join(RECIPES)}"):
        recipe("two-day")
