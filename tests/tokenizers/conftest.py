"""A small vocabulary that is trained here, RoBERTa's own, and the tokenizers of each; and a small
tokenizer of every kind."""

import json

import keras
import pytest
from small_tokenizers import MAKERS, write
from tokenizer_reference import library
from tokenizer_texts import TRAINING_TEXTS
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from keras_roberta.tokenizers import open_tokenizer
from keras_roberta.tokenizers.in_graph import BatchedTokenizer
from keras_roberta.tokenizers.special_token_names import SPECIAL_TOKENS


@pytest.fixture(autouse=True, scope="module")
def seeded():
    """Once a file: with each seed, TensorFlow forgets what it has made of the graphs that the tests
    share, which takes a second to make again."""
    keras.utils.set_random_seed(11)


@pytest.fixture(scope="session")
def vocabulary_and_merges():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(
        TRAINING_TEXTS,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


@pytest.fixture(scope="session")
def reference(vocabulary_and_merges):
    return library(*vocabulary_and_merges)


@pytest.fixture(scope="session")
def batched(vocabulary_and_merges):
    return BatchedTokenizer(*vocabulary_and_merges)


@pytest.fixture(scope="session")
def roberta(data_directory):
    directory = data_directory / "roberta-base-tokenizer"
    vocabulary = json.loads((directory / "vocab.json").read_text("utf-8"))
    lines = (directory / "merges.txt").read_text("utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return vocabulary, merges, Tokenizer.from_file(str(directory / "tokenizer.json"))


@pytest.fixture(scope="session")
def roberta_in_graph(roberta):
    return BatchedTokenizer(*roberta[:2])


@pytest.fixture(scope="session", params=MAKERS)
def directory(request, tmp_path_factory):
    """Of a checkpoint with a tokenizer of each kind."""
    return write(MAKERS[request.param](), tmp_path_factory.mktemp("kind") / "tokenizer")


@pytest.fixture(scope="session")
def tokenizer_of_a_kind(directory):
    return open_tokenizer(directory)
