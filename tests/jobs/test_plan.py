"""What is said of a run before it begins, and the runs that do not fit."""

import types

import pytest

import keras_roberta as kr
from keras_roberta.config import RobertaConfig
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.checks import check_size_and_budget
from keras_roberta.jobs.pretrain.device_memory import DeviceMemory, device_memory
from keras_roberta.jobs.pretrain.options import recipe
from keras_roberta.jobs.pretrain.plan import Plan

SHARDS = types.SimpleNamespace(tokenizer=types.SimpleNamespace(vocabulary_size=50_265))


def plan(**options):
    return Plan.of(recipe("roberta-base", **options), SHARDS)


@pytest.mark.parametrize("objectives", [("mlm",), ("mlm", "sop")])
def test_parameters_are_those_of_the_model(objectives):
    config = RobertaConfig(300, 2, 4, 32, 64, 40)
    backbone = kr.RobertaBackbone(config)
    assert config.encoder_parameters == backbone.count_params()
    model = kr.RobertaPretrainer(backbone, objectives)
    options = recipe("roberta-base", objectives=objectives, steps=1)
    assert Plan(config, options).parameters == model.count_params()


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        (dict(steps=10, batch_size=4, sequence_length=32), 10 * 4 * 32),
        (dict(tokens=1000), 1000),
        (dict(tokens=1000, steps=1, batch_size=4, sequence_length=32), 128),
        (dict(hours=2), None),
        (
            dict(steps=10, batch_size=4, sequence_length=32, batch_ramp="0.5:8"),
            5 * 4 * 32 + 5 * 8 * 32,
        ),
    ],
)
def test_tokens(options, tokens):
    assert plan(**options).tokens == tokens


def test_a_size_keeps_its_layer_norms():
    assert plan(size="xlm-xl", steps=1).config.norm_first is True
    assert plan(size="xlm-xl", steps=1, norm_first=False).config.norm_first is False
    assert plan(size="base", steps=1).config.norm_first is False
    assert plan(size="xlm-xl", steps=1).config.embedding_norm is False
    assert plan(size="base", steps=1, embedding_norm=False).config.embedding_norm is False


def test_memory_grows_with_what_is_on_the_device():
    small = plan(size="small", batch_size=64, micro_batch_size=8, steps=1)
    for options in (
        dict(size="base", micro_batch_size=8),
        dict(size="small", micro_batch_size=16),
        dict(size="small", micro_batch_size=8, sequence_length=1024),
    ):
        assert plan(**{"batch_size": 64, "steps": 1, **options}).memory > small.memory
    for options in (dict(remat=True), dict(dtype="mixed_bfloat16")):
        more = plan(size="small", batch_size=64, micro_batch_size=8, steps=1, **options)
        assert more.memory < small.memory


def test_the_largest_recipe_fits_no_laptop():
    laptop = DeviceMemory("this machine", 24 * 10**9)
    with pytest.raises(InputError) as caught:
        plan().check(laptop)
    message = str(caught.value)
    assert "the run would take about" in message and "this machine has 24.0" in message
    assert "--no-check-memory" in message
    micro_batch = int(message.split("--micro-batch-size ")[1].split()[0])
    plan(micro_batch_size=micro_batch).check(laptop)
    plan(check_memory=False).check(laptop)
    plan(size="tiny", batch_size=8, sequence_length=32).check(laptop)
    with pytest.raises(InputError, match="give a smaller --size"):
        plan(size="xlm-large").check(DeviceMemory("this card", 8 * 10**9))


def test_the_machine_has_memory():
    assert device_memory(on_gpus=False).num_bytes > 10**8


def test_what_is_said():
    lines = plan(size="tiny", steps=10, batch_size=8, sequence_length=32).lines(
        DeviceMemory("this machine", 2 * 10**9)
    )
    assert lines[0].startswith("model: tiny, 2 layers, 128 wide, 6,")
    assert lines[1].startswith("budget: 2,560 tokens or 10 steps, in batches of up to 8 sequences")
    assert lines[2].endswith("GB of the 2.0 GB of this machine")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {},
            "say what to train: --size .* or --preset, and how long: --steps, --tokens or --hours",
        ),
        ({"steps": 3}, "say what to train: --size"),
        ({"size": "tiny"}, "say how long: --steps, --tokens or --hours"),
        ({"preset": "p"}, "say how long"),
        ({"hours": 1, "dropout": 0.1}, "say what to train.*or take both from a --recipe"),
    ],
)
def test_size_and_budget_have_to_be_said(given, message):
    with pytest.raises(InputError, match=message):
        check_size_and_budget(given, None)
    check_size_and_budget(given, "one-day")


@pytest.mark.parametrize("budget", ["steps", "tokens", "hours"])
@pytest.mark.parametrize("start", ["size", "preset"])
def test_size_and_budget_are_enough(start, budget):
    check_size_and_budget({start: "x", budget: 1}, None)
