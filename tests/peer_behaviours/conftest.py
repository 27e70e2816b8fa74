"""A tokenizer, and an encoder and a classifier that no test changes."""

import keras
import pytest
from peer_harness import MERGES, VOCABULARY, encoder, randomized

import keras_roberta as kr


@pytest.fixture
def tok():
    return kr.RobertaTokenizer(VOCABULARY, MERGES)


@pytest.fixture(scope="session")
def backbone():
    keras.utils.set_random_seed(11)
    return randomized(encoder())


@pytest.fixture(scope="session")
def classifier():
    keras.utils.set_random_seed(11)
    preprocessor = kr.RobertaPreprocessor(
        kr.RobertaTokenizer(VOCABULARY, MERGES), sequence_length=16, labels=("dry", "wet")
    )
    return randomized(kr.RobertaTextClassifier(encoder(), preprocessor=preprocessor))
