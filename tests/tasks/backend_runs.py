"""Trains a task of the contract on Keras's backend, from weights that are the same on all.

All of them: KERAS_BACKEND=jax python backend_runs.py DIRECTORY

DIRECTORY has a preset for each task, `RobertaTextClassifier/start` and so on. What comes out is
written beside it: `jax.json`, and `jax`, a preset, and `jax.keras` of the trained task.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import keras_roberta as kr  # before TensorFlow

# isort: split
import keras
import numpy as np
import tensorflow as tf
from task_cases import CASES

from keras_roberta import export
from keras_roberta.errors import InputError
from keras_roberta.jobs.pretrain.options import recipe
from keras_roberta.jobs.pretrain.run import pretrain
from keras_roberta.training.optimizer import finetuning_optimizer
from keras_roberta.training.workers.strategies import make_strategy

STEPS = 20
# Adapters are the encoder's, and the same for all tasks: one on texts, one on batches of features.
WITH_ADAPTERS = "RobertaTextClassifier", "RobertaPretrainer"


def make_data(case, task):
    """Arguments of `fit`: a single batch of ten rows, the same in every step."""
    if callable(case.x):
        return dict(x=case.x().take(1))
    if case.y is not None:
        return dict(x=list(case.x), y=case.y, batch_size=10, shuffle=False)
    # Masks are drawn; here it is the first token of each text.
    features = task.preprocessor(list(case.x))
    targets = features["token_ids"][:, 1:2].copy()
    features["token_ids"][:, 1] = task.preprocessor.tokenizer.mask_token_id
    features["mask_positions"] = np.ones_like(targets)
    weights = np.ones(targets.shape, "float32")
    return dict(x=features, y=targets, sample_weight=weights, batch_size=10, shuffle=False)


def open_start(case, directory):
    """The task with the weights that all runs begin with, compiled."""
    task = getattr(kr, case.class_name).from_preset(directory / case.class_name / "start")
    task.compile(finetuning_optimizer(1e-3))
    return task


def train(task, data):
    """The loss of each step."""
    return task.fit(**data, epochs=STEPS, verbose=0).history["loss"]


def ask(case, task):
    outputs = keras.tree.flatten(task.predict(case.asked, verbose=0))
    return [np.asarray(output, "float64").tolist() for output in outputs]


def run(case, directory, backend):
    task = open_start(case, directory)
    data = make_data(case, task)
    results = {"loss": train(task, data)}
    measured = {name: value for name, value in data.items() if name != "shuffle"}
    results["evaluated"] = task.evaluate(**measured, verbose=0, return_dict=True)["loss"]
    results["outputs"] = ask(case, task)
    if backend != "tensorflow":
        task.save_to_preset(directory / case.class_name / backend)
        task.save(directory / case.class_name / f"{backend}.keras")
    if case.class_name in WITH_ADAPTERS:
        again = open_start(case, directory)
        again.backbone.enable_lora(2)
        for weight in again.backbone.trainable_weights:  # they start at random
            values = np.random.default_rng(3).normal(0, 0.1, weight.shape)
            weight.assign(values.astype("float32"))
        again.compile(finetuning_optimizer(1e-3))
        results["loss of adapters"] = train(again, data)
    return results


def refusals(task, directory):
    """What is said where something needs TensorFlow."""

    def in_scope():
        with tf.distribute.OneDeviceStrategy("cpu:0").scope():
            task.fit(["a fine film"], [1], verbose=0)

    asked = {
        "strategy mirrored": lambda: make_strategy("mirrored"),
        "a tf.distribute strategy": in_scope,
        "gradient_accumulation_steps": lambda: task.compile(gradient_accumulation_steps=2),
        "gradient_transforms": lambda: task.compile(
            gradient_transforms=[lambda function: function]
        ),
        "pretrain": lambda: pretrain(directory, directory / "run", recipe("one-day")),
    }
    said = {}
    for name, ask_for in asked.items():
        try:
            ask_for()
        except InputError as error:
            said[name] = str(error)
    return said


def main(directory):
    backend = keras.backend.backend()
    directory = pathlib.Path(directory)
    results = {case.class_name: run(case, directory, backend) for case in CASES}
    (directory / f"{backend}.json").write_text(json.dumps(results))
    if backend != "tensorflow":
        task = kr.RobertaTextClassifier.from_preset(directory / f"RobertaTextClassifier/{backend}")
        path = directory / "exported.tflite"
        export.to_tflite(task, path, sequence_lengths=(16,), quantization="none")
        said = refusals(task, directory)
        (directory / f"{backend}-refusals.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1])
