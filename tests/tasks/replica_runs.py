"""Trains every task of the contract on two devices, and prints the losses as JSON.

    python replica_runs.py DIRECTORY

DIRECTORY has a preset for each task, as for `backend_runs.py`. A process of its own, since devices
can be split only before TensorFlow starts.
"""

import json
import pathlib
import sys

import backend_runs
import tensorflow as tf
from task_cases import CASES


def main(directory):
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    losses = {}
    for case in CASES:
        with strategy.scope():
            task = backend_runs.open_start(case, pathlib.Path(directory))
        losses[case.class_name] = backend_runs.train(task, backend_runs.make_data(case, task))
    print(json.dumps(losses))


if __name__ == "__main__":
    main(sys.argv[1])
