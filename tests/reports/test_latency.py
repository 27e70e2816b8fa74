import numpy as np
import pytest

from keras_roberta.reports.latency import latencies, latencies_over_texts, summary


class Clock:
    """Seconds that pass only where a call says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def taking(self, seconds, calls, name):
        def call():
            self.now += seconds
            calls.append(name)

        return call


def test_functions_take_turns_forwards_and_backwards():
    clock, calls = Clock(), []
    functions = {name: clock.taking(s, calls, name) for name, s in (("a", 0.25), ("b", 2.0))}
    times = latencies(functions, repeats=3, warm_up=1, clock=clock)
    assert calls == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert {name: values.tolist() for name, values in times.items()} == {
        "a": [250.0] * 3,
        "b": [2000.0] * 3,
    }


@pytest.mark.parametrize(
    ("texts", "singles"),
    [(["a", "b"], [["a"], ["b"]]), ((["a", "b"], ["c", "d"]), [(["a"], ["c"]), (["b"], ["d"])])],
)
def test_texts_are_timed_one_by_one(texts, singles):
    seen, clock = [], Clock()

    def model(text):
        seen.append(text)
        clock.now += len(seen)

    (times,) = latencies_over_texts([model], texts, clock=clock)
    assert seen == singles * 2
    assert times.tolist() == [3000.0, 4000.0]  # the first two calls are not counted


def test_summary():
    assert summary(np.arange(101.0)) == {"median_ms": 50.0, "p95_ms": 95.0}
