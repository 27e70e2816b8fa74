"""Documents as token ids."""

import hashlib
from itertools import chain

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from keras_roberta.data.corpus.sentences import sentence_ends
from keras_roberta.data.corpus.shards import NO_LABEL, EncodedDocument, token_dtype
from keras_roberta.errors import InputError

_BETWEEN = b"\n\n"


class DocumentEncoder:
    """Makes `EncodedDocument`s of texts.

    Special tokens written out in a text are text here: `</s>` on a web page ends no sentence.

    Args:
        tokenizer: `RobertaTokenizer`
        sentences: see `sentences.sentence_ends`.
        token_classes: names of the classes of tokens that the corpus has labels of, or ().
    """

    def __init__(self, tokenizer, sentences="prose", token_classes=()):
        vocabulary = tokenizer.vocabulary
        self._rust = Tokenizer(models.BPE(vocab=vocabulary, merges=tokenizer.merges))
        self._rust.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=tokenizer.add_prefix_space
        )
        self._dtype = token_dtype(tokenizer.vocabulary_size)
        self._num_bytes = np.zeros(tokenizer.vocabulary_size, np.int64)  # a letter is a byte
        self._has_space = np.zeros(tokenizer.vocabulary_size, bool)
        for token, index in vocabulary.items():
            self._num_bytes[index] = len(token)
            self._has_space[index] = token.startswith("Ġ") and len(token) > 1
        self._sentences, self._classes = sentences, tuple(token_classes)

    def __call__(self, documents):
        """`EncodedDocument`s of `Document`s, in their order."""
        encodings = self._rust.encode_batch_fast(
            [document.text for document in documents], add_special_tokens=False
        )
        ids = [encoding.ids for encoding in encodings]
        texts = [document.text.encode() for document in documents]
        # All at once, since a call for each short document would take as long as its tokens: the
        # texts one after the other, with a blank line between, which ends a sentence.
        num_tokens = np.fromiter(map(len, ids), np.int64, len(ids))
        text_ends = np.cumsum([len(text) + len(_BETWEEN) for text in texts]) - len(_BETWEEN)
        ids = np.fromiter(chain.from_iterable(ids), self._dtype, int(num_tokens.sum()))
        first = np.cumsum(num_tokens) - num_tokens
        # The tokens are the bytes of the text in pieces, so places in bytes are places in tokens.
        num_bytes = self._num_bytes[ids]
        shift = text_ends - np.add.reduceat(num_bytes, first).cumsum()
        ends = np.cumsum(num_bytes) + np.repeat(shift, num_tokens)
        sentences = np.union1d(sentence_ends(_BETWEEN.join(texts), self._sentences), text_ends)
        last = np.unique(np.searchsorted(ends, sentences)) + 1  # token that ends each sentence
        lengths = np.diff(last, prepend=0).astype(np.uint32)
        bounds = [0, *np.searchsorted(last, first + num_tokens, side="right")]
        encoded = []
        for i, document in enumerate(documents):
            stretch = slice(first[i], first[i] + num_tokens[i])
            labels = None
            if self._classes:
                begins = ends[stretch] - num_bytes[stretch] + self._has_space[ids[stretch]]
                labels = self._labels(document, begins - (text_ends[i] - len(texts[i])))
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
