"""Learning rates over a run."""

import keras
import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.training.optimizer.roberta_adamw import finetuning_optimizer
from keras_roberta.training.optimizer.schedules import LinearWarmupDecay, warmup_and_decay
from keras_roberta.training.optimizer.spread_over_fit import spread_over_fit


@pytest.mark.parametrize(
    ("warmup", "step", "expected"),
    [
        (0.1, 0, 0.1),
        (0.1, 9, 1.0),
        (0.1, 54, 0.5),
        (0.1, 99, 0.0),
        (0.1, 500, 0.0),
        (0, 0, 0.99),
        (20, 9, 0.5),
        (1, 0, 1.0),  # a step, no share of 1
        (1, 49, 50 / 99),
        (100, 49, 0.5),  # the warm-up is the whole run
        (100, 99, 0.0),
    ],
)
def test_schedule(warmup, step, expected):
    schedule = LinearWarmupDecay(1.0, total_steps=100, warmup=warmup)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


def test_a_schedule_that_begins_within_a_run():
    schedule = LinearWarmupDecay(1.0, warmup=0.5)
    schedule.plan(30, 10)
    found = [float(schedule(step)) for step in (29, 30, 34, 37, 39, 40)]
    np.testing.assert_allclose(found, [0.0, 0.2, 1.0, 0.4, 0.0, 0.0], atol=1e-6)
    assert schedule.follows_fit and not LinearWarmupDecay(1.0, total_steps=10).follows_fit


def test_schedules_of_one_step_and_of_a_peak_of_nothing():
    assert float(LinearWarmupDecay(1.0, total_steps=1)(0)) == 0.0
    assert float(LinearWarmupDecay(0.0, total_steps=10)(3)) == 0.0


def test_a_rate_that_is_a_number_gets_a_schedule():
    for rate in (1, 0.5):
        found = warmup_and_decay(rate, 10, 0.5)
        assert found.get_config() == {"peak": rate, "total_steps": 10, "warmup": 0.5}
    assert warmup_and_decay(found, 20, 0.1) is found


def test_a_schedule_of_unknown_length_stays_at_its_peak():
    schedule = LinearWarmupDecay(0.5, warmup=20)
    assert [float(schedule(step)) for step in (0, 1000)] == [0.5, 0.5]


def test_a_schedule_is_saved_whole():
    schedule = LinearWarmupDecay(2.0, total_steps=10, warmup=0.4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    found = [float(again(step)) for step in (0, 3, 6, 9)]
    np.testing.assert_allclose(found, [0.5, 2.0, 1.0, 0.0], atol=1e-6)


def test_schedule_errors():
    with pytest.raises(InputError, match="learning rate"):
        LinearWarmupDecay(-1.0)
    with pytest.raises(InputError, match="warmup"):
        LinearWarmupDecay(1.0, warmup=-0.5)


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (10, 19 / 27),  # 3 of 30 steps warm up: the rate falls from step 3 to 30
        (9, 20 / 27),  # one step of ten was skipped, which an optimizer for float16 does not count
        (0, 1 / 2),  # a new optimizer warms up, 2 of 20 steps
    ],
)
def test_a_fit_that_goes_on_after_ten_of_thirty_steps(done, expected):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    inner = finetuning_optimizer(1.0, warmup=0.1)
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    inner.iterations.assign(done)
    spread_over_fit(model, 10, 3, None, None, initial_epoch=1)
    assert float(inner.learning_rate) == pytest.approx(expected)
