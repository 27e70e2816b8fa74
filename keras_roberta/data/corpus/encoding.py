"""Documents as token ids."""

import hashlib

import numpy as np

from keras_roberta.data.corpus.sentences import sentence_ends
from keras_roberta.data.corpus.shards import NO_LABEL, EncodedDocument, token_dtype
from keras_roberta.errors import InputError

_BETWEEN = b"\n\n"


class DocumentEncoder:
    """Makes `EncodedDocument`s of texts.

    Special tokens written out in a text are text here: `</s>` on a web page ends no sentence.

    Args:
        tokenizer: of any kind; see `tokenizers.Tokenizer`.
        sentences: see `sentences.sentence_ends`.
        token_classes: names of the classes of tokens that the corpus has labels of, or ().
    """

    def __init__(self, tokenizer, sentences="prose", token_classes=()):
        self._tokenizer = tokenizer
        self._dtype = token_dtype(tokenizer.vocabulary_size)
        self._sentences, self._classes = sentences, tuple(token_classes)

    def __call__(self, documents):
        """`EncodedDocument`s of `Document`s, in their order.

        Documents without a token, such as those of characters that the tokenizer's normalizer
        takes away, are left out.
        """
        tokens = self._tokenizer.encode_plain([document.text for document in documents])
        num_tokens = tokens.row_lengths
        if not num_tokens.all():
            kept = [one for one, count in zip(documents, num_tokens, strict=True) if count]
            documents, num_tokens = kept, num_tokens[num_tokens > 0]
        if not documents:
            return []
        texts = [document.text.encode() for document in documents]
        # All at once, since a call for each short document would take as long as its tokens: the
        # texts one after the other, with a blank line between, which ends a sentence.
        text_ends = np.cumsum([len(text) + len(_BETWEEN) for text in texts]) - len(_BETWEEN)
        text_begins = text_ends - [len(text) for text in texts]
        ids = tokens.token_ids.astype(self._dtype)
        first = np.cumsum(num_tokens) - num_tokens
        ends = tokens.ends + np.repeat(text_begins, num_tokens)
        sentences = np.union1d(sentence_ends(_BETWEEN.join(texts), self._sentences), text_ends)
        # Behind the last token of each sentence. Several tokens may end at one place: a word that
        # was put in other letters, or the mark of a space that is not there.
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
        """The class of each token of a document, given where they begin in bytes."""
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
    """16 bytes that stand for a text: equal texts have equal ones, others (nearly) never."""
    return hashlib.blake2b(text, digest_size=16).digest()
