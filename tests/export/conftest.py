"""Tiny tasks and their exported files, made once: a conversion takes seconds."""

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
def regressor(make_task):
    return make_task(num_classes=1, labels=None)


@pytest.fixture(scope="session")
def exported(classifier, regressor, tmp_path_factory):
    """Paths by name: the classifier in each quantization, with one length alone, the regressor, on
    token ids; then with the tokenizer in the file, the regressor on pairs."""
    directory = tmp_path_factory.mktemp("exported")
    jobs = {
        "none": (classifier, "none", "tokens", LENGTHS),
        "float16": (classifier, "float16", "tokens", LENGTHS[:1]),
        "int8": (classifier, "int8", "tokens", LENGTHS),
        "one_length": (classifier, "none", "tokens", LENGTHS[-1:]),
        "regression_none": (regressor, "none", "tokens", LENGTHS[:1]),
        "text_none": (classifier, "none", "text", LENGTHS),
        "text_float16": (classifier, "float16", "text", LENGTHS),
        "text_int8": (classifier, "int8", "text", LENGTHS),
        "text_pairs": (regressor, "int8", "text", LENGTHS),
    }
    return {
        name: export.to_tflite(
            task,
            directory / f"{name}.tflite",
            *arguments,
            sequence_lengths=lengths,
            pairs=name == "text_pairs",
        )
        for name, (task, *arguments, lengths) in jobs.items()
    }


@pytest.fixture(scope="session")
def saved_model(classifier, tmp_path_factory):
    return export.to_saved_model(classifier, tmp_path_factory.mktemp("saved") / "1")


@pytest.fixture(scope="session")
def saved_model_of_pairs(regressor, tmp_path_factory):
    return export.to_saved_model(regressor, tmp_path_factory.mktemp("pairs") / "1", pairs=True)
