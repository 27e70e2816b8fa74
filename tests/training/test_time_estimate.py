"""How long a run will take, said once."""

import types

import pytest

from keras_roberta.training.runs import time_estimate
from keras_roberta.training.runs.budget import Budget
from keras_roberta.training.runs.time_estimate import TimeEstimate


@pytest.mark.parametrize(
    ("budget", "planned", "expected"),
    [
        # 10 tokens a second after a first step of 50 seconds, which compiles.
        (Budget(steps=1000), 10_000, "10 tokens/s: about 16 min to go"),
        (Budget(steps=1000, hours=0.05), 10_000, "10 tokens/s: about 2 min to go"),
        (Budget(hours=2), None, "10 tokens/s: about 1 h 59 min to go"),
        (Budget(tokens=150), 150, "10 tokens/s: about 4 s to go"),
    ],
)
def test_said_once_after_the_first_steps(monkeypatch, budget, planned, expected):
    said = []
    monkeypatch.setattr(time_estimate.console, "print", said.append)
    clock = types.SimpleNamespace(step=0, seconds=49.0, tokens=0, budget=budget)
    estimate = TimeEstimate(clock, planned)
    for _ in range(20):
        clock.step, clock.seconds, clock.tokens = (
            clock.step + 1,
            clock.seconds + 1,
            clock.tokens + 10,
        )
        estimate.on_train_batch_end(clock.step)
    assert said == [expected]


def test_slow_steps_are_not_waited_for(monkeypatch):
    said = []
    monkeypatch.setattr(time_estimate.console, "print", said.append)
    clock = types.SimpleNamespace(step=0, seconds=0.0, tokens=0, budget=Budget(steps=100))
    estimate = TimeEstimate(clock, 100_000)
    for _ in range(2):
        clock.step, clock.seconds, clock.tokens = (
            clock.step + 1,
            clock.seconds + 100,
            clock.tokens + 1000,
        )
        estimate.on_train_batch_end(clock.step)
    assert said == ["10 tokens/s: about 2 h 43 min to go"]
