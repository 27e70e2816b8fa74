"""How long functions take, measured in turns."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np

WARM_UP = 3  # calls before the clock counts: the first ones allocate
LATENCY_TEXTS = 64


def latencies(
    calls: Mapping[Hashable, Callable[[], object]],
    repeats: int,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Hashable, np.ndarray]:
    """Times of functions that take turns, forwards and backwards.

    So a slow moment of the machine hits all of them, and none always follows the same other.

    Args:
        calls: names -> functions without arguments.
        repeats: timed calls of each.
        warm_up: calls of each before them.
        clock: seconds that have passed.

    Returns:
        dict of names to float arrays (repeats), in milliseconds.
    """
    times = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warm_up):
            call()
    for turn in range(repeats):
        for name in list(calls)[:: 1 if turn % 2 else -1]:
            start = clock()
            calls[name]()
            times[name].append(1e3 * (clock() - start))
    return {name: np.array(values) for name, values in times.items()}


def latencies_over_texts(
    models: Sequence[Callable], texts, clock: Callable[[], float] = time.perf_counter
) -> list[np.ndarray]:
    """Times of one text, over texts that each model has seen once before.

    Args:
        models: functions of a list of one text, or of a tuple or dict of such lists.
        texts: a list, a tuple of lists or a dict of them; the first 64 rows are used.

    Returns:
        list of float arrays (texts), in milliseconds, one a model.
    """
    if isinstance(texts, tuple):
        singles = [tuple([value] for value in row) for row in zip(*texts, strict=True)]
    elif isinstance(texts, dict):
        rows = zip(*texts.values(), strict=True)
        singles = [{name: [value] for name, value in zip(texts, row, strict=True)} for row in rows]
    else:
        singles = [[text] for text in texts]
    singles = singles[:LATENCY_TEXTS]

    def over_texts(model):
        turns = itertools.cycle(singles)
        return lambda: model(next(turns))

    calls = {i: over_texts(model) for i, model in enumerate(models)}
    times = latencies(calls, repeats=len(singles), warm_up=len(singles), clock=clock)
    return list(times.values())


def summary(times: np.ndarray) -> dict[str, float]:
    """The fields of a `Row` about times in milliseconds: `median_ms` and `p95_ms`."""
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.quantile(times, 0.95))}
