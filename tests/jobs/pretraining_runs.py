"""Short pre-training runs of a tiny model: their options, and what they wrote."""

import csv
import os

import numpy as np
from safetensors.numpy import load_file

from keras_roberta.jobs.pretrain.options import recipe
from keras_roberta.training.runs.run_log import CsvLog

TINY = dict(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)


def options(**changes):
    defaults = dict(
        size="tiny",
        steps=12,
        batch_size=8,
        sequence_length=32,
        learning_rate=1e-2,
        save_every=5,
        log_every=4,
        evaluate_every=8,
    )
    return recipe("roberta-base", **defaults | changes)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def newest_state(out):
    path = max((out / "states").glob("step-*.safetensors"))
    return path.name, load_file(path)


def assert_same_state(out, other):
    (name, found), (expected_name, expected) = newest_state(out), newest_state(other)
    assert name == expected_name and set(found) == set(expected)
    for tensor in expected:
        np.testing.assert_array_equal(found[tensor], expected[tensor], err_msg=tensor)


def stop_at_first_row(monkeypatch, number):
    """Sends a signal when the log gets its first row, once."""
    write, sent = CsvLog.__call__, []

    def call(self, step, values):
        write(self, step, values)
        if not sent:
            sent.append(step)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(CsvLog, "__call__", call)
