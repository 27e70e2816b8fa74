"""A tokenizer as Hugging Face's users call it: `tok(texts, padding=True, truncation=True)`.

It stands on `protocol.Tokenizer` alone, so that every kind has it. Names, defaults and values are
those of Transformers' fast tokenizers; what differs is written down in
`docs/guides/hugging-face.md`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout, longest_first
from keras_roberta.tokenizers.texts import as_texts

_PADDING = {False: None, True: "longest", None: None, "do_not_pad": None}
_PADDING |= {name: name for name in ("longest", "max_length")}
_TRUNCATION = {False: None, True: "longest_first", "do_not_truncate": None}
_TRUNCATION |= {name: name for name in ("longest_first", "only_first", "only_second")}


class Token(NamedTuple):
    """A token of a row.

    Attributes:
        id: its number.
        offsets: where it lies in its text, in characters.
        word: the number of its word in the text; None for special tokens around texts.
        side: 0 in the text, 1 in the second text of a pair, None around them.
    """

    id: int
    offsets: tuple[int, int] = (0, 0)
    word: int | None = None
    side: int | None = None


class BatchEncoding(dict):
    """What a call gives: arrays or lists by name, which are attributes as well (`.input_ids`)."""

    def __init__(self, values: dict[str, Any], rows: list[list[Token]], names: list[list[str]]):
        super().__init__(values)
        self._rows, self._names = rows, names

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def __reduce__(self):
        return type(self), (dict(self), self._rows, self._names)

    def tokens(self, row: int = 0) -> list[str]:
        """The tokens of a row as the vocabulary spells them."""
        return list(self._names[row])

    def word_ids(self, row: int = 0) -> list[int | None]:
        """The number of the word that each token is of; None for special tokens around texts
        and for padding."""
        return [token.word for token in self._rows[row]]

    def sequence_ids(self, row: int = 0) -> list[int | None]:
        """Which text of a pair each token is of, 0 or 1; None for special tokens around them and
        for padding."""
        return [token.side for token in self._rows[row]]

    def char_to_token(
        self, row: int, character: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The place of the token that holds a character of a text; None where there is none.

        Of one text the number of the character is enough: `char_to_token(7)`.
        """
        if character is None:
            row, character = 0, row
        for place, token in enumerate(self._rows[row]):
            if token.side == sequence_index and token.offsets[0] <= character < token.offsets[1]:
                return place
        return None


def encode(
    tokenizer,
    texts: Any,
    text_pair: Any = None,
    max_length: int | None = None,
    add_special_tokens: bool = True,
    **options: Any,
) -> BatchEncoding:
    """Texts in the form of Hugging Face.

    Args:
        tokenizer: `protocol.Tokenizer`
        texts, text_pair: one text, or many; with `is_split_into_words` a list of words, or many.
        max_length: for `truncation` and for `padding="max_length"`; by default the tokenizer's
            `model_max_length`.
        add_special_tokens: whether to put special tokens around texts.
        options: see `Options`.

    Returns:
        `input_ids` and `attention_mask`, and what `return_` options ask for.

    Raises:
        InputError: an option is unknown, or its value, or the texts do not fit it.
    """
    options = Options.of(options)
    texts, one = _as_batch(texts, options.is_split_into_words)
    pairs = None
    if text_pair is not None:
        pairs, one_pair = _as_batch(text_pair, options.is_split_into_words)
        if one != one_pair or len(pairs) != len(texts):
            raise InputError("text_pair: give one text for one text, as many as there are texts")
    layout = tokenizer.special_token_layout if add_special_tokens else SpecialTokenLayout.none()
    budget = layout.budget(options.longest(max_length, tokenizer), pairs is not None)

    sides = [texts] if pairs is None else [texts, pairs]
    sides = [_tokens(tokenizer, side, i, options) for i, side in enumerate(sides)]
    rows, samples = [], []
    for sample, halves in enumerate(zip(*sides, strict=True)):
        found = [_row(layout, *parts) for parts in _cut(halves, budget, options)]
        found = found if options.return_overflowing_tokens else found[:1]
        rows += found
        samples += [sample] * len(found)

    lengths = list(map(len, rows))
    rows = _padded(rows, options.padded_length(lengths, max_length, tokenizer), tokenizer, options)
    values = _columns(rows, lengths, samples, options)
    if options.return_tensors is not None:
        values = {name: _tensor(name, v, options.return_tensors) for name, v in values.items()}
    elif one and not options.return_overflowing_tokens:
        values = {name: value[0] for name, value in values.items()}
    names = [[tokenizer.id_to_token(token.id) for token in row] for row in rows]
    return BatchEncoding(values, rows, names)


class Options(NamedTuple):
    """Options of a call beside the texts.

    Attributes:
        padding: True or "longest", to the longest row; "max_length"; or False.
        truncation: True or "longest_first", "only_first", "only_second", or False. None: cut if
            `max_length` is given and nothing is padded.
        stride: how many tokens of the text a row shares with the one before it, where
            `return_overflowing_tokens` gives what was cut as further rows.
        is_split_into_words: whether texts are lists of words.
        pad_to_multiple_of: the padded length is a multiple of it.
        padding_side: "right" or "left".
        return_tensors: "np" or "tf"; None for lists.
        return_attention_mask, return_overflowing_tokens, return_special_tokens_mask,
        return_offsets_mapping, return_length, return_token_type_ids: what to give; overflowing
            rows come with `overflow_to_sample_mapping`.
    """

    padding: bool | str | None = False
    truncation: bool | str | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: str | None = None
    return_attention_mask: bool | None = True
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    return_token_type_ids: bool | None = False
    verbose: bool = True  # taken for the sake of code that gives it

    @classmethod
    def of(cls, options: dict[str, Any]) -> Options:
        """Checks names and values."""
        for name in options:
            if name not in cls._fields:
                near = difflib.get_close_matches(name, cls._fields, 1)
                hint = (
                    f"; did you mean {near[0]}?" if near else f"; known: {', '.join(cls._fields)}"
                )
                raise InputError(f"a tokenizer has no option {name!r}{hint}")
        found = cls(**options)
        for name, known in (("padding", _PADDING), ("truncation", {None: None, **_TRUNCATION})):
            if getattr(found, name) not in known:
                raise _unknown(name, getattr(found, name), known)
        if found.return_tensors not in (None, "np", "tf"):
            raise InputError(
                f"return_tensors: expected 'np' or 'tf'; got {found.return_tensors!r} (of 'np' "
                "every framework makes its tensors)"
            )
        if found.padding_side not in (None, "right", "left"):
            raise _unknown("padding_side", found.padding_side, ("right", "left"))
        if type(found.stride) is not int or found.stride < 0:
            raise InputError(f"stride: expected a whole number from 0; got {found.stride!r}")
        return found

    def strategy(self, max_length) -> str | None:
        """How rows are cut."""
        if self.truncation is None:
            pads = _PADDING[self.padding] is not None
            return None if max_length is None or pads else "longest_first"
        return _TRUNCATION[self.truncation]

    def longest(self, max_length, tokenizer) -> int | None:
        """Tokens that a row may have; None for any number."""
        if self.strategy(max_length) is None:
            return None
        return tokenizer.model_max_length if max_length is None else max_length

    def padded_length(self, lengths, max_length, tokenizer) -> int | None:
        """The length to which rows are padded, if they are."""
        strategy, length = _PADDING[self.padding], max(lengths, default=0)
        if strategy == "max_length":
            length = max_length or tokenizer.model_max_length or None
        elif strategy is None:
            length = None
        if length is not None and self.pad_to_multiple_of:
            length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
        return length


def _unknown(name, value, known):
    return InputError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")


def _as_batch(texts, is_split_into_words) -> tuple[list, bool]:
    """Texts as a list, or lists of words as a list of them; and whether it was a single one."""
    if not is_split_into_words:
        return as_texts(texts)
    if isinstance(texts, (str, bytes)):
        raise InputError("is_split_into_words: expected lists of words, found a single string")
    texts = list(texts)
    if all(isinstance(word, (str, bytes)) for word in texts) and texts:
        return [as_texts(texts)[0]], True
    for row, words in enumerate(texts):
        if isinstance(words, (str, bytes)):
            raise InputError(f"is_split_into_words: row {row} is a string, not a list of words")
    return [as_texts(words)[0] for words in texts], False


def _tokens(tokenizer, texts, side, options) -> list[list[Token]]:
    """The tokens of each text."""
    return [
        [Token(*token, side) for token in zip(*text, strict=True)]
        for text in tokenizer.encode_words(texts, options.is_split_into_words)
    ]


def _cut(halves: Sequence[list], budget: int | None, options: Options) -> list[Sequence[list]]:
    """The parts of a row that fits the budget, and of the rows with what overflows it."""
    lengths = [len(half) for half in halves]
    over = 0 if budget is None else sum(lengths) - budget
    if over <= 0:
        return [halves]
    strategy = _TRUNCATION[options.truncation or True]
    if strategy == "longest_first":
        keeps = [budget] if len(halves) == 1 else longest_first(*lengths, budget)
    else:
        cut = ("only_first", "only_second").index(strategy)
        if cut >= len(halves):
            raise InputError("truncation='only_second': there is no second text")
        if lengths[cut] <= over:
            raise InputError(
                f"truncation={strategy!r}: the text has {lengths[cut]} tokens, of which {over} "
                "would have to go; give a larger max_length or truncation='longest_first'"
            )
        keeps = [n - over * (i == cut) for i, n in enumerate(lengths)]
    windows = [_windows(*half, options.stride) for half in zip(halves, keeps, strict=True)]
    if len(windows) == 1:
        return [(window,) for window in windows[0]]
    firsts, seconds = windows
    rows = [(a, b) for a in firsts[1:] for b in seconds] + [(firsts[0], b) for b in seconds[1:]]
    return [(firsts[0], seconds[0]), *rows]


def _windows(tokens: list, size: int, stride: int) -> list[list]:
    """Stretches of `size` tokens, each beginning with the last `stride` of the one before."""
    if len(tokens) <= size:
        return [tokens]
    if size == 0:
        return [[], tokens]
    if stride >= size:
        raise InputError(
            f"stride {stride}: a row has room for {size} tokens of the text; give fewer than that"
        )
    begins = range(0, len(tokens) - stride, size - stride)
    return [tokens[begin : begin + size] for begin in begins]


def _row(layout: SpecialTokenLayout, first: list, second: list | None = None) -> list[Token]:
    around = SpecialTokenLayout(*([Token(index) for index in part] for part in layout))
    (row,) = around.rows([first], None if second is None else [second], None)
    return row


def _padded(rows, length: int | None, tokenizer, options) -> list[list[Token]]:
    padding = [[Token(tokenizer.pad_token_id)] * ((length or 0) - len(row)) for row in rows]
    if options.padding_side == "left":
        return [pad + row for pad, row in zip(padding, rows, strict=True)]
    return [row + pad for pad, row in zip(padding, rows, strict=True)]


def _columns(rows, lengths, samples, options) -> dict[str, list]:
    """What a call gives by name, a list a row.

    Args:
        rows: padded.
        lengths: of the rows before padding.
        samples: the number of the text that each row is of.
    """
    columns = {"input_ids": [[token.id for token in row] for row in rows]}
    if options.return_token_type_ids:  # RoBERTa has one type
        columns["token_type_ids"] = [[0] * len(row) for row in rows]
    if options.return_attention_mask is not False:
        masks = [[1] * n + [0] * (len(row) - n) for row, n in zip(rows, lengths, strict=True)]
        left = options.padding_side == "left"
        columns["attention_mask"] = [mask[::-1] for mask in masks] if left else masks
    if options.return_special_tokens_mask:
        columns["special_tokens_mask"] = [[int(t.side is None) for t in row] for row in rows]
    if options.return_offsets_mapping:
        columns["offset_mapping"] = [[token.offsets for token in row] for row in rows]
    if options.return_length:
        columns["length"] = list(map(len, rows))
    if options.return_overflowing_tokens:
        columns["overflow_to_sample_mapping"] = samples
    return columns


def _tensor(name: str, rows: list, kind: str):
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) > 1:
        raise InputError(
            f"return_tensors={kind!r}: the rows have {min(lengths)} to {max(lengths)} tokens; give "
            "padding=True, and truncation=True where they are too long"
        )
    array = np.array(rows, np.int64)
    if name == "offset_mapping":
        array = array.reshape(len(rows), -1, 2)
    if kind == "np":
        return array
    import tensorflow as tf

    return tf.constant(array, tf.int32)


class HuggingFaceNames:
    """Hugging Face's names for what a tokenizer does, mixed into a `protocol.Tokenizer`."""

    # Text to tokens and back

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> list[int]:
        """The ids of one text; the options are those of calling the tokenizer."""
        return encode(self, text, text_pair, **options)["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens=False) -> list[str]:
        """The tokens of a text as the vocabulary spells them."""
        return encode(self, text, pair, add_special_tokens=add_special_tokens).tokens()

    def batch_decode(
        self, rows: Iterable[Iterable[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """The same as `decode_batch`."""
        return self.decode_batch(rows, skip_special_tokens)

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> int | list[int]:
        """The id of a token, or of each of many; that of `<unk>` where there is none."""
        if isinstance(tokens, str):
            index = self.token_to_id(tokens)
            return self.unk_token_id if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(
        self, ids: int | Iterable[int], skip_special_tokens: bool = False
    ) -> str | None | list[str | None]:
        """The token of an id, or of each of many, as the vocabulary spells it."""
        if isinstance(ids, (int, np.integer)):
            return self.id_to_token(ids)
        skipped = self.special_token_ids if skip_special_tokens else ()
        return [self.id_to_token(index) for index in ids if index not in skipped]

    def convert_tokens_to_string(self, tokens: Iterable[str]) -> str:
        """The text of tokens as the vocabulary spells them."""
        return self.decode(self.convert_tokens_to_ids(tokens), skip_special_tokens=False)

    # Special tokens

    bos_token = cls_token = property(lambda self: self.id_to_token(self.start_token_id))
    eos_token = sep_token = property(lambda self: self.id_to_token(self.end_token_id))
    pad_token = property(lambda self: self.id_to_token(self.pad_token_id))
    unk_token = property(lambda self: self.id_to_token(self.unk_token_id))
    mask_token = property(lambda self: self.id_to_token(self.mask_token_id))
    bos_token_id = cls_token_id = property(lambda self: self.start_token_id)
    eos_token_id = sep_token_id = property(lambda self: self.end_token_id)

    @property
    def all_special_ids(self) -> list[int]:
        return self.convert_tokens_to_ids(self.all_special_tokens)

    @property
    def all_special_tokens(self) -> list[str]:
        """The five by what they do, as Transformers orders them, then the others."""
        ids = (self.start_token_id, self.end_token_id, self.unk_token_id, self.pad_token_id)
        ids = dict.fromkeys((*ids, self.mask_token_id, *self.special_token_ids))
        return self.convert_ids_to_tokens(ids)

    @property
    def special_tokens_map(self) -> dict[str, str]:
        roles = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
        return {f"{role}_token": getattr(self, f"{role}_token") for role in roles}

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens are put around a text, or around a pair."""
        layout = self.special_token_layout
        return sum(map(len, layout[2:] if pair else layout[:2]))

    # The vocabulary

    def get_vocab(self) -> dict[str, int]:
        return self.vocabulary

    def get_added_vocab(self) -> dict[str, int]:
        """The tokens that a text is searched for before it is split, token to id."""
        return {token.content: token.id for token in self.added_tokens}

    def __len__(self) -> int:
        """`vocabulary_size`: the rows that an embedding needs."""
        return self.vocabulary_size

    def add_special_tokens(self, tokens: dict[str, Any]) -> int:
        """Adds special tokens: `{"additional_special_tokens": ["<ent>"]}`.

        Returns:
            how many were added.

        Raises:
            InputError: it names another special token for what has one (`mask_token` and so on).
        """
        extra = []
        for role, value in tokens.items():
            if role in ("additional_special_tokens", "extra_special_tokens"):
                extra += value
            elif str(value) != self.special_tokens_map.get(role, ""):
                known = ", ".join((*self.special_tokens_map, "additional_special_tokens"))
                if role not in self.special_tokens_map:
                    raise InputError(f"there is no special token {role!r}; known: {known}")
                raise InputError(
                    f"{role} is {self.special_tokens_map[role]!r}; to call it {str(value)!r}, say "
                    "so in tokenizer_config.json and open the tokenizer again"
                )
        return self.add_tokens(extra, special_tokens=True)
