"""Trains every task of the contract on two devices, and one of them with each way of compression,
and prints the losses as JSON.

    python replica_runs.py DIRECTORY

DIRECTORY has a preset for each task, as for `backend_runs.py`. A process of its own, since devices
can be split only before TensorFlow starts.
"""

import json
import pathlib
import sys

import backend_runs
import numpy as np
import tensorflow as tf
from task_cases import CASES

from keras_roberta.export.compression import (
    MagnitudePruning,
    QuantizationAwareTraining,
    WeightClustering,
)
from keras_roberta.export.compression.kernels import kernels_of

COMPRESSIONS = {
    "pruned": lambda: MagnitudePruning(0.5),
    "clustered": lambda: WeightClustering(4),
    "rounded": lambda: QuantizationAwareTraining("int8"),
    "fixed ranges": lambda: QuantizationAwareTraining("int8-static"),
}


def compressed(directory, name, strategy):
    """What a text classifier has after four steps with a way of compression.

    Returns:
        dict: the loss of each step; of its matrices how far the copies are apart, the least share
        of zeros and the most values in one; whether the task has ranges of activations.
    """
    (case,) = [case for case in CASES if case.class_name == "RobertaTextClassifier"]
    with strategy.scope():
        task = backend_runs.open_start(case, pathlib.Path(directory))
    data = backend_runs.make_data(case, task)
    fitted = task.fit(**data, epochs=4, verbose=0, callbacks=[COMPRESSIONS[name]()])
    copies = [
        [np.array(copy) for copy in strategy.experimental_local_results(kernel.value)]
        for kernel in kernels_of(task).values()
    ]
    return {
        "losses": fitted.history["loss"],
        "copies": len(copies[0]),
        "apart": max(float(np.abs(one[0] - one[-1]).max()) for one in copies),
        "zeros": min(float(np.mean(one[-1] == 0)) for one in copies),
        "values": max(len(np.unique(one[-1])) for one in copies),
        "has ranges": task.backbone.activation_ranges is not None,
    }


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
    losses |= {name: compressed(directory, name, strategy) for name in COMPRESSIONS}
    print(json.dumps(losses))


if __name__ == "__main__":
    main(sys.argv[1])
