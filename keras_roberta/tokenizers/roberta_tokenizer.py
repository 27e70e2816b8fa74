"""RoBERTa's tokenizer on the host: byte-level BPE through the `tokenizers` library.

The vocabulary is GPT-2's byte-level BPE (Radford et al. 2019, section 2.2) renumbered by fairseq
(Liu et al. 2019, section 4.4), with `<s> <pad> </s> <unk>` in front and `<mask>` behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as RustTokenizer

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.byte_pairs import BYTE_LEVEL_BPE
from keras_roberta.tokenizers.protocol import PlainTokens, Texts
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout
from keras_roberta.tokenizers.spelling import SPECIAL_TOKENS
from keras_roberta.tokenizers.texts import as_batch, without_surrogates
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles, find_tokenizer_files
from keras_roberta.tokenizers.vocabulary_files import read_vocabulary


class RobertaTokenizer(HostTokenizer):
    """Text to ids and back, with the ids of RoBERTa for every string.

    Immutable once made, hence safe to share between threads and cheap to copy; it pickles as its
    vocabulary and merges. Special tokens written out in a text (`"a <mask> b"`) become their ids,
    as they do in Transformers; `<mask>` takes the white space before it along.

    Args:
        vocabulary: token to id, the tokens spelt in GPT-2's byte letters (`"Ġthe"`). It holds the
            256 byte letters and the five special tokens. Ids are distinct; gaps are allowed.
        merges: pairs `("Ġ", "t")`, or the same as `"Ġ t"`, the first merged first.
        add_prefix_space: whether "a" is read as " a". RoBERTa's own tokenizer does not.

    Raises:
        InputError: the vocabulary and the merges do not make such a tokenizer.

    >>> from keras_roberta.tokenizers.training import train_byte_level_bpe
    >>> tok = train_byte_level_bpe(["low lower lowest"] * 2, vocabulary_size=265)
    >>> tok.decode(tok("lower than low"))
    'lower than low'
    >>> tok("lower", "low", max_length=6)[:2], len(tok("lower", "low", max_length=6))
    ([0, 261], 6)
    """

    def __init__(
        self,
        vocabulary: dict[str, int],
        merges: Sequence[tuple[str, str]] | Sequence[str],
        add_prefix_space: bool = False,
    ):
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]
        _check_vocabulary(vocabulary)
        _check_merges(merges, vocabulary)
        add_prefix_space = bool(add_prefix_space)
        rust = _rust_tokenizer(vocabulary, merges, add_prefix_space)
        super().__init__(rust, kind=BYTE_LEVEL_BPE, vocabulary=vocabulary)
        self._merges, self.add_prefix_space = merges, add_prefix_space

    @classmethod
    def from_preset(cls, src: str | Path) -> RobertaTokenizer:
        """Reads the tokenizer of a checkpoint.

        Args:
            src: a directory or `hf://org/name` with one of `tokenizer.json` (Hugging Face),
                `vocab.json` + `merges.txt` (Hugging Face), `vocabulary.json` + `merges.txt`
                (KerasHub), `dict.txt` + `encoder.json` + `vocab.bpe` (fairseq), or one of our
                presets, where they lie in `assets/tokenizer/`.

        Raises:
            InputError: names the file that is missing or mangled, or the kind of tokenizer it
                holds where that is not RoBERTa's.
        """
        return cls.from_files(find_tokenizer_files(src))

    @classmethod
    def from_files(cls, files: TokenizerFiles, kind=BYTE_LEVEL_BPE) -> RobertaTokenizer:
        """As `from_preset`, from files that were found already."""
        found = read_vocabulary(files)
        try:
            return cls(found.vocabulary, found.merges, found.add_prefix_space)
        except InputError as error:
            raise InputError(f"{found.path}: {error}") from None

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The merges, the first merged first (a copy)."""
        return list(self._merges)

    def encode_plain(self, texts: Texts) -> PlainTokens:
        # The tokens of a text are its bytes in pieces, so that no offsets are needed.
        texts = as_batch(texts)
        encodings = self._run(self._plain_rust.encode_batch_fast, texts)
        rows = [encoding.ids for encoding in encodings]
        row_lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        token_ids = np.fromiter(chain.from_iterable(rows), np.int32, int(row_lengths.sum()))
        sizes = self._sizes[token_ids]
        up_to = np.concatenate([[0], np.cumsum(sizes)])  # (total + 1,), over all texts
        behind = np.cumsum(row_lengths)
        before = up_to[behind - row_lengths]  # bytes in the texts before
        if self.add_prefix_space:  # It is in no text.
            num_bytes = [len(without_surrogates(text).encode()) for text in texts]
            before = up_to[behind] - np.array(num_bytes, np.int64)
        ends = up_to[1:] - np.repeat(before, row_lengths)
        begins = np.maximum(ends - sizes + self._has_front_space[token_ids], 0)
        return PlainTokens(token_ids, row_lengths, begins, ends)

    @cached_property
    def _layout(self) -> SpecialTokenLayout:
        return SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)

    @cached_property
    def _plain_rust(self) -> RustTokenizer:
        rust = RustTokenizer(models.BPE(vocab=self._vocabulary, merges=self._merges))
        rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=self.add_prefix_space)
        return rust

    def _trimmed(self, text, offsets):
        return offsets  # The library has done it.

    @cached_property
    def _sizes(self) -> np.ndarray:
        sizes = np.zeros(self.vocabulary_size, np.int64)
        for index, token in self._text_tokens():
            sizes[index] = len(token)  # a letter is a byte
        return sizes

    @cached_property
    def _has_front_space(self) -> np.ndarray:
        """bool (vocabulary_size,): tokens with white space in front of something else."""
        has_space = np.zeros(self.vocabulary_size, bool)
        for index, token in self._text_tokens():
            has_space[index] = token.startswith("Ġ") and len(token) > 1
        return has_space

    def byte_lengths(self) -> np.ndarray:
        return self._sizes.copy()

    @cached_property
    def fingerprint(self) -> str:
        tokens = sorted(self._vocabulary.items(), key=lambda item: item[1])
        content = json.dumps([tokens, self._merges, self.add_prefix_space])
        return hashlib.sha256(content.encode()).hexdigest()

    def batched_in_graph(self):
        from keras_roberta.tokenizers.in_graph import BatchedTokenizer  # TensorFlow

        return BatchedTokenizer(**self._in_graph_settings())

    def static_in_graph(self):
        from keras_roberta.tokenizers.in_graph import StaticTokenizer  # TensorFlow

        return StaticTokenizer(**self._in_graph_settings())

    def _in_graph_settings(self):
        return {
            "vocabulary": self._vocabulary,
            "merges": self._merges,
            "add_prefix_space": self.add_prefix_space,
            "start_id": self.start_token_id,
            "pad_id": self.pad_token_id,
            "end_id": self.end_token_id,
        }

    def save(self, directory: str | Path) -> None:
        """Writes `vocab.json`, `merges.txt`, `tokenizer.json` and `tokenizer_config.json`.

        `from_preset` and Transformers' `AutoTokenizer.from_pretrained` read them back.
        """
        super().save(directory)

    def _files(self):
        tokens = dict(sorted(self._vocabulary.items(), key=lambda item: item[1]))
        merges = "".join(f"{a} {b}\n" for a, b in self._merges)
        config = {
            "tokenizer_class": "RobertaTokenizer",
            "add_prefix_space": self.add_prefix_space,
            **self.special_tokens.as_config(),
        }
        return {
            "vocab.json": json.dumps(tokens, ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + merges,
            "tokenizer.json": self._rust.to_str(),
            "tokenizer_config.json": json.dumps(config, indent=2) + "\n",
        }

    def __reduce__(self):
        return type(self), (self._vocabulary, self._merges, self.add_prefix_space)

    def __repr__(self) -> str:
        return f"RobertaTokenizer(vocabulary_size={self.vocabulary_size})"


def _rust_tokenizer(vocabulary, merges, add_prefix_space) -> RustTokenizer:
    rust = RustTokenizer(models.BPE(vocab=vocabulary, merges=merges))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    rust.decoder = decoders.ByteLevel()
    # Not what puts the special tokens in here, but what Transformers reads from tokenizer.json.
    rust.post_processor = processors.RobertaProcessing(
        ("</s>", vocabulary["</s>"]),
        ("<s>", vocabulary["<s>"]),
        trim_offsets=True,
        add_prefix_space=add_prefix_space,
    )
    rust.add_special_tokens(
        [
            AddedToken(t, lstrip=t == "<mask>", normalized=False, special=True)
            for t in SPECIAL_TOKENS
        ]
    )
    return rust


def _check_vocabulary(vocabulary) -> None:
    if not isinstance(vocabulary, dict) or not vocabulary:
        raise InputError("the vocabulary is not a mapping of tokens to ids")
    for token, index in vocabulary.items():
        if not isinstance(token, str) or type(index) is not int or not 0 <= index < 2**31:
            raise InputError(f"token {token!r} has the id {index!r}; ids are whole numbers from 0")
    if len(set(vocabulary.values())) != len(vocabulary):
        seen = {}
        for token, index in vocabulary.items():
            if seen.setdefault(index, token) != token:
                raise InputError(f"tokens {seen[index]!r} and {token!r} share the id {index}")
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing:
        raise InputError(
            f"the vocabulary lacks {' '.join(missing)}; RoBERTa needs all of "
            f"{' '.join(SPECIAL_TOKENS)}"
        )
    letters = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if letter not in vocabulary]
    if letters:
        raise InputError(
            f"the vocabulary lacks {len(letters)} of the 256 byte letters "
            f"({min(letters)!r}); it is not a byte-level BPE"
        )


def _check_merges(merges, vocabulary) -> None:
    for rank, merge in enumerate(merges):
        if len(merge) != 2 or not all(isinstance(part, str) for part in merge):
            raise InputError(f"merge {rank + 1} ({merge!r}) is not a pair of tokens")
        left, right = merge
        for token in (left, right, left + right):
            if token not in vocabulary:
                raise InputError(
                    f"merge {rank + 1} ({left} {right}) needs the token {token!r}, "
                    "which is not in the vocabulary; do the two files belong together?"
                )
