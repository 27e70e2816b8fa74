"""The tokenizer on the host: any tokenizer of the `tokenizers` library, with RoBERTa's rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from keras_roberta.errors import InputError
from keras_roberta.files.atomic_write import atomic_directory
from keras_roberta.tokenizers import hugging_face_call
from keras_roberta.tokenizers.added_tokens import (
    AddedToken,
    new_added_tokens,
    special_added_tokens,
)
from keras_roberta.tokenizers.hugging_face_names import HuggingFaceNames
from keras_roberta.tokenizers.kinds.kind import Kind
from keras_roberta.tokenizers.offsets import WHITE_SPACE, places_in_bytes, without_front_space
from keras_roberta.tokenizers.protocol import (
    PlacedTokens,
    PlainTokens,
    Texts,
    Tokenizer,
)
from keras_roberta.tokenizers.rows import aligned_rows, check_ids, check_pairs, ragged
from keras_roberta.tokenizers.rust_tokenizer import (
    add_to,
    added_tokens_of,
    hiding,
    library_errors,
    read_rust,
    what_decides,
)
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout, layout_of
from keras_roberta.tokenizers.special_token_names import SpecialTokenNames, check_special_tokens
from keras_roberta.tokenizers.symbolic_call import ids_in_graph, is_symbolic
from keras_roberta.tokenizers.texts import as_batch, as_texts, without_surrogates
from keras_roberta.tokenizers.tokenizer_files import TOKENIZER_FILES, TokenizerFiles
from keras_roberta.tokenizers.trimming import kept_ids, renumbered


class HostTokenizer(HuggingFaceNames, Tokenizer):
    """A `tokenizers.Tokenizer` as the library asks for it; see `protocol.Tokenizer`.

    Rows are made as the tokenizer's post-processor says, as `<s> a </s>` and `<s> a </s></s> b
    </s>` where it has none.

    Args:
        rust: the tokenizer. It becomes this object's own: do not change it later.
        kind: what its tokens mean.
        special_tokens: what its vocabulary calls the special tokens.
        vocabulary: token to id, where the caller has it at hand.
        model_max_length: the longest row that the tokenizer's model takes; None where it is not
            known.

    Raises:
        InputError: a special token is missing.
    """

    def __init__(
        self,
        rust: RustTokenizer,
        *,
        kind: Kind,
        special_tokens: SpecialTokenNames = SpecialTokenNames(),  # noqa: B008 (immutable)
        vocabulary: dict[str, int] | None = None,
        model_max_length: int | None = None,
    ):
        self.kind, self.bytes_per_token = kind, kind.bytes_per_token
        self.model_max_length = model_max_length
        self.special_tokens = SpecialTokenNames(*special_tokens)
        self._rust = rust
        self._vocabulary = dict(vocabulary or rust.get_vocab(with_added_tokens=True))
        check_special_tokens(self._vocabulary, self.special_tokens)
        self._tokens = {index: token for token, index in self._vocabulary.items()}
        self.vocabulary_size = max(self._tokens) + 1
        (
            self.start_token_id,
            self.pad_token_id,
            self.end_token_id,
            self.unk_token_id,
            self.mask_token_id,
        ) = (self._vocabulary[token] for token in self.special_tokens)
        # Not in the way of `max_length` and of padding here, whatever the file says.
        rust.no_truncation()
        rust.no_padding()
        added = {token.id for token in added_tokens_of(rust)}
        # So that they are found where a text spells them out.
        add_to(rust, [t for t in special_added_tokens(self.special_tokens, self._vocabulary)
                      if t.id not in added])  # fmt: skip
        self._added_tokens = added_tokens_of(rust)
        ids = (self._vocabulary[token] for token in self.special_tokens)
        others = (token.id for token in self._added_tokens if token.special)
        self._special_token_ids = tuple(dict.fromkeys(chain(ids, others)))

    @classmethod
    def from_files(cls, files: TokenizerFiles, kind: Kind) -> HostTokenizer:
        """Reads `tokenizer.json`, and from the files beside it what special tokens are called,
        which other tokens are added, and the model's length.

        Raises:
            InputError: names the file and what is wrong with it.
        """
        names = SpecialTokenNames.from_settings(files.config, files.special_tokens_map)
        rust = read_rust(files, names, decoder=kind.decoder)
        try:
            with library_errors("not a tokenizer"):
                made = cls(
                    rust, kind=kind, special_tokens=names, model_max_length=files.model_max_length
                )
                made.special_token_layout  # noqa: B018, found now, so that its errors name the file
                return made
        except InputError as error:
            raise InputError(f"{files.path}: {error}") from None

    @property
    def kind_name(self) -> str:
        return self.kind.name

    @property
    def special_token_ids(self) -> tuple[int, ...]:
        return self._special_token_ids

    @property
    def added_tokens(self) -> tuple[AddedToken, ...]:
        return self._added_tokens

    # Text to ids

    def __call__(self, texts, text_pair=None, max_length=None, add_special_tokens=True, **options):
        if is_symbolic(texts):
            return ids_in_graph(self, texts, text_pair, max_length, add_special_tokens, options)
        if options:
            return hugging_face_call.encode(
                self, texts, text_pair, max_length, add_special_tokens, **options
            )
        texts, one = as_texts(texts)
        pairs = None
        if text_pair is not None:
            pairs, one_pair = as_texts(text_pair)
            if one != one_pair:
                raise InputError("text_pair: give one string for one text, a sequence for many")
        ids = self.encode_batch(texts, pairs, max_length, add_special_tokens)
        return ids[0] if one else ids

    def encode_batch(self, texts, text_pairs=None, max_length=None, add_special_tokens=True):
        layout = self.special_token_layout if add_special_tokens else SpecialTokenLayout.none()
        budget = layout.budget(max_length, text_pairs is not None)
        firsts = self._encode(texts)
        seconds = None if text_pairs is None else self._encode(text_pairs)
        check_pairs(firsts, seconds)
        return layout.rows(firsts, seconds, budget)

    def encode_ragged(self, texts, text_pairs=None, max_length=None, add_special_tokens=True):
        return ragged(self.encode_batch(texts, text_pairs, max_length, add_special_tokens))

    def encode_with_offsets(self, texts):
        return self._with_places(as_batch(texts))

    def encode_aligned(self, texts, text_pairs=None, max_length=None, add_special_tokens=True):
        layout = self.special_token_layout if add_special_tokens else SpecialTokenLayout.none()
        budget = layout.budget(max_length, text_pairs is not None)
        firsts = self.encode_with_offsets(texts)
        seconds = None if text_pairs is None else self.encode_with_offsets(text_pairs)
        return aligned_rows(layout, firsts, seconds, budget)

    def encode_words(self, texts, is_split_into_words=False):
        if not is_split_into_words:
            encodings = self._run(self._rust.encode_batch, as_batch(texts))
        else:
            words = [[without_surrogates(word) for word in text] for text in texts]
            encodings = self._rust.encode_batch(
                words, is_pretokenized=True, add_special_tokens=False
            )
        return [PlacedTokens(e.ids, e.offsets, e.word_ids) for e in encodings]

    def encode_plain(self, texts: Texts) -> PlainTokens:
        texts = [without_surrogates(text) for text in as_batch(texts)]
        found = self._with_places(texts, plain=True)
        token_ids, row_lengths = ragged([ids for ids, _ in found])
        begins, ends = [], []
        for text, (ids, places) in zip(texts, found, strict=True):
            if ids:
                places = np.array(places, np.int64)
                places = np.maximum.accumulate(places_in_bytes(text, places))
                places[-1, 1] = len(text.encode())  # what the normalizer took from the end, too
                begins.append(places[:, 0])
                ends.append(places[:, 1])
        nothing = np.zeros(0, np.int64)
        return PlainTokens(
            token_ids,
            row_lengths,
            np.concatenate([nothing, *begins]),
            np.concatenate([nothing, *ends]),
        )

    @cached_property
    def special_token_layout(self) -> SpecialTokenLayout:
        layout = layout_of(self._rust, probe=self.special_tokens.unk)
        return layout or SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)

    @cached_property
    def _plain_rust(self) -> RustTokenizer:
        """The same tokenizer, to which special tokens in a text are text like other."""
        return hiding(self._rust, {self._tokens[index] for index in self._special_token_ids})

    def _encode(self, texts) -> list[list[int]]:
        # Without offsets, which nothing here reads.
        encodings = self._run(self._rust.encode_batch_fast, as_batch(texts))
        return [encoding.ids for encoding in encodings]

    def _with_places(self, texts: list[str], plain: bool = False) -> list[tuple[list, list]]:
        """See `encode_with_offsets`; special tokens in plain texts are text like other."""
        encodings = self._run((self._plain_rust if plain else self._rust).encode_batch, texts)
        return [
            (encoding.ids, self._trimmed(text, encoding.offsets))
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def _run(self, encode, texts: list[str]):
        try:
            return encode(texts, add_special_tokens=False)
        except (TypeError, UnicodeError):  # Lone surrogates: rare, so not looked for beforehand.
            return encode([without_surrogates(t) for t in texts], add_special_tokens=False)

    def _trimmed(self, text: str, offsets: list) -> list[tuple[int, int]]:
        """Offsets without the white space at a token's front; white space alone stays."""
        text = without_surrogates(text)
        return [without_front_space(text, *place) for place in offsets]

    # Ids to text

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        return self.decode_batch([ids], skip_special_tokens)[0]

    def decode_batch(self, rows, skip_special_tokens=True):
        rows = [[int(i) for i in ids] for ids in rows]
        for row in rows:
            check_ids(row)
        return self._rust.decode_batch(rows, skip_special_tokens=skip_special_tokens)

    # The vocabulary

    @property
    def vocabulary(self) -> dict[str, int]:
        """Token to id, special tokens included (a copy)."""
        return dict(self._vocabulary)

    def token_to_id(self, token: str) -> int | None:
        return self._vocabulary.get(token)

    def id_to_token(self, index: int) -> str | None:
        return self._tokens.get(int(index))

    @property
    def vocab_size(self) -> int:
        """Tokens without those that were added to the vocabulary, as Transformers counts them."""
        return self._rust.get_vocab_size(with_added_tokens=False)

    def starts_word(self) -> np.ndarray:
        starts = np.zeros(self.vocabulary_size, bool)
        for index, token in self._text_tokens():
            starts[index] = self.kind.starts_word(token)
        for token in self._added_tokens:
            if not token.special:
                begins = token.content.startswith(tuple(WHITE_SPACE))
                starts[token.id] |= token.lstrip or token.single_word or begins
        return starts

    def token_texts(self) -> list[str | None]:
        texts = [None] * self.vocabulary_size
        for index, token in self._text_tokens():
            texts[index] = self.kind.text_of(token)
        for token in self._added_tokens:
            if not token.special:
                texts[token.id] = token.content
        return texts

    def _text_tokens(self):
        """(id, token) of all tokens but the special ones."""
        specials = set(self._special_token_ids)
        return ((i, token) for i, token in self._tokens.items() if i not in specials)

    def byte_lengths(self) -> np.ndarray | None:
        return None  # A normalizer or an unknown token may change the text.

    @cached_property
    def fingerprint(self) -> str:
        decides = [what_decides(self._rust), self.special_tokens, self.special_token_layout]
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def add_tokens(self, new_tokens, special_tokens=False) -> int:
        tokens = new_added_tokens(
            new_tokens, self._added_tokens, self._vocabulary, self.vocabulary_size, special_tokens
        )
        if tokens:
            self.__dict__ = self._with(tokens).__dict__  # at once, for the threads that share it
        return len(tokens)

    def trimmed(self, token_ids, characters="all"):
        content = json.loads(self._rust.to_str())
        kept = kept_ids(self, self.kind, content["model"], token_ids, characters)
        return self._renumbered(content, kept), np.array(kept, np.int32)

    def _renumbered(self, content: dict, kept: list[int]) -> HostTokenizer:
        """The same tokenizer with those ids alone, the content of its `tokenizer.json` given."""
        with library_errors("the tokenizer cannot be trimmed"):
            rust = RustTokenizer.from_str(json.dumps(renumbered(content, kept)))
        return type(self)(rust, **self._settings())

    def _with(self, tokens: list[AddedToken]) -> HostTokenizer:
        """The same tokenizer with further added tokens."""
        rust = RustTokenizer.from_str(self._rust.to_str())
        add_to(rust, tokens)
        return type(self)(rust, **self._settings())

    def _settings(self) -> dict:
        return {
            "kind": self.kind,
            "special_tokens": self.special_tokens,
            "model_max_length": self.model_max_length,
        }

    # Other forms

    @cached_property
    def graph(self):
        return self.batched_in_graph()

    def not_in_graphs(self):
        return "its kind"

    def batched_in_graph(self):
        return None

    def static_in_graph(self):
        return None

    def save(self, directory: str | Path, model_max_length: int | None = None) -> None:
        with atomic_directory(directory, replaces=TOKENIZER_FILES) as temporary:
            files = self._files(model_max_length or self.model_max_length)
            for name, content in files.items():
                (temporary / name).write_text(content, encoding="utf-8", newline="\n")

    def _files(self, model_max_length: int | None) -> dict[str, str]:
        """Names and contents of the files that `save` writes."""
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            **self._config(model_max_length),
        }
        return {
            "tokenizer.json": self._rust.to_str(),
            "tokenizer_config.json": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        }

    def _config(self, model_max_length: int | None) -> dict:
        """What `tokenizer_config.json` says of any kind."""
        config = self.special_tokens.as_config()
        config["added_tokens_decoder"] = {str(t.id): t.to_json() for t in self._added_tokens}
        if model_max_length is not None:
            config["model_max_length"] = model_max_length
        return config

    # The object

    def __eq__(self, other) -> bool:
        if not isinstance(other, HostTokenizer):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __bool__(self) -> bool:
        return True  # whatever its length

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self):
        return _unpickled, (type(self), self._rust.to_str(), self._settings())

    def __copy__(self):
        copied = object.__new__(type(self))
        copied.__dict__ = dict(self.__dict__)  # What is in there never changes.
        return copied

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind_name}, vocabulary_size={self.vocabulary_size})"


def _unpickled(cls, content, settings):
    return cls(RustTokenizer.from_str(content), **settings)
