"""Shards of a tiny corpus in two languages, and a tiny size of models."""

import numpy as np
import pytest
from pretraining_runs import TINY

import keras_roberta.config
from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers.training import train_byte_level_bpe

WORDS = {
    "de": "der die ein Hund Katze Haus läuft schläft sieht klein groß und nicht heute".split(),
    "en": "the a an dog cat house runs sleeps sees small large and not today".split(),
}


def documents(language, count, seed=0):
    """Documents of a few sentences, each different."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        sentences = [
            " ".join(random.choice(WORDS[language], random.integers(4, 9))).capitalize() + "."
            for _ in range(random.integers(3, 8))
        ]
        yield " ".join(sentences)


def make_shards(directory, seed=0, languages=tuple(WORDS)):
    for language in languages:
        text = "\n\n".join(documents(language, 60, seed))
        (directory / "text" / language).mkdir(parents=True)
        (directory / "text" / language / "a.txt").write_text(text, encoding="utf-8")
    texts = [d for language in languages for d in documents(language, 60)]
    prepare(
        directory / "text",
        train_byte_level_bpe(texts, 300),
        directory / "shards",
        PrepareOptions(CorpusOptions(languages_from="folder"), heldout=0.2, near_duplicates=0),
        processes=1,
    )
    return directory / "shards"


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    return make_shards(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def other_shards(tmp_path_factory):
    return make_shards(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="session")
def english_shards(tmp_path_factory):
    return make_shards(tmp_path_factory.mktemp("english"), languages=("en",))


@pytest.fixture(scope="module")
def tinier():
    """A size that is built and traced in a second or two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(keras_roberta.config._NAMED, "tiny", TINY)
        yield
