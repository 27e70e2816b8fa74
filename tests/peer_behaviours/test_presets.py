"""What KerasHub's tests ask of presets."""

import functools
import json

import keras
import keras_hub
import numpy as np
import pytest
from peer_harness import FEATURES, Refused, behaviours, check, ids

import keras_roberta as kr


@pytest.fixture(scope="module")
def presets(backbone, classifier, tmp_path_factory):
    """Directories of an encoder, of a task and of Transformers' form of the task."""
    directory = tmp_path_factory.mktemp("presets")
    backbone.save_to_preset(directory / "encoder")
    classifier.save_to_preset(directory / "task")
    classifier.save_to_hugging_face(directory / "hf")
    return directory


@functools.cache
def opened(cls, preset, **kwargs):
    return cls.from_preset(preset, **kwargs)


def encoder_of(name, **kwargs):
    return lambda presets: opened(kr.RobertaBackbone, presets / name, **kwargs)


def task_of(name, **kwargs):
    return lambda presets: opened(kr.RobertaTextClassifier, presets / name, **kwargs)


def metadata(presets):
    return json.loads((presets / "task/metadata.json").read_text())


def sharded(presets):
    """Names of the files of weights, and whether they are read back."""
    model = encoder_of("encoder")(presets)
    model.save_to_preset(presets / "sharded", max_shard_size=1e-5)
    names = sorted(path.name for path in (presets / "sharded").glob("model*"))
    return [*names, np.array_equal(encoder_of("sharded")(presets)(FEATURES), model(FEATURES))]


def without_weights(presets):
    model = encoder_of("encoder", load_weights=False)(presets)
    return np.allclose(model(FEATURES), encoder_of("encoder")(presets)(FEATURES))


@behaviours(
    {
        "files of an encoder": (
            lambda presets: sorted(path.name for path in (presets / "encoder").iterdir()),
            ["config.json", "metadata.json", "model.weights.h5"],
        ),
        "files of a task": (
            lambda presets: sorted(path.name for path in (presets / "task").glob("*.*")),
            ["config.json", "metadata.json", "model.weights.h5", "task.json", "task.weights.h5"],
        ),
        "the configuration says nothing of building and compiling": (
            lambda presets: [
                name in json.loads((presets / path).read_text())
                for path in ("encoder/config.json", "task/task.json")
                for name in ("build_config", "compile_config")
            ],
            [False] * 4,
        ),
        "the task's names its encoder and preprocessor": (
            lambda presets: sorted(
                {"backbone", "preprocessor"}
                & set(json.loads((presets / "task/task.json").read_text())["config"])
            ),
            ["backbone", "preprocessor"],
        ),
        "versions and the number of weights": (
            lambda presets: [
                metadata(presets)["keras_version"],
                type(metadata(presets)["parameter_count"]).__name__,
            ],
            [keras.__version__, "int"],
        ),
        "weights in several files": (
            sharded,
            ["model.weights.json", "model_00000.weights.h5", "model_00001.weights.h5", True],
        ),
        "another dtype": (
            lambda presets: encoder_of("encoder", dtype="bfloat16")(presets).dtype_policy.name,
            "bfloat16",
        ),
        "another dtype of a task": (
            lambda presets: task_of("task", dtype="float16")(presets).backbone.dtype_policy.name,
            "float16",
        ),
        "another dropout": (
            lambda presets: encoder_of("encoder", encoder_dropout=0.5)(presets).config.dropout,
            0.5,
        ),
        "without the weights": (without_weights, False),
        "no such preset": (encoder_of("clowns"), Refused("no such directory")),
        "an unknown place": (
            lambda presets: kr.RobertaBackbone.from_preset("gopher://a/b"),
            Refused("gopher"),
        ),
        "a path as an address": (
            lambda presets: (
                type(kr.RobertaBackbone.from_preset(f"file://{presets / 'encoder'}")).__name__
            ),
            "RobertaBackbone",
        ),
        "a class in place of a path": (
            lambda presets: kr.RobertaBackbone.from_preset(kr.RobertaBackbone),
            Refused("preset"),
        ),
        "a task's encoder": (
            lambda presets: type(encoder_of("task")(presets)).__name__,
            "RobertaBackbone",
        ),
        "a new head on the same encoder": (
            lambda presets: [
                np.array_equal(
                    task_of("task", num_classes=2)(presets).backbone(FEATURES),
                    task_of("task")(presets).backbone(FEATURES),
                ),
                np.allclose(
                    task_of("task", num_classes=2)(presets)(FEATURES),
                    task_of("task")(presets)(FEATURES),
                ),
            ],
            [True, False],
        ),
        "a head of another size": (
            lambda presets: task_of("hf", num_classes=5)(presets)(FEATURES).shape,
            (2, 5),
        ),
        "token ids without a preprocessor": (
            lambda presets: task_of("task", preprocessor=None)(presets).preprocessor is None,
            True,
        ),
        "KerasHub finds the class": (
            lambda presets: (
                type(keras_hub.models.TextClassifier.from_preset(str(presets / "task"))).__name__
            ),
            "RobertaTextClassifier",
        ),
        "and the encoder's": (
            lambda presets: (
                type(keras_hub.models.Backbone.from_preset(str(presets / "encoder"))).__name__
            ),
            "RobertaBackbone",
        ),
        "whichever task it is": (
            lambda presets: type(kr.open_task(presets / "task")).__name__,
            "RobertaTextClassifier",
        ),
        "an encoder is no task": (
            lambda presets: kr.open_task(presets / "encoder"),
            Refused("without a task's head"),
        ),
        "Transformers' form answers the same": (
            lambda presets: np.allclose(
                task_of("hf")(presets)(FEATURES), task_of("task")(presets)(FEATURES), atol=1e-5
            ),
            True,
        ),
        "with its labels": (lambda presets: task_of("hf")(presets).labels, ["dry", "wet"]),
        "and its tokenizer": (
            lambda presets: task_of("hf")(presets).preprocessor.tokenizer("rain"),
            ids("<s> rain </s>"),
        ),
    }
)
def test_presets(done, expected, presets):
    check(done, expected, presets)
