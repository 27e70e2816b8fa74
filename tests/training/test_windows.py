"""Reports of a run: windows, tables, and the end of one that diverges."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_roberta.errors import InputError
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
