"""What decides the content of shards, besides the corpus and the tokenizer."""

import dataclasses

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.scripts import SCRIPTS
from keras_roberta.data.corpus.sentences import RULES
from keras_roberta.data.corpus.shards import NO_LABEL
from keras_roberta.options import OptionError, Options, nested, option

_FOUND = ("language", "script")  # classes of tokens that need no labels


def _token_labels(text):
    """Of the command line: one of the words, or names with commas."""
    return text if text in _FOUND else tuple(name.strip() for name in text.split(","))


@dataclasses.dataclass(frozen=True)
class PrepareOptions(Options):
    """How a corpus becomes shards.

    Documents are held out by a hash of their text. They are alike by the Jaccard similarity of
    their runs of five tokens, estimated; equal ones go even where `near_duplicates` is 0. Of named
    `token_labels` "O", if there, is the class of all tokens that no label covers.
    """

    group = "Shards"

    corpus: CorpusOptions = nested(CorpusOptions)
    sentences: str = option(
        "prose", "Where sentences end: full stops, or line breaks.", choices=tuple(RULES)
    )
    heldout: float = option(
        0.01, "Share of the documents that are held out.", at_least=0, at_most=1
    )
    near_duplicates: float = option(
        0.8, "Drop documents this much alike; 0 keeps them.", at_least=0, at_most=1
    )
    token_labels: str | tuple[str, ...] = option(
        "language",
        "Classes for the objective tokens: language, script, or names: O,PER,LOC.",
        parse=_token_labels,
    )
    tokens_a_shard: int = option(1 << 23, "Tokens in a shard, about.", at_least=1)

    def check(self):
        names = self.corpus_classes
        if names and not 1 < len(set(names)) == len(names) <= NO_LABEL:
            raise OptionError(
                "token_labels",
                f"{','.join(names)}: give language, script, or 2 to {NO_LABEL} names, each once",
            )

    @property
    def corpus_classes(self):
        """The classes that the corpus is labelled with, () if not."""
        return () if isinstance(self.token_labels, str) else self.token_labels

    def label_description(self, languages):
        """What the manifest says of the classes of tokens."""
        if self.corpus_classes:
            return {"source": "corpus", "classes": list(self.corpus_classes)}
        classes = languages if self.token_labels == "language" else SCRIPTS
        return {"source": self.token_labels, "classes": list(classes)}
