"""What the commands read, as small as it can be."""

import numpy as np

import keras_roberta as kr
from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.jobs.prepare.one_machine import prepare
from keras_roberta.tokenizers.training import train_byte_level_bpe

TEXTS = ["a fine film", "a dull film", "warm and funny", "cold and flat"]
WORDS = "the a an dog cat house runs sleeps sees small large and not today".split()
SIZE = dict(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32)
# Options of the command line for a run of a second.
SHORT_RUN = """--size tiny --batch-size 8 --sequence-length 32 --learning-rate 1e-2
    --evaluation-batches 1""".split()


def make_corpus(path, documents=120, seed=0):
    random = np.random.default_rng(seed)
    texts = [
        " ".join(random.choice(WORDS, random.integers(20, 60))).capitalize() + "."
        for _ in range(documents)
    ]
    path.write_text("\n\n".join(texts), encoding="utf-8")
    return path


def make_table(path, repeat=32):
    rows = "".join(f"{text}\t{i % 2}\n" for i, text in enumerate(TEXTS * repeat))
    path.write_text("text\tlabel\n" + rows, encoding="utf-8")
    return path


def make_all(directory):
    """Writes `corpus.txt`, `tokenizer`, `shards`, `table.tsv` and `preset`."""
    corpus, table = make_corpus(directory / "corpus.txt"), make_table(directory / "table.tsv")
    tokenizer = train_byte_level_bpe(corpus.read_text().split("\n\n") + TEXTS, 300)
    tokenizer.save(directory / "tokenizer")
    options = PrepareOptions(CorpusOptions(), heldout=0.2, near_duplicates=0)
    prepare(corpus, tokenizer, directory / "shards", options, processes=1)
    task = make_task(tokenizer)
    task.save_to_preset(directory / "preset")
    return {"table": table}


def make_task(tokenizer, seed=0):
    config = kr.RobertaConfig(
        vocabulary_size=tokenizer.vocabulary_size, max_sequence_length=32, seed=seed, **SIZE
    )
    return kr.RobertaTextClassifier(
        kr.RobertaBackbone(config),
        num_classes=2,
        preprocessor=kr.RobertaPreprocessor(tokenizer, sequence_length=32),
    )
