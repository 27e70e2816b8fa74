"""What a tokenizer learns from."""

import dataclasses

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.language_alpha import LANGUAGE_ALPHA
from keras_roberta.options import Options, nested, option
from keras_roberta.tokenizers.training import KINDS


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainTokenizerOptions(Options):
    """Of `keras_roberta.jobs.train_tokenizer.train_tokenizer` and `keras-roberta tokenizer train`.

    `language_alpha` is that of `language_sampling.language_shares`, here of bytes of text. Of a
    larger corpus about `sample_mb` are learnt from: a language whose share is more than its text is
    repeated, one whose share is less is sampled by document.
    """

    group = "Tokenizer"

    kind: str = option(KINDS[0], "What its tokens are.", choices=KINDS)
    vocabulary_size: int = option(50_265, "Ids in all.", at_least=6, flag="--vocab-size")
    min_frequency: int | None = option(
        None, "How often a token occurs at least, 2 by default; in kinds that count.", at_least=1
    )
    lowercase: bool = option(False, "Read capitals as small letters, in kinds that can.")
    corpus: CorpusOptions = nested(CorpusOptions, without=("labels_field",))
    language_alpha: float = option(
        LANGUAGE_ALPHA,
        "Languages are drawn by size to this power: 1 as they come.",
        at_least=0,
        at_most=1,
    )
    sample_mb: int = option(1000, "Learn from about so much of the text.", at_least=1)
