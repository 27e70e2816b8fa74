"""Encodes documents as token ids."""

import hashlib
from collections.abc import Sequence

import numpy as np

from keras_roberta.data.corpus.corpora import Document
from keras_roberta.data.corpus.sentences import sentence_ends
from keras_roberta.data.corpus.shards import NO_LABEL, EncodedDocument, token_dtype
from keras_roberta.errors import InputError
from keras_roberta.tokenizers import Tokenizer

_BETWEEN = b"\n\n"


class DocumentEncoder:
    """Encodes documents with a tokenizer.

    A special token that is spelt out in a text is plain text here. For example, `</s>` on a web
    page does not end a sentence.

    Args:
        tokenizer: the tokenizer.
        sentences: the rule for the ends of sentences; see `sentences.sentence_ends`.
        token_classes: names of the classes of the corpus's token labels, or () if it has none.
    """

    def __init__(
        self, tokenizer: Tokenizer, sentences: str = "prose", token_classes: Sequence[str] = ()
    ):
        self._tokenizer = tokenizer
        self._dtype = token_dtype(tokenizer.vocabulary_size)
        self._sentences, self._classes = sentences, tuple(token_classes)

    def __call__(self, documents: Sequence[Document]) -> list[EncodedDocument]:
        """Encodes documents, in their order.

        Documents that have no tokens are left out. This happens if the tokenizer's normalizer
        removes all of their characters.

        Raises:
            InputError: a label is not one of the classes.
        """
        tokens = self._tokenizer.encode_plain([document.text for document in documents])
        num_tokens = tokens.row_lengths
        if not num_tokens.all():
            kept = [one for one, count in zip(documents, num_tokens, strict=True) if count]
            documents, num_tokens = kept, num_tokens[num_tokens > 0]
        if not documents:
            return []
        texts = [document.text.encode() for document in documents]
        # The sentences of all documents are found at once, since calls for single short documents
        # would take as long as the tokenizer. The texts are joined with blank lines, which end
        # sentences.
        text_ends = np.cumsum([len(text) + len(_BETWEEN) for text in texts]) - len(_BETWEEN)
        text_begins = text_ends - [len(text) for text in texts]
        ids = tokens.token_ids.astype(self._dtype)
        first = np.cumsum(num_tokens) - num_tokens
        ends = tokens.ends + np.repeat(text_begins, num_tokens)
        sentences = np.union1d(sentence_ends(_BETWEEN.join(texts), self._sentences), text_ends)
        # The index behind the last token of each sentence. Several tokens may end at the same byte,
        # for example if the normalizer rewrote a word, or for the mark of a space that is not in
        # the text.
        in_sentence = ends[np.searchsorted(ends, sentences)]
        last = np.unique(np.searchsorted(ends, in_sentence, side="right"))
        lengths = np.diff(last, prepend=0).astype(np.uint32)
        bounds = [0, *np.searchsorted(last, first + num_tokens, side="right")]
        encoded = []
        for i, document in enumerate(documents):
            stretch = slice(first[i], first[i] + num_tokens[i])
            labels = self._labels(document, tokens.begins[stretch]) if self._classes else None
            encoded.append(
                EncodedDocument(
                    document_key(texts[i]),
                    document.language,
                    ids[stretch],
                    lengths[bounds[i] : bounds[i + 1]],
                    labels,
                )
            )
        return encoded

    def _labels(self, document, begins):
        """The class of each token of a document; `begins` has their first bytes."""
        outside = self._classes.index("O") if "O" in self._classes else NO_LABEL
        labels = np.full(len(begins), outside, np.uint8)
        for start, end, name in document.labels:
            if name not in self._classes:
                raise InputError(
                    f"{document.place}: label {name!r} is none of {', '.join(self._classes)}"
                )
            span = [len(document.text[:place].encode()) for place in (start, end)]
            first, last = np.searchsorted(begins, span)
            labels[first:last] = self._classes.index(name)
        return labels


def document_key(text: bytes) -> bytes:
    """A 16-byte hash of a text, by which equal texts are found."""
    return hashlib.blake2b(text, digest_size=16).digest()
