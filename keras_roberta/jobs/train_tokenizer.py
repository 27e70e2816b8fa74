"""A corpus into a tokenizer, languages in the shares in which they will be trained on."""

import collections
from pathlib import Path

from keras_roberta.data.corpus.corpora import read_documents, work_units
from keras_roberta.data.corpus.encoding import document_key
from keras_roberta.data.corpus.language_sampling import language_shares
from keras_roberta.errors import InputError
from keras_roberta.files.hold_output import hold_directory
from keras_roberta.files.room import check_room
from keras_roberta.jobs.options.train_tokenizer import TrainTokenizerOptions
from keras_roberta.tokenizers import Tokenizer, training


def train_tokenizer(
    corpus: str | Path,
    out: str | Path,
    options: TrainTokenizerOptions | None = None,
    *,
    overwrite: bool = False,
    progress: bool = False,
) -> tuple[Tokenizer, dict[str, float]]:
    """Learns a tokenizer from a corpus and saves it.

    Args:
        corpus: a file or a directory; see `data/corpus/corpora.py`.
        out: directory for the tokenizer's files.
        overwrite: replace files in `out`.
        progress: show a bar.

    Returns:
        the tokenizer, and {language: share}.

    Raises:
        InputError: something in the corpus, or `out` holds a tokenizer already.
    """
    options, out = options or TrainTokenizerOptions(), Path(out).expanduser()
    with hold_directory(out, overwrite):
        check_room(out)
        tokenizer, shares = _learn(corpus, options, progress)
        tokenizer.save(out)
    return tokenizer, shares


def _learn(corpus, options, progress):
    units, shares = work_units(corpus, options.corpus), {}
    # Read only after the settings were checked.
    texts = _texts(units, corpus, options, shares)
    learnt = training.train_tokenizer(
        texts,
        options.kind,
        vocabulary_size=options.vocabulary_size,
        min_frequency=options.min_frequency,
        lowercase=options.lowercase,
        progress=progress,
    )
    return learnt, shares


def _texts(units, corpus, options, shares):
    """The texts to learn from; reads the corpus twice, and puts {language: share} into `shares`."""
    sizes = collections.Counter()
    for document in _documents(units, options.corpus):
        sizes[document.language] += len(document.text.encode())
    if not sizes:
        raise InputError(f"{corpus}: the corpus is empty; there is no text in its files")
    shares.update(language_shares(sizes, options.language_alpha))
    total = min(sum(sizes.values()), options.sample_mb * 10**6)
    times = {language: shares[language] * total / size for language, size in sizes.items()}
    yield from _sampled(_documents(units, options.corpus), times)


def _documents(units, options):
    for unit in units:
        yield from read_documents(unit, options, with_labels=False)


def _sampled(documents, times):
    """The texts, each as often as its language asks for; a part of a time is decided by a hash."""
    for document in documents:
        whole, part = divmod(times[document.language], 1)
        key = int.from_bytes(document_key(document.text.encode())[:8], "big")
        for _ in range(int(whole) + (key < part * 2**64)):
            yield document.text
