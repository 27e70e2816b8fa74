"""What decides the content of shards, besides the corpus and the tokenizer."""

import dataclasses

from keras_roberta.data.corpus.corpora import CorpusOptions
from keras_roberta.data.corpus.scripts import SCRIPTS
from keras_roberta.data.corpus.sentences import RULES
from keras_roberta.data.corpus.shards import NO_LABEL
from keras_roberta.errors import InputError


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """How a corpus becomes shards.

    Attributes:
        corpus: `CorpusOptions`
        sentences: the rule by which they end; see `sentences.sentence_ends`.
        heldout: share of the documents that are held out, by a hash of their text.
        near_duplicates: documents at least this much alike (Jaccard similarity of their runs of
            five tokens, estimated) are dropped but for one; 0 keeps them. Equal ones always go.
        token_labels: classes for the objective "tokens": "language", "script", or the names of
            those that the corpus is labelled with. Of these "O", if there, is for all other tokens.
        tokens_a_shard: about.
    """

    corpus: CorpusOptions = CorpusOptions()
    sentences: str = "prose"
    heldout: float = 0.01
    near_duplicates: float = 0.8
    token_labels: str | tuple[str, ...] = "language"
    tokens_a_shard: int = 1 << 23

    def __post_init__(self):
        if self.sentences not in RULES:
            raise InputError(f"sentences {self.sentences!r}: expected one of {', '.join(RULES)}")
        for name in ("heldout", "near_duplicates"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be between 0 and 1; got {getattr(self, name)}")
        if self.tokens_a_shard < 1:
            raise InputError(f"tokens_a_shard must be positive; got {self.tokens_a_shard}")
        if not isinstance(self.token_labels, str):
            object.__setattr__(self, "token_labels", tuple(self.token_labels))
            if not 1 < len(set(self.token_labels)) == len(self.token_labels) <= NO_LABEL:
                raise InputError(
                    f"token_labels {','.join(self.token_labels)}: give 2 to {NO_LABEL} names, "
                    "each once"
                )
        elif self.token_labels not in ("language", "script"):
            raise InputError(
                f"token_labels {self.token_labels!r}: expected language, script or the classes "
                "that the corpus is labelled with"
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

    def to_dict(self):
        """As JSON holds it."""
        values = dataclasses.asdict(self)
        if self.corpus_classes:
            values["token_labels"] = list(self.token_labels)
        return values
