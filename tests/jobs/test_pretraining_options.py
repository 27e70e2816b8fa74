import json
import pathlib

import pytest

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
        (dict(steps=0), "steps must be positive"),
        (dict(hours=-1), "hours must be positive"),
        (dict(size="tiny", preset="x"), "size tiny, preset x: give one of them"),
        (dict(initial_embeddings="glove"), "initial_embeddings must be one of random, cooccurr"),
        (dict(preset="x", initial_embeddings="cooccurrence"), "preset has its own weights"),
        (dict(initializer="zeros"), "initializer must be one of normal, truncated_normal, glorot"),
        (dict(size="huge"), "no RobertaConfig is named 'huge'"),
        (dict(dropout=1.0), "dropout"),
        (dict(dtype="float8"), "dtype must be one of"),
        (dict(batch_size=65), "batch_size 65 does not divide into 2 parts"),
        (dict(batch_ramp=((0.5, 64), (0.5, 128))), "batch_ramp: shares of the run must rise"),
        (dict(length_ramp=((1.0, 64),)), "length_ramp: shares of the run must rise"),
        (dict(length_ramp=((0.1, 2),)), "sequence_length"),
        (dict(save_every=0), "save_every must be at least 1"),
        (dict(objectives=("clm",)), "objectives clm"),
        (dict(mask_rate=2.0), "mask_rate"),
    ],
)
def test_options_that_do_not_fit(changes, message):
    with pytest.raises(InputError, match=message):
        recipe("roberta-base", **changes)


def test_an_unknown_recipe():
    with pytest.raises(InputError, match=f"choose from {', '.join(RECIPES)}"):
        recipe("two-day")
