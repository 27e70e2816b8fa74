"""Which tokens of a model's vocabulary stay."""

import dataclasses

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.options import Options, nested, option
from keras_roberta.tokenizers.trimming import CHARACTERS


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrimVocabularyOptions(Options):
    """Of `keras_roberta.jobs.trim_vocabulary.trim_vocabulary` and `keras-roberta compress trim`.

    Where both `min_count` and `keep` are given a token has to pass both. What every text needs, and
    what the tokens are made of, stays beside them: see `Tokenizer.trimmed`.
    """

    group = "Vocabulary"

    min_count: int = option(
        1, "Keep tokens that occur so often in the corpus, or more.", at_least=1
    )
    keep: int | None = option(
        None, "Keep so many tokens, the most frequent ones.", at_least=1, shown_default="all"
    )
    characters: str = option(
        "all",
        "Single characters that a vocabulary without bytes keeps: all, so that no text loses any, "
        "or used, those in tokens that are kept.",
        choices=CHARACTERS,
    )
    heldout: float = option(
        0.05,
        "Share of the documents to measure with how many tokens change.",
        at_least=0,
        below=1,
    )
    corpus: CorpusOptions = nested(
        CorpusOptions, without=("labels_field", "languages_from", "language_field")
    )
