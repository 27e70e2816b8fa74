"""Tiny tasks and their exported files, made once: a conversion takes seconds."""

import fcntl
import functools
import os

import keras
import numpy as np
import pytest

import keras_roberta as kr
from keras_roberta import export
from keras_roberta.tokenizers.training import train_byte_level_bpe

LENGTHS = (16, 32)
TEXTS = [
    "a gem",
    "the film is a mess from start to finish",
    "its last half hour makes up for much of that, and more",
    "I would not send this back: it does what the page says " * 3,
]


@pytest.fixture(autouse=True, scope="module")
def seeded():
    """Once a file: with each seed, TensorFlow forgets what it has made of the graphs that the tests
    share, which takes a second to make again."""
    keras.utils.set_random_seed(11)


@pytest.fixture(scope="session")
def tokenizer():
    return train_byte_level_bpe(TEXTS * 2, vocabulary_size=320)


@pytest.fixture(scope="session")
def make_task(tokenizer):
    """A function that makes a seeded task with weights large enough for logits to differ."""

    def make(
        num_classes=3,
        labels=("bad", "fair", "good"),
        dtype=None,
        layers=2,
        with_text=True,
        **sizes,
    ):
        keras.utils.set_random_seed(0)
        config = kr.RobertaConfig(
            # Like in a real model, most weights are the embedding's.
            vocabulary_size=sizes.get("vocabulary_size", 20_000),
            num_layers=layers,
            num_heads=4,
            hidden_dim=sizes.get("hidden_dim", 64),
            intermediate_dim=sizes.get("intermediate_dim", 96),
            max_sequence_length=40,
            num_token_types=2,
            initializer_range=0.2,
            seed=0,
        )
        preprocessor = kr.RobertaPreprocessor(tokenizer, sequence_length=40, labels=labels)
        task = kr.RobertaTextClassifier(
            kr.RobertaBackbone(config, dtype=dtype),
            num_classes=num_classes,
            preprocessor=preprocessor if with_text else None,
        )
        random = np.random.default_rng(0)
        for weight in task.weights:  # biases start at 0 and gammas at 1: a lost one would not show
            if weight.name in ("bias", "beta", "gamma"):
                weight.assign_add(random.normal(0, 0.2, weight.shape))
        return task

    return make


@pytest.fixture(scope="session")
def classifier(make_task):
    return make_task()


@pytest.fixture(scope="session")
def calm_classifier(make_task):
    """One whose answers survive 4 bits: its blocks change the embeddings by little."""
    task = make_task()
    for weight in task.weights:
        if weight.name == "kernel":
            weight.assign(0.25 * weight)
    return task


@pytest.fixture(scope="session")
def regressor(make_task):
    return make_task(num_classes=1, labels=None)


class MadeWhenAskedFor(dict):
    """Paths by name, of files that are made when a test first asks for them."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, name):
        self[name] = path = self.make(name)
        return path


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """A function that makes a file or directory that no test changes, once for all processes of a
    run."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    directory = base / "exported"
    directory.mkdir(exist_ok=True)

    def make_once(name, make):
        path = directory / name
        with open(directory / f"{name.replace('/', '-')}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                make(path)
        return path

    return make_once


@pytest.fixture(scope="session")
def exported(classifier, calm_classifier, regressor, make_once):
    """Paths by name: the classifier in each quantization, and the regressor, on token ids; then
    with the tokenizer in the file, the regressor on pairs. They are made when asked for."""
    jobs = {
        "none": (classifier, "none", "tokens", LENGTHS),
        "float16": (classifier, "float16", "tokens", LENGTHS[:1]),
        "int8": (classifier, "int8", "tokens", LENGTHS),
        "int4": (calm_classifier, "int4", "text", LENGTHS),
        "int4_embedding": (calm_classifier, "int4-embedding", "tokens", LENGTHS[:1]),
        "regression_none": (regressor, "none", "tokens", LENGTHS[:1]),
        "text_none": (classifier, "none", "text", LENGTHS),
        "text_float16": (classifier, "float16", "text", LENGTHS[:1]),
        "text_int8": (classifier, "int8", "text", LENGTHS[-1:]),
        "text_pairs": (regressor, "int8", "text", LENGTHS[-1:]),
    }

    def write(name, path):
        task, *arguments, lengths = jobs[name]
        pairs = name == "text_pairs"
        export.to_tflite(
            task, path, *arguments, sequence_lengths=lengths, pairs=pairs, license="apache-2.0"
        )

    return MadeWhenAskedFor(
        lambda name: make_once(f"{name}.tflite", functools.partial(write, name))
    )


@pytest.fixture(scope="session")
def saved_model(classifier, make_once):
    return make_once("saved/1", lambda path: export.to_saved_model(classifier, path))


@pytest.fixture(scope="session")
def saved_model_of_pairs(regressor, make_once):
    return make_once("pairs/1", lambda path: export.to_saved_model(regressor, path, pairs=True))


@pytest.fixture(scope="session")
def server(saved_model, tokenizer):
    """The `Runner` of the SavedModel, which takes seconds to load."""
    return export.load(saved_model, tokenizer)


@pytest.fixture(scope="session")
def server_of_pairs(saved_model_of_pairs):
    return export.load(saved_model_of_pairs)


@pytest.fixture(scope="session")
def small_classifier(make_task):
    """What takes least time to export."""
    return make_task(layers=1, vocabulary_size=320)
