import time

import numpy as np
import pytest

from keras_roberta.errors import InputError
from keras_roberta.training.runs.budget import Budget, BudgetSchedule, RunClock


@pytest.mark.parametrize(
    ("budget", "step", "seconds", "progress"),
    [
        (Budget(steps=10), 0, 1e9, 0.0),
        (Budget(steps=10), 12, 0, 1.0),
        (Budget(hours=0.5), 10**9, 900, 0.5),
        (Budget(steps=10, hours=1), 5, 360, 0.5),
        (Budget(steps=10, hours=1), 1, 1800, 0.5),
    ],
)
def test_progress(budget, step, seconds, progress):
    assert budget.progress(step, seconds) == pytest.approx(progress)


@pytest.mark.parametrize("arguments", [{}, {"steps": 0}, {"hours": -1.0}])
def test_budgets_that_are_none(arguments):
    with pytest.raises(InputError, match="steps|hours"):
        Budget(**arguments)


def test_a_stopped_clock_does_not_count(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = RunClock(Budget(hours=1), BudgetSchedule(1e-3))
    now[0] += 2
    with clock.stopped():
        now[0] += 50
    now[0] += 3
    clock.on_train_begin()
    assert clock.seconds == 5


def rates(schedule, count=101):
    found = []
    for progress in np.linspace(0, 1, count):
        schedule.progress.assign(progress)
        found.append(float(schedule(0)))
    return np.array(found)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.25])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_up_to_the_peak_and_down_to_nothing(warmup, power):
    found = rates(BudgetSchedule(3e-4, warmup, power))
    peak = round(100 * warmup)
    assert found.argmax() == peak and found[peak] == pytest.approx(3e-4, rel=1e-5)
    assert (np.diff(found[: peak + 1]) > 0).all() and (np.diff(found[peak:]) < 0).all()
    assert found[-1] == 0.0
    halfway = peak + (100 - peak) // 2
    left = (100 - halfway) / (100 - peak)
    assert found[halfway] == pytest.approx(3e-4 * left**power, rel=1e-4)


def test_survives_serialisation():
    schedule = BudgetSchedule(1e-3, 0.25, 2.0)
    again = BudgetSchedule.from_config(schedule.get_config())
    np.testing.assert_array_equal(rates(again), rates(schedule))


@pytest.mark.parametrize("arguments", [(0.0,), (1e-3, 1.0), (1e-3, -0.1), (1e-3, 0.1, 0.0)])
def test_schedules_that_are_none(arguments):
    with pytest.raises(InputError, match="learning_rate|warmup|decay_power"):
        BudgetSchedule(*arguments)
