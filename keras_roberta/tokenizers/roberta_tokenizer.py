"""RoBERTa's tokenizer on the host: byte-level BPE through the `tokenizers` library.

The vocabulary is GPT-2's byte-level BPE (Radford et al. 2019, section 2.2) renumbered by fairseq
(Liu et al. 2019, section 4.4), with `<s> <pad> </s> <unk>` in front and `<mask>` behind.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.files.hub import local_directory
from keras_roberta.tokenizers.spelling import SPECIAL_TOKENS
from keras_roberta.tokenizers.vocabulary_files import TOKENIZER_FILES, read_vocabulary


class RobertaTokenizer:
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
        self._vocabulary = dict(vocabulary)
        self._merges = merges
        self.add_prefix_space = bool(add_prefix_space)
        self.vocabulary_size = max(vocabulary.values()) + 1
        (
            self.start_token_id,
            self.pad_token_id,
            self.end_token_id,
            self.unk_token_id,
            self.mask_token_id,
        ) = (vocabulary[token] for token in SPECIAL_TOKENS)
        self._tokens = {index: token for token, index in vocabulary.items()}
        self._rust = _rust_tokenizer(self._vocabulary, merges, self.add_prefix_space)
        self._fingerprint = None

    @classmethod
    def from_preset(cls, src: str | Path) -> "RobertaTokenizer":
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
        patterns = [*TOKENIZER_FILES, *(f"assets/tokenizer/{name}" for name in TOKENIZER_FILES)]
        files = read_vocabulary(local_directory(src, patterns))
        try:
            return cls(files.vocabulary, files.merges, files.add_prefix_space)
        except InputError as error:
            raise InputError(f"{files.path}: {error}") from None

    @property
    def special_token_ids(self) -> tuple[int, ...]:
        """Ids of `<s>`, `<pad>`, `</s>`, `<unk>` and `<mask>`."""
        return tuple(self._vocabulary[token] for token in SPECIAL_TOKENS)

    # Text to ids

    def __call__(
        self,
        texts: str | bytes | Sequence[str | bytes],
        text_pair: str | bytes | Sequence[str | bytes] | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> list[int] | list[list[int]]:
        """Ids of one text (a list) or of many (a list of lists).

        Args:
            texts: one string, or a sequence or array of them. Bytes are read as UTF-8; what is
                not UTF-8 in them, and lone surrogates in strings, become U+FFFD.
            text_pair: the second half of each pair: `<s> a </s></s> b </s>`.
            max_length: cut to this many ids, special tokens included. Of a pair the longer half is
                cut first; the final `</s>` always stays.
            add_special_tokens: False gives the bare text's ids (a pair's one after the other).
        """
        texts, one = _as_texts(texts)
        pairs = None
        if text_pair is not None:
            pairs, one_pair = _as_texts(text_pair)
            if one != one_pair:
                raise InputError("text_pair: give one string for one text, a sequence for many")
        ids = self.encode_batch(texts, pairs, max_length, add_special_tokens)
        return ids[0] if one else ids

    def encode_batch(
        self,
        texts: Sequence[str | bytes],
        text_pairs: Sequence[str | bytes] | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> list[list[int]]:
        """Ids of many texts, tokenized in parallel; the arguments are those of calling it."""
        budget = None
        if max_length is not None:
            num_special = 0 if not add_special_tokens else 2 if text_pairs is None else 4
            budget = max_length - num_special
            if budget < 0:
                raise InputError(
                    f"max_length {max_length} leaves no room: the special tokens alone "
                    f"take {num_special}"
                )
        first = self._encode(texts)
        start, end = (
            ([self.start_token_id], [self.end_token_id]) if add_special_tokens else ([], [])
        )
        if text_pairs is None:
            return [start + ids[:budget] + end for ids in first]
        second = self._encode(text_pairs)
        if len(first) != len(second):
            raise InputError(f"text_pairs: {len(second)} of them for {len(first)} texts")
        rows = []
        for a, b in zip(first, second, strict=True):
            if budget is not None:
                keep_a, keep_b = longest_first(len(a), len(b), budget)
                a, b = a[:keep_a], b[:keep_b]
            rows.append(start + a + end + end + b + end)
        return rows

    def encode_ragged(
        self,
        texts: Sequence[str | bytes],
        text_pairs: Sequence[str | bytes] | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`encode_batch` as the two parts of a ragged tensor.

        Returns:
            values: int32 (total,), the ids of all texts one after the other.
            row_lengths: int64 (batch,), how many of them each text has.
        """
        rows = self.encode_batch(texts, text_pairs, max_length, add_special_tokens)
        row_lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.fromiter(chain.from_iterable(rows), np.int32, int(row_lengths.sum()))
        return values, row_lengths

    def encode_with_offsets(
        self, texts: Sequence[str | bytes]
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """For each text its ids, no special tokens added, and where in the text each one lies.

        The spans are `(start, end)` in characters of the text as decoded and leave out the white
        space at a token's front. Tokens that share a character (pieces of an emoji) share spans.
        """
        encodings = self._run(self._rust.encode_batch, texts)
        return [(encoding.ids, encoding.offsets) for encoding in encodings]

    def _encode(self, texts) -> list[list[int]]:
        # Without offsets, which nothing here reads.
        return [encoding.ids for encoding in self._run(self._rust.encode_batch_fast, texts)]

    def _run(self, encode, texts):
        texts, one = _as_texts(texts)
        if one:
            raise InputError("texts: expected a sequence of strings, found a single one")
        try:
            return encode(texts, add_special_tokens=False)
        except (TypeError, UnicodeError):  # Lone surrogates: rare, so not looked for beforehand.
            return encode([_without_surrogates(t) for t in texts], add_special_tokens=False)

    # Ids to text

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids. Bytes that are not UTF-8 come out as U+FFFD, unknown ids as "".

        Raises:
            InputError: an id is negative.
        """
        return self.decode_batch([ids], skip_special_tokens)[0]

    def decode_batch(
        self, rows: Iterable[Iterable[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """`decode` for many rows, in parallel."""
        rows = [[int(i) for i in ids] for ids in rows]
        try:
            return self._rust.decode_batch(rows, skip_special_tokens=skip_special_tokens)
        except OverflowError:
            worst = min(chain.from_iterable(rows))
            raise InputError(f"{worst} is not an id; leave out what masks labels") from None

    # The vocabulary

    @property
    def vocabulary(self) -> dict[str, int]:
        """Token to id, special tokens included (a copy)."""
        return dict(self._vocabulary)

    @property
    def merges(self) -> list[tuple[str, str]]:
        """The merges, the first merged first (a copy)."""
        return list(self._merges)

    def token_to_id(self, token: str) -> int | None:
        """The id of a token spelt in byte letters, None where there is none."""
        return self._vocabulary.get(token)

    def id_to_token(self, index: int) -> str | None:
        """The token with an id, None where there is none."""
        return self._tokens.get(int(index))

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that decides the ids: two tokenizers that share it agree."""
        if self._fingerprint is None:
            tokens = sorted(self._vocabulary.items(), key=lambda item: item[1])
            content = json.dumps([tokens, self._merges, self.add_prefix_space])
            self._fingerprint = hashlib.sha256(content.encode()).hexdigest()
        return self._fingerprint

    def save(self, directory: str | Path) -> None:
        """Writes `vocab.json`, `merges.txt`, `tokenizer.json` and `tokenizer_config.json`.

        `from_preset` and Transformers' `AutoTokenizer.from_pretrained` read them back.
        """
        tokens = dict(sorted(self._vocabulary.items(), key=lambda item: item[1]))
        start, pad, end, unk, mask = SPECIAL_TOKENS
        config = {
            "tokenizer_class": "RobertaTokenizer",
            "add_prefix_space": self.add_prefix_space,
            "bos_token": start,
            "cls_token": start,
            "eos_token": end,
            "sep_token": end,
            "pad_token": pad,
            "unk_token": unk,
            "mask_token": mask,
        }
        merges = "".join(f"{a} {b}\n" for a, b in self._merges)
        files = {
            "vocab.json": json.dumps(tokens, ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + merges,
            "tokenizer.json": self._rust.to_str(),
            "tokenizer_config.json": json.dumps(config, indent=2) + "\n",
        }
        with atomic_directory(directory) as temporary:
            for name, content in files.items():
                (temporary / name).write_text(content, encoding="utf-8", newline="\n")

    def __eq__(self, other) -> bool:
        if not isinstance(other, RobertaTokenizer):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self):
        return type(self), (self._vocabulary, self._merges, self.add_prefix_space)

    def __copy__(self) -> "RobertaTokenizer":
        return self  # Immutable.

    def __deepcopy__(self, memo) -> "RobertaTokenizer":
        return self

    def __repr__(self) -> str:
        return f"RobertaTokenizer(vocabulary_size={self.vocabulary_size})"


def longest_first(length_a: int, length_b: int, budget: int) -> tuple[int, int]:
    """How many ids of each half of a pair to keep so that they fit `budget` together.

    The rule of the `tokenizers` library's `longest_first`: cut the longer half down to the
    shorter one, then both alike; the odd id goes to the half that was longer, to `b` on a draw.

    >>> longest_first(9, 3, 8), longest_first(9, 8, 7), longest_first(2, 3, 8)
    ((5, 3), (4, 3), (2, 3))
    """
    if length_a + length_b <= budget:
        return length_a, length_b
    short = min(length_a, length_b, budget // 2)
    return (budget - short, short) if length_a > length_b else (short, budget - short)


def _rust_tokenizer(vocabulary, merges, add_prefix_space) -> Tokenizer:
    rust = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
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


def _as_texts(texts) -> tuple[list[str], bool]:
    """A list of strings, and whether what was given was a single one."""
    if isinstance(texts, (str, bytes)):
        return [_as_text(texts)], True
    if hasattr(texts, "numpy"):  # A tensor of any framework.
        texts = texts.numpy()
        if isinstance(texts, bytes):
            return [_as_text(texts)], True
    if isinstance(texts, np.ndarray):
        if texts.ndim > 1:
            raise InputError(f"texts have the shape {texts.shape}; expected one string or a row")
        if texts.ndim == 0:
            return [_as_text(texts.item())], True
        texts = texts.tolist()
    try:
        return [t if type(t) is str else _as_text(t) for t in texts], False
    except TypeError:
        raise InputError(f"texts: expected strings, found {type(texts).__name__}") from None


def _as_text(text) -> str:
    if isinstance(text, bytes):
        return text.decode("utf-8", errors="replace")
    if isinstance(text, str):
        return str(text)
    raise InputError(f"texts: expected strings, found {text!r:.80}")


def _without_surrogates(text: str) -> str:
    """Joins surrogate pairs to the character they mean and replaces lone ones by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
