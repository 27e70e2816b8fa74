"""Reports of a run: windows, tables, and the end of one that diverges."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.training.keras_internals import build_from_batch
from keras_roberta.training.runs.divergence import StopDivergence
from keras_roberta.training.runs.run_log import CsvLog, TensorBoardLog
from keras_roberta.training.runs.windows import Windows


def test_means_of_the_last_steps():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, trainable=False)])
    model.compile(keras.optimizers.SGD(0.5), loss=keras.losses.MeanSquaredError())
    model.layers[0].kernel.assign([[0.0]])
    x = np.ones((20, 1), "float32")
    y = np.arange(20, dtype="float32")[:, None] ** 0.5  # the loss of step i is i
    found = []
    windows = Windows(5, [lambda step, means: found.append((step, dict(means)))], step=2)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(1)
    model.fit(data, verbose=0, callbacks=[windows])
    assert [step for step, _ in found] == [5, 10, 15, 20]
    assert [m["loss"] for _, m in found] == pytest.approx([1.0, 5.0, 10.0, 15.0])
    assert found[0][1]["learning_rate"] == 0.5 and found[0][1]["skipped_steps"] == 0


def run_of_losses(losses, fits):
    """What `Windows` of 5 steps reports of a run over several calls of `fit`.

    Args:
        losses: the loss of each step.
        fits: pairs of the step at which a call ends, and whether a new process makes the next.
    """
    found, start, sums = [], 0, ()
    model = None
    for end, is_last_of_process in fits:
        if model is None:
            keras.utils.clear_session()
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, trainable=False)])
            model.compile(
                keras.optimizers.SGD(0.5),
                loss=keras.losses.MeanSquaredError(),
                metrics=[keras.metrics.MeanAbsoluteError(name="distance")],
            )
            model.layers[0].kernel.assign([[0.0]])
            report = [lambda step, means: found.append((step, dict(means)))]
            windows = Windows(5, report, start, sums)
        y = np.array(losses[start:end], "float32")[:, None] ** 0.5
        data = tf.data.Dataset.from_tensor_slices((np.ones_like(y), y)).batch(1)
        build_from_batch(model, next(iter(data)))
        model.fit(data, verbose=0, shuffle=False, callbacks=[windows])
        start = end
        if is_last_of_process:
            sums = json.loads(json.dumps(windows.sums()))
            model = None
    return found


@pytest.mark.parametrize(
    "fits",
    [
        [(7, True), (20, True)],  # a run that was stopped within a window
        [(4, True), (20, True)],  # one step short of its end
        [(5, True), (13, False), (20, True)],  # stages, of which each is a `fit`
    ],
)
def test_a_window_goes_on_where_it_was_stopped(fits):
    losses = (np.random.default_rng(0).random(20) * 3).tolist()
    whole = run_of_losses(losses, [(20, True)])
    assert run_of_losses(losses, fits) == whole
    means = np.reshape(losses, (-1, 5)).mean(axis=1)
    assert [row["loss"] for _, row in whole] == pytest.approx(means.tolist(), rel=1e-5)


def test_sums_of_another_number_of_workers_are_left(caplog):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), loss=keras.losses.MeanSquaredError())
    model.layers[0].kernel.assign([[0.0]])
    found = []
    windows = Windows(2, [lambda step, means: found.append(means["loss"])], 0, [9.0] * 7)
    model.fit(np.ones((2, 1)), np.ones((2, 1)), batch_size=1, verbose=0, callbacks=[windows])
    assert found == [1.0]


def test_a_table_goes_on_where_the_run_does(tmp_path):
    path = tmp_path / "log.csv"
    log = CsvLog(path)
    for step in (10, 20, 30):
        log(step, {"loss": step / 7})
    with open(path, "a") as file:
        file.write("40,1.2")  # cut off
    log = CsvLog(path, step=20)
    log(30, {"loss": 9.0, "unknown": 1})
    rows = log.rows()
    assert [int(row["step"]) for row in rows] == [10, 20, 30]
    assert [float(row["loss"]) for row in rows] == [10 / 7, 20 / 7, 9.0]
    assert CsvLog(tmp_path / "new" / "log.csv").rows() == []


@pytest.mark.parametrize(
    "line",
    [
        "step,loss,mlm_loss,learning_rate",  # another run's header
        "12,1.5,2.5,0.1",  # and its rows
        "15,1.",  # cut off
        "15,1.7e,9",
        "15,1.20,1.5,0.1",  # two rows in one
        "fifteen,1.0,2.0",
        "1.5e1,1.0,2.0",
        "15,,2.0",
        "\x00\x00\x00\x00",
        "",
        ",,",
        "Traceback (most recent call last):",
        "15,\x85,\u2028",
        "9" * 200_000,
    ],
)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_lines_that_are_no_rows_are_read_past(tmp_path, line, place):
    path = tmp_path / "log.csv"
    rows = ["step,loss,learning_rate", "10,1.5,0.1", "20,1.25,0.2"]
    if place == "first" and line.startswith("step"):
        pytest.skip("it is the header then")
    rows.insert({"first": 0, "middle": 2, "last": 3}[place], line)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    log = CsvLog(path, step=20)
    log(30, {"loss": 1.0, "learning_rate": 0.3})
    assert path.read_text().splitlines() == [
        *"step,loss,learning_rate 10,1.5,0.1".split(),
        *("20,1.25,0.2 30,1.0,0.3".split()),
    ]


def test_a_table_of_names(tmp_path):
    path = tmp_path / "evaluations.csv"
    log = CsvLog(path)
    log(5, {"language": "en", "loss": 1.5})
    log(5, {"language": "zh-Hant", "loss": 2.5})
    with open(path, "a") as file:
        file.write("5,,1.0\n")
    assert [row["language"] for row in CsvLog(path, step=5).rows()] == ["en", "zh-Hant"]


def test_tensorboard_events(tmp_path):
    log = TensorBoardLog(tmp_path)
    log(3, {"loss": 2.5, "heldout/en/loss": 1.5})
    (path,) = tmp_path.iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
            found[value.tag] = float(tf.make_ndarray(value.tensor))
            assert value.metadata.plugin_data.plugin_name == "scalars"
    assert found == {"loss": 2.5, "heldout/en/loss": 1.5}


def run(losses, skipped=None, **arguments):
    """The window, from 1, at which a run with these losses is stopped, or None."""
    report = StopDivergence(every=10, patience=3, **arguments)
    skipped = skipped or [0] * len(losses)
    for window, (loss, count) in enumerate(zip(losses, skipped, strict=True), 1):
        means = {"loss": loss, "skipped_steps": count, "learning_rate": 1e-3}
        try:
            report(10 * window, means)
        except InputError as error:
            assert "lower learning rate (now 1.0e-03)" in str(error)
            return window
    return None


@pytest.mark.parametrize(
    ("losses", "skipped", "stopped"),
    [
        ([9, 8, 7, 6, 5, 4, 3], None, None),
        ([9, 8, 3, 7, 7, 7, 7], None, 6),  # lost what it had learnt
        ([9, 8, 3, 7, 7, 3, 7, 7], None, None),  # spikes mend
        ([9, 8, 3, 3.9, 3.9, 3.9, 3.9], None, None),  # within the tolerance
        ([9, math.nan, math.nan, math.nan], None, 4),  # nothing skips the steps
        ([9, math.nan, math.nan, math.nan], [0, 10, 20, 30], 4),  # every step is skipped
        ([9, math.nan, 8, math.nan, math.nan, math.nan, 8], [0, 1, 1, 2, 3, 4, 4], None),
        ([9, 9, 9, 9], [50, 50, 50, 50], None),  # skipped before this process
    ],
)
def test_divergence(losses, skipped, stopped):
    assert run(losses, skipped) == stopped


def test_divergence_is_noticed_over_two_processes():
    first, second = (StopDivergence(every=10, patience=3) for _ in range(2))
    fresh = StopDivergence(every=10)
    fresh.restore(json.loads(json.dumps(StopDivergence(every=10).state())))
    means = {"skipped_steps": 0, "learning_rate": 1e-3}
    fresh(10, {**means, "loss": 9.0})
    for loss in (3.0, 7.0, 7.0):
        first(10, {**means, "loss": loss})
    second.restore(json.loads(json.dumps(first.state())))
    with pytest.raises(InputError, match="7.00 after 3.00 at best"):
        second(40, {**means, "loss": 7.0})
