"""RoBERTa's tokenizer on the host: byte-level BPE through the `tokenizers` library.

The vocabulary is GPT-2's byte-level BPE (Radford et al. 2019, section 2.2) renumbered by fairseq
(Liu et al. 2019, section 4.4), with `<s> <pad> </s> <unk>` in front and `<mask>` behind.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import decoders, models, pre_tokenizers, processors

from keras_roberta.errors import InputError
from keras_roberta.files.json_kinds import short
from keras_roberta.tokenizers.added_tokens import (
    AddedToken,
    read_added_tokens,
    special_added_tokens,
)
from keras_roberta.tokenizers.file_kinds import MOST_IDS, TOKEN_ID
from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.byte_pairs import BYTE_LEVEL_BPE
from keras_roberta.tokenizers.protocol import PlainTokens, Texts
from keras_roberta.tokenizers.rows import check_ids, ragged
from keras_roberta.tokenizers.rust_tokenizer import add_to, library_errors
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout, layout_of
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames, check_special_tokens
from keras_roberta.tokenizers.spelling import bytes_of_ids
from keras_roberta.tokenizers.texts import as_batch, without_surrogates
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles, find_tokenizer_files
from keras_roberta.tokenizers.vocabulary_files import read_vocabulary
from keras_roberta.unknown_arguments import named_arguments

logger = logging.getLogger("keras_roberta")


class RobertaTokenizer(HostTokenizer):
    """Text to ids and back, with the ids of RoBERTa for every string.

    Safe to share between threads and cheap to copy; it pickles as its vocabulary and merges.
    Special tokens written out in a text (`"a <mask> b"`) become their ids, as they do in
    Transformers; `<mask>` takes the white space before it along, if files do not say otherwise.

    Args:
        vocabulary: token to id, the tokens spelt in GPT-2's byte letters (`"Ġthe"`). It holds the
            256 byte letters and the five special tokens. Ids are distinct; gaps are allowed.
        merges: pairs `("Ġ", "t")`, or the same as `"Ġ t"`, the first merged first.
        add_prefix_space: whether "a" is read as " a". RoBERTa's own tokenizer does not.
        special_tokens: what the vocabulary calls the special tokens.
        added_tokens: tokens that become one id wherever a text spells them out, in the vocabulary
            or beside it. Special tokens that are not among them have RoBERTa's flags.
        model_max_length: the longest row that the tokenizer's model takes; None where it is not
            known.

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
        *,
        special_tokens: SpecialTokenNames = SpecialTokenNames(),  # noqa: B008 (immutable)
        added_tokens: Sequence[AddedToken] = (),
        model_max_length: int | None = None,
    ):
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in merges]
        special_tokens = SpecialTokenNames(*special_tokens)
        base = dict(vocabulary) if isinstance(vocabulary, dict) else {}
        vocabulary = base | {token.content: token.id for token in added_tokens}
        _check_vocabulary(vocabulary, special_tokens)
        _check_merges(merges, vocabulary)
        add_prefix_space = bool(add_prefix_space)
        added = {token.content: token for token in special_added_tokens(special_tokens, vocabulary)}
        added |= {token.content: token for token in added_tokens}
        with library_errors("the vocabulary and the merges make no tokenizer"):
            rust = _rust_tokenizer(base, merges, add_prefix_space)
        add_to(rust, added.values())
        if any(rust.token_to_id(token) != index for token, index in vocabulary.items()):
            # The library numbers what is beside the vocabulary from its end on; so put it inside.
            rust = _rust_tokenizer(vocabulary, merges, add_prefix_space)
            add_to(rust, added.values())
        # Not what puts the special tokens in here, but what Transformers reads from tokenizer.json.
        rust.post_processor = processors.RobertaProcessing(
            (special_tokens.end, vocabulary[special_tokens.end]),
            (special_tokens.start, vocabulary[special_tokens.start]),
            trim_offsets=True,
            add_prefix_space=add_prefix_space,
        )
        super().__init__(
            rust,
            kind=BYTE_LEVEL_BPE,
            special_tokens=special_tokens,
            vocabulary=vocabulary,
            model_max_length=model_max_length,
        )
        self._base, self._merges, self.add_prefix_space = base, merges, add_prefix_space

    @classmethod
    @named_arguments
    def from_preset(cls, src: str | Path) -> RobertaTokenizer:
        """Reads the tokenizer of a checkpoint.

        Args:
            src: a directory or `hf://org/name` with one of `tokenizer.json` (Hugging Face),
                `vocab.json` + `merges.txt` (Hugging Face), `vocabulary.json` + `merges.txt`
                (KerasHub), `dict.txt` + `encoder.json` + `vocab.bpe` (fairseq), or one of our
                presets, where they lie in `assets/tokenizer/`. Added tokens, their flags and the
                model's length are read from Hugging Face's files beside them.

        Raises:
            InputError: names the file that is missing or mangled, or the kind of tokenizer it
                holds where that is not RoBERTa's.
        """
        return cls.from_files(find_tokenizer_files(src))

    @classmethod
    def from_files(cls, files: TokenizerFiles, kind=BYTE_LEVEL_BPE) -> RobertaTokenizer:
        """As `from_preset`, from files that were found already."""
        found = read_vocabulary(files)
        names = SpecialTokenNames.from_settings(files.config, files.special_tokens_map)
        added = read_added_tokens(files, names, found.vocabulary)
        try:
            made = cls(
                found.vocabulary,
                found.merges,
                found.add_prefix_space,
                special_tokens=names,
                added_tokens=added,
                model_max_length=files.model_max_length,
            )
            made._check_layout((files.tokenizer_json or {}).get("post_processor"), found.path)
        except InputError as error:
            raise InputError(f"{found.path}: {error}") from None
        return made

    def _check_layout(self, post_processor, path) -> None:
        """Rows are RoBERTa's whatever a file says: raises an InputError where it puts other ids
        around a text, and warns where it puts none, or others between the texts of a pair."""
        if post_processor is None:
            return
        model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
        content = {"model": model, "post_processor": post_processor, "added_tokens": []}
        with library_errors("post_processor"):
            found = layout_of(RustTokenizer.from_str(json.dumps(content)), probe="a")
        usual = self.special_token_layout
        if found is None or found == usual:
            return
        start, end = self.special_tokens.start, self.special_tokens.end
        rows = f"{start} a {end} and, of pairs, {start} a {end}{end} b {end}"
        if (found.before or found.after) and found[:2] != usual[:2]:
            raise InputError(
                "its post_processor puts other tokens around texts than RoBERTa's, whose rows are "
                f"{rows}; set it to null if the model was trained on such rows"
            )
        logger.warning("%s: rows are RoBERTa's, %s; its post_processor makes others", path, rows)

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The merges, the first merged first (a copy)."""
        return list(self._merges)

    def encode_plain(self, texts: Texts) -> PlainTokens:
        if any(not token.special for token in self.added_tokens):
            return super().encode_plain(texts)
        # The tokens of a text are its bytes in pieces, so that no offsets are needed.
        texts = as_batch(texts)
        encodings = self._run(self._plain_rust.encode_batch_fast, texts)
        token_ids, row_lengths = ragged([encoding.ids for encoding in encodings])
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

    @functools.cached_property
    def special_token_layout(self) -> SpecialTokenLayout:
        return SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)

    @functools.cached_property
    def _plain_rust(self) -> RustTokenizer:
        rust = _rust_tokenizer(self._vocabulary, self._merges, self.add_prefix_space)
        rust.post_processor = processors.ByteLevel(trim_offsets=True)
        add_to(rust, [token for token in self.added_tokens if not token.special])
        return rust

    def _trimmed(self, text, offsets):
        return offsets  # The library has done it.

    @functools.cached_property
    def _bytes(self) -> list[bytes]:
        return bytes_of_ids(self._vocabulary, self.added_tokens)

    @functools.cached_property
    def _sizes(self) -> np.ndarray:
        """int64 (vocabulary_size,): bytes of each id, 0 of special ones."""
        sizes = np.array([len(spelt) for spelt in self._bytes], np.int64)
        sizes[list(self.special_token_ids)] = 0
        return sizes

    @functools.cached_property
    def _has_front_space(self) -> np.ndarray:
        """bool (vocabulary_size,): tokens with white space in front of something else."""
        return np.array([spelt.startswith(b" ") and len(spelt) > 1 for spelt in self._bytes])

    def byte_lengths(self) -> np.ndarray | None:
        strips = any((t.lstrip or t.rstrip) and not t.special for t in self.added_tokens)
        return None if strips else self._sizes.copy()

    def decode_batch(self, rows, skip_special_tokens=True):
        # Not by the library, which takes the letters of an added token ("naïve") for bytes.
        skipped = {*self.special_token_ids} if skip_special_tokens else ()
        texts = []
        for row in rows:
            row = [int(index) for index in row]
            check_ids(row)
            row = (index for index in row if index < len(self._bytes) and index not in skipped)
            texts.append(b"".join([self._bytes[index] for index in row]).decode(errors="replace"))
        return texts

    @functools.cached_property
    def fingerprint(self) -> str:
        content = [[*_by_id(self._vocabulary).items()], self._merges, self.add_prefix_space]
        usual = special_added_tokens(SpecialTokenNames(), self._vocabulary)
        # Alone the special tokens are found in one pass as in two: they cannot overlap.
        if {token._replace(normalized=False) for token in self.added_tokens} != {*usual}:
            content += [self.special_tokens, self.added_tokens]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def not_in_graphs(self):
        return None

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
            "added_tokens": self.added_tokens,
            "add_prefix_space": self.add_prefix_space,
            "start_id": self.start_token_id,
            "pad_id": self.pad_token_id,
            "end_id": self.end_token_id,
        }

    def save(self, directory: str | Path, model_max_length: int | None = None) -> None:
        """Writes `vocab.json`, `merges.txt`, `tokenizer.json` and `tokenizer_config.json`, and
        `added_tokens.json` where tokens were added to the vocabulary.

        `from_preset` and Transformers' `AutoTokenizer.from_pretrained` read them back.
        """
        super().save(directory, model_max_length)

    def _files(self, model_max_length):
        merges = "".join(f"{a} {b}\n" for a, b in self._merges)
        config = {
            "tokenizer_class": "RobertaTokenizer",
            "add_prefix_space": self.add_prefix_space,
            **self._config(model_max_length),
        }
        beside = {t.content: t.id for t in self.added_tokens if t.content not in self._base}
        added = {"added_tokens.json": json.dumps(beside, ensure_ascii=False)} if beside else {}
        return {
            "vocab.json": json.dumps(_by_id(self._base), ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + merges,
            **added,
            "tokenizer.json": self._rust.to_str(),
            "tokenizer_config.json": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        }

    def _renumbered(self, content, kept):
        new_ids = {old: new for new, old in enumerate(kept)}
        base = {t: new_ids[old] for t, old in self._base.items() if old in new_ids}
        known = {t for t, old in self._vocabulary.items() if old in new_ids}
        merges = [(a, b) for a, b in self._merges if known.issuperset((a, b, a + b))]
        added = tuple(t._replace(id=new_ids[t.id]) for t in self.added_tokens)
        settings = self._settings() | {"added_tokens": added}
        return type(self)(base, merges, self.add_prefix_space, **settings)

    def _with(self, tokens):
        settings = self._settings() | {"added_tokens": (*self.added_tokens, *tokens)}
        return type(self)(self._base, self._merges, self.add_prefix_space, **settings)

    def _settings(self):
        return {
            "special_tokens": self.special_tokens,
            "added_tokens": self.added_tokens,
            "model_max_length": self.model_max_length,
        }

    def __reduce__(self):
        make = functools.partial(type(self), **self._settings())
        return make, (self._base, self._merges, self.add_prefix_space)

    def __repr__(self) -> str:
        return f"RobertaTokenizer(vocabulary_size={self.vocabulary_size})"


def _by_id(vocabulary: dict[str, int]) -> dict[str, int]:
    return dict(sorted(vocabulary.items(), key=lambda item: item[1]))


def _rust_tokenizer(vocabulary, merges, add_prefix_space) -> RustTokenizer:
    rust = RustTokenizer(models.BPE(vocab=vocabulary, merges=merges))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    rust.decoder = decoders.ByteLevel()
    return rust


def _check_vocabulary(vocabulary, special_tokens) -> None:
    if not isinstance(vocabulary, dict) or not vocabulary:
        raise InputError("the vocabulary is not a mapping of tokens to ids")
    for token, index in vocabulary.items():
        if not isinstance(token, str) or TOKEN_ID.problem(index):
            raise InputError(
                f"token {short(token)} has the id {short(index)}; ids are whole numbers from 0, "
                f"below {MOST_IDS}"
            )
    if len(set(vocabulary.values())) != len(vocabulary):
        seen = {}
        for token, index in vocabulary.items():
            if seen.setdefault(index, token) != token:
                raise InputError(f"tokens {seen[index]!r} and {token!r} share the id {index}")
    check_special_tokens(vocabulary, special_tokens)
    letters = [letter for letter in pre_tokenizers.ByteLevel.alphabet() if letter not in vocabulary]
    if letters:
        raise InputError(
            f"the vocabulary lacks {len(letters)} of the 256 byte letters "
            f"({min(letters)!r}); it is not a byte-level BPE"
        )


def _check_merges(merges, vocabulary) -> None:
    for rank, merge in enumerate(merges):
        if len(merge) != 2 or not all(isinstance(part, str) for part in merge):
            raise InputError(f"merge {rank + 1} ({short(merge)}) is not a pair of tokens")
        left, right = merge
        for token in (left, right, left + right):
            if token not in vocabulary:
                raise InputError(
                    f"merge {rank + 1} ({left:.60} {right:.60}) needs the token {short(token)}, "
                    "which is not in the vocabulary; do the two files belong together?"
                )
