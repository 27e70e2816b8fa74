import numpy as np
import pytest

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.jobs.prepare.one_machine import prepare

WORDS = ("film", "warm", "lovely", "dull", "cold", "flat", "tedious", "funny", "simply", "fine")


def corpus_of(documents, seed):
    """Text in which each sentence says its document and place: "d12s3 …"."""
    random = np.random.default_rng(seed)
    lines = []
    for document in range(documents):
        sentences = [
            f"d{document}s{s} " + " ".join(random.choice(WORDS, random.integers(1, 9))) + "."
            for s in range(random.integers(1, 9))
        ]
        lines.append(" ".join(sentences))
    return "\n".join(lines)


@pytest.fixture(scope="session")
def make_shards(tmp_path_factory, tokenizer):
    """A function that makes shards of {language: text, a document a line}."""

    def make(texts, **options):
        path = tmp_path_factory.mktemp("corpus")
        (path / "text").mkdir()
        for language, text in texts.items():
            (path / "text" / f"{language}.txt").write_text(text)
        options = PrepareOptions(CorpusOptions("line", "file"), near_duplicates=0, **options)
        prepare(path / "text", tokenizer, path / "out", options, processes=1)
        return open_shards(path / "out")

    return make


@pytest.fixture(scope="session")
def shards(make_shards):
    texts = {name: corpus_of(n, seed=n) for name, n in (("en", 300), ("sv", 60), ("ru", 20))}
    texts["ru"] = texts["ru"].replace("d", "ж")
    return make_shards(texts, heldout=0.1, tokens_a_shard=4000)
