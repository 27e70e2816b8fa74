"""What the rest of the library may ask of a tokenizer, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout

Texts = Sequence[str | bytes]


class AlignedTokens(NamedTuple):
    """Rows of tokens, one after the other, and where in their texts they lie.

    Attributes:
        token_ids: int32 (total,)
        row_lengths: int64 (rows,), in tokens.
        offsets: int32 (total, 2), in characters of the text that the token is of: its first one
            and the one behind its last; (0, 0) for special tokens that were put around texts.
        sides: int8 (total,), 0 for tokens of the text, 1 for those of the second text of a pair,
            -1 for special tokens that were put around them.
    """

    token_ids: np.ndarray
    row_lengths: np.ndarray
    offsets: np.ndarray
    sides: np.ndarray


class PlacedTokens(NamedTuple):
    """Tokens of a text, and where they lie, as the `tokenizers` library tells it.

    Attributes:
        token_ids: ids.
        offsets: (begin, end) of each in characters of its text, or of its word.
        words: the number of the word that each is of.
    """

    token_ids: list[int]
    offsets: list[tuple[int, int]]
    words: list[int | None]


class PlainTokens(NamedTuple):
    """Tokens of texts in which special tokens are text like other, and where they lie in UTF-8.

    Attributes:
        token_ids: int32 (total,)
        row_lengths: int64 (texts,), in tokens; 0 where a text has none.
        begins: int64 (total,), byte of the text at which each token begins; white space at its
            front does not count. They ascend within a text.
        ends: int64 (total,), byte behind each token. They ascend within a text, and the last one
            of a text is the text's length.
    """

    token_ids: np.ndarray
    row_lengths: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


class Tokenizer(Protocol):
    """Text to ids and back.

    Threads may share a tokenizer, and it can be pickled, copied, compared and hashed. Nothing but
    `add_tokens` changes it, and never its copies. Texts are strings, or bytes that hold UTF-8; what
    is not Unicode in them becomes U+FFFD. Special tokens written out in a text become their ids
    except in `encode_plain`.

    Attributes:
        kind_name: the kind for messages, such as "byte-level BPE".
        vocabulary_size: the largest id + 1.
        start_token_id, pad_token_id, end_token_id, unk_token_id, mask_token_id: `<s>`, `<pad>`,
            `</s>`, `<unk>` and `<mask>`, whatever the vocabulary calls them.
        special_token_ids: these five, then other ids that never stand for text.
        added_tokens: all tokens that a text is searched for before it is split, `AddedToken`s.
        special_token_layout: which ids stand around texts, a `SpecialTokenLayout`.
        bytes_per_token: bytes of UTF-8 that a buffer needs for each token, so that nearly every
            text that fills a row is in it whole.
        model_max_length: the longest row that the tokenizer's model takes, None if not known.
        fingerprint: SHA-256, in hex, of all that decides the ids: two tokenizers that share it
            agree on every text.
        vocabulary: token to id, as the kind spells its tokens (a copy).
    """

    kind_name: str
    vocabulary_size: int
    start_token_id: int
    pad_token_id: int
    end_token_id: int
    unk_token_id: int
    mask_token_id: int
    bytes_per_token: int
    model_max_length: int | None

    @property
    def special_token_ids(self) -> tuple[int, ...]: ...

    @property
    def added_tokens(self) -> tuple[AddedToken, ...]: ...

    @property
    def special_token_layout(self) -> SpecialTokenLayout: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def vocabulary(self) -> dict[str, int]: ...

    # Text to ids

    def __call__(
        self,
        texts: str | bytes | Texts,
        text_pair: str | bytes | Texts | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        **options: Any,
    ) -> Any:
        """Ids of one text (a list) or of many (a list of lists).

        With an option of Hugging Face's (`padding=True`, `return_tensors="np"`, …) a dict of
        `input_ids`, `attention_mask` and so on; see `hugging_face_call`. On tensors of a graph, as
        in `dataset.map(tokenizer)`, the same ids as a tensor; see `symbolic_call`.

        Args:
            texts: one string, or a sequence or array of them.
            text_pair: the second half of each pair: `<s> a </s></s> b </s>`.
            max_length: cut to this many ids, special tokens included. Of a pair the longer half is
                cut first; the special tokens always stay.
            add_special_tokens: False gives the bare text's ids (a pair's one after the other).
            options: see `call_options.Options`.
        """
        ...

    def encode_batch(
        self,
        texts: Texts,
        text_pairs: Texts | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> list[list[int]]:
        """Ids of many texts, tokenized in parallel; the arguments are those of calling it."""
        ...

    def encode_ragged(
        self,
        texts: Texts,
        text_pairs: Texts | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`encode_batch` as the two parts of a ragged tensor.

        Returns:
            values: int32 (total,), the ids of all texts one after the other.
            row_lengths: int64 (batch,), how many of them each text has.
        """
        ...

    def encode_with_offsets(self, texts: Texts) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """For each text its ids, no special tokens added, and where in the text each one lies.

        The spans are `(start, end)` in characters of the text as decoded and leave out the white
        space at a token's front; those of white space alone may be empty. Tokens that share a
        character (pieces of an emoji) share spans.
        """
        ...

    def encode_aligned(
        self,
        texts: Texts,
        text_pairs: Texts | None = None,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> AlignedTokens:
        """As `encode_ragged`, with the place of each token in its text: for labels of words, and
        for answers that are a part of a text."""
        ...

    def encode_words(
        self, texts: Texts | Sequence[Sequence[str]], is_split_into_words: bool = False
    ) -> list[PlacedTokens]:
        """The tokens of each text, none added, with the words that they are of.

        Args:
            is_split_into_words: whether texts are lists of words, each of which is read as a text
                of its own: with a space in front only if the tokenizer puts one there.
        """
        ...

    def encode_plain(self, texts: Texts) -> PlainTokens:
        """The tokens of texts of a corpus, none added; special tokens written out are text."""
        ...

    # Ids to text

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids. Bytes that are not UTF-8 come out as U+FFFD, unknown ids as "".

        Raises:
            InputError: an id is negative.
        """
        ...

    def decode_batch(
        self, rows: Iterable[Iterable[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """`decode` for many rows, in parallel."""
        ...

    # The vocabulary

    def token_to_id(self, token: str) -> int | None:
        """The id of a token as the vocabulary spells it, None where there is none."""
        ...

    def id_to_token(self, index: int) -> str | None:
        """The token with an id, None where there is none."""
        ...

    def starts_word(self) -> np.ndarray:
        """bool (vocabulary_size,): ids of tokens that begin a word. White space belongs to the
        word behind it; the first token of a text begins one whatever this says."""
        ...

    def token_texts(self) -> list[str | None]:
        """The text that each id stands for by itself, white space in front included; None for
        special tokens, for ids without a token and for tokens that are a part of a character."""
        ...

    def byte_lengths(self) -> np.ndarray | None:
        """int64 (vocabulary_size,): bytes of UTF-8 that each id stands for, if those of a text's
        ids always sum up to the text (but for a space put in front); else None."""
        ...

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Adds tokens that become one id wherever a text spells them out.

        A model needs a row of its embedding for each: `backbone.resize_vocabulary(len(tokenizer))`.

        Args:
            new_tokens: a text, or many; or `tokenizers.AddedToken`s, which have flags.
            special_tokens: whether they stand for no text, as `<mask>`.

        Returns:
            how many were added; those that had been before are left as they are.
        """
        ...

    def trimmed(
        self, token_ids: Iterable[int], characters: str = "all"
    ) -> tuple[Tokenizer, np.ndarray]:
        """The same tokenizer with a smaller vocabulary.

        A text whose tokens all stay, with what they are made of, has the same tokens as before;
        other texts are cut into smaller ones. Special and added tokens stay in any case, and what
        every text needs: see `kinds.kind.Kind.needs`. A model's rows go along by
        `resize_vocabulary(tokenizer=..., rows=...)`.

        Args:
            token_ids: those that are to stay.
            characters: "all" keeps the tokens of single characters, "used" those of the characters
                that are in tokens that stay. Bytes stay always.

        Returns:
            the tokenizer, and the old id of each new one: int32 (new vocabulary_size,).

        Raises:
            InputError: a tokenizer of this kind cannot be trimmed, or an id has no token.
        """
        ...

    # Other forms

    def not_in_graphs(self) -> str | None:
        """What of it graphs cannot follow, for a message; None where both forms below exist."""
        ...

    def save(self, directory: str | Path, model_max_length: int | None = None) -> None:
        """Writes the files that `open_tokenizer` and Transformers' `AutoTokenizer` read back.

        Args:
            model_max_length: of the model that it is saved with; by default the attribute. There
                Transformers cuts rows when it is told to cut them.
        """
        ...

    def batched_in_graph(self) -> Any | None:
        """This tokenizer for tf.string tensors, None where there is `not_in_graphs`.

        It is called, and has `detokenize` and `spell`, as `in_graph.BatchedTokenizer`. Imports
        TensorFlow.
        """
        ...

    def static_in_graph(self) -> Any | None:
        """This tokenizer for buffers of bytes of fixed size, None where there is `not_in_graphs`.

        It is called, and has `spell`, as `in_graph.StaticTokenizer`. Imports TensorFlow.
        """
        ...
