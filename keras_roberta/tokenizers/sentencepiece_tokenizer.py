"""XLM-R's tokenizer on the host: a sentencepiece Unigram model, run by sentencepiece itself.

The ids are those with which such models were trained. The `tokenizers` library reads the same files
and gives other ids for a few texts (docs/decisions/081-sentencepiece-itself.md).
"""

from __future__ import annotations

import functools
import hashlib
import json
from itertools import accumulate

import numpy as np
import sentencepiece

from keras_roberta.errors import InputError
from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.unigram import SENTENCEPIECE
from keras_roberta.tokenizers.protocol import PlacedTokens
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout
from keras_roberta.tokenizers.texts import as_batch, without_surrogates
from keras_roberta.tokenizers.tokenizer_files import TokenizerFiles
from keras_roberta.tokenizers.unigram.stretches import StretchFinder
from keras_roberta.tokenizers.unigram.unigram_model import META_SPACE, UnigramModel


class SentencePieceTokenizer(HostTokenizer):
    """Text to ids and back, with the ids of sentencepiece for texts up to 16,384 bytes.

    Added tokens are looked for in the text as it is written. What lies between them is read by
    sentencepiece, each stretch as a text of its own, and texts of more than 16,384 bytes in parts,
    which begin at spaces. Where such a text has no space for 16,384 bytes, a part begins within a
    word and gets a "\u2581" in front that sentencepiece would not put there: see
    `unigram.long_texts`.

    Read it with `open_tokenizer`; the arguments are those of `HostTokenizer`.
    """

    @classmethod
    def from_files(cls, files: TokenizerFiles, kind=SENTENCEPIECE) -> SentencePieceTokenizer:
        """Reads `tokenizer.json` or `sentencepiece.bpe.model`, and the settings beside it.

        Raises:
            InputError: names the file and what is wrong with it.
        """
        made = super().from_files(files, kind)
        try:
            made._model = UnigramModel.from_tokenizer_json(
                files.tokenizer_json, made.special_token_ids
            )
            made._processor  # noqa: B018, read now, so that its errors name the file
        except InputError as error:
            raise InputError(f"{files.path}: {error}") from None
        return made

    def model_file(self) -> bytes:
        """The content of `sentencepiece.bpe.model`, sentencepiece's own file.

        Raises:
            InputError: its ids are not those that fairseq gives the pieces of such a file.
        """
        return self._model.model_file()

    @functools.cached_property
    def _model(self) -> UnigramModel:
        content = json.loads(self._rust.to_str())
        return UnigramModel.from_tokenizer_json(content, self.special_token_ids)

    @functools.cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        try:
            return sentencepiece.SentencePieceProcessor(model_proto=self._model.serialized())
        except (RuntimeError, ValueError, OSError) as error:
            raise InputError(f"sentencepiece cannot read it ({str(error)[:200]})") from None

    @functools.cached_property
    def _finder(self) -> StretchFinder:
        return StretchFinder(self.added_tokens)

    @functools.cached_property
    def _plain_finder(self) -> StretchFinder:
        return StretchFinder([token for token in self.added_tokens if not token.special])

    # Text to ids

    def _encode(self, texts) -> list[list[int]]:
        texts = _joined_surrogates(as_batch(texts))
        rows, between = [], []
        for text in texts:
            stretches = self._finder(text)
            rows.append(stretches)
            between += [text[s.begin : s.end] for s in stretches if s.token_id is None]
        found = iter(self._processor.encode(between, out_type=int) if between else ())
        return [_ids_of(stretches, found) for stretches in rows]

    def _with_places(self, texts, plain=False):
        finder = self._plain_finder if plain else self._finder
        return [self._placed(text, finder)[:2] for text in _joined_surrogates(texts)]

    def _placed(self, text: str, finder: StretchFinder) -> tuple[list, list, list]:
        """The ids of a text, (begin, end) of each in characters, and whether it begins a word."""
        ids, places, begins_word = [], [], []
        for begin, end, token_id in finder(text):
            if token_id is not None:
                ids.append(token_id)
                places.append((begin, end))
                begins_word.append(True)
                continue
            try:
                found = self._processor.encode(text[begin:end], out_type="offset_mapping")
                normalized, origins = self._processor.normalize(text[begin:end], with_offsets=True)
            except UnicodeDecodeError:
                raise InputError(
                    "the tokenizer's character map is mangled: it puts in what is not UTF-8"
                ) from None
            if not found["ids"]:
                continue
            ids += found["ids"]
            places += _places(found["pieces"], normalized, begin + np.array(origins))
            words = [piece.startswith(META_SPACE) for piece in found["pieces"]]
            begins_word += [True, *words[1:]]
        return ids, places, begins_word

    def encode_words(self, texts, is_split_into_words=False):
        if not is_split_into_words:
            rows = [[text] for text in as_batch(texts)]
        else:
            rows = [list(words) for words in texts]
        found = []
        for row in rows:
            ids, places, numbers = [], [], []
            for number, word in enumerate(_joined_surrogates(row)):
                of_word = self._placed(word, self._finder)
                ids += of_word[0]
                places += of_word[1]
                if is_split_into_words:
                    numbers += [number] * len(of_word[0])
                else:
                    numbers += [count - 1 for count in accumulate(map(int, of_word[2]))]
            found.append(PlacedTokens(ids, places, numbers))
        return found

    @functools.cached_property
    def fingerprint(self) -> str:
        # Another one than that of the same file read by the `tokenizers` library.
        return hashlib.sha256(f"sentencepiece {super().fingerprint}".encode()).hexdigest()

    # Other forms

    def not_in_graphs(self):
        usual = SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)
        same = self.special_token_layout == usual
        return None if same else "the special tokens that it puts around texts"

    def batched_in_graph(self):
        if self.not_in_graphs():
            return None
        from keras_roberta.tokenizers.in_graph import BatchedUnigramTokenizer  # TensorFlow

        return BatchedUnigramTokenizer(**self._in_graph_settings())

    def static_in_graph(self):
        if self.not_in_graphs():
            return None
        from keras_roberta.tokenizers.in_graph import StaticUnigramTokenizer  # TensorFlow

        return StaticUnigramTokenizer(**self._in_graph_settings())

    def _in_graph_settings(self):
        return {
            "model": self._model,
            "tokens": [self.id_to_token(i) for i in range(self.vocabulary_size)],
            "added_tokens": self.added_tokens,
            "start_id": self.start_token_id,
            "pad_id": self.pad_token_id,
            "end_id": self.end_token_id,
        }


def _joined_surrogates(texts: list[str]) -> list[str]:
    """Texts that have a form in UTF-8."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:  # lone surrogates: rare
        return [without_surrogates(text) for text in texts]
    return texts


def _ids_of(stretches, found) -> list[int]:
    """The ids of a text's stretches; `found` gives those between added tokens, one by one."""
    ids = []
    for stretch in stretches:
        ids += next(found) if stretch.token_id is None else [stretch.token_id]
    return ids


def _places(pieces: list[str], normalized: str, origins: np.ndarray) -> list[tuple[int, int]]:
    """Where pieces lie in their text, without spaces at their front.

    A piece of a space alone lies on the character behind it, as in the `tokenizers` library.

    Args:
        pieces: one after the other they are `normalized`.
        origins: int (characters + 1,), the place in the text of each character of `normalized`,
            ascending, and the end.
    """
    ends = np.cumsum([len(piece) for piece in pieces])
    begins = ends - [len(piece) for piece in pieces]
    begins = begins + [piece.startswith(META_SPACE) for piece in pieces]
    last = np.maximum(ends - 1, begins)
    # A character of the text may have become several, which have the same origin.
    behind = np.minimum(np.searchsorted(origins, origins, side="right"), len(origins) - 1)
    return list(zip(origins[begins].tolist(), origins[behind[last]].tolist(), strict=True))
