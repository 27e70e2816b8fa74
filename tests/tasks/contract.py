"""What the files of the contract share: tasks that are made once, and comparisons."""

import functools

import keras
import numpy as np
import pytest
from task_cases import CASES


def _mark(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.class_name)


every_task = _mark(CASES)


def tasks(*names):
    """A mark that runs a test for some tasks, where it would say the same of all."""
    cases = {case.class_name: case for case in CASES}
    return _mark([cases[name] for name in names])


def every_task_but(*names):
    """A mark that leaves tasks out of which other tests say the same."""
    cases = {case.class_name: case for case in CASES}
    for name in names:
        del cases[name]
    return _mark(list(cases.values()))


def randomized(task):
    """Biases start at 0 and gains at 1: one that is lost or mistaken would not show."""
    random = np.random.default_rng(7)
    for weight in task.weights:
        if "seed" not in weight.path:
            value = np.array(weight) + random.normal(0, 0.1, weight.shape)
            weight.assign(value.astype(weight.dtype))
    return task


@functools.cache
def made(case, tokenizer):
    """A task with weights that all matter; tests that change it make their own."""
    return randomized(case.make(tokenizer))


@functools.cache
def _compiled(case, tokenizer):
    task = case.make(tokenizer)
    task.compile(keras.optimizers.Adam(3e-3))
    task.optimizer.build(task.trainable_variables)
    variables = [*task.variables, *task.optimizer.variables]  # and the seeds of dropout
    return task, variables, [np.array(variable) for variable in variables]


def trainee(case, tokenizer):
    """A compiled task as it was made. It is the same one each time, with all variables put back,
    since tracing a training step takes longer than many steps."""
    task, variables, values = _compiled(case, tokenizer)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return task


def let_go():
    made.cache_clear()
    _compiled.cache_clear()


def arrays(outputs):
    """The arrays of outputs, however they are nested."""
    return [np.asarray(array) for array in keras.tree.flatten(outputs)]


def assert_equal(found, expected, tolerance=1e-5):
    found, expected = arrays(found), arrays(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)
