"""Tokenizers that look up whole words or single characters in a table, on the host."""

from __future__ import annotations

import json

from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.characters import CHARACTERS
from keras_roberta.tokenizers.kinds.kind import as_object
from keras_roberta.tokenizers.kinds.splitting import LONGEST_WORD, LOWERCASE, Splitting
from keras_roberta.tokenizers.offsets import without_spaces_around
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout
from keras_roberta.tokenizers.texts import without_surrogates


class WordLevelTokenizer(HostTokenizer):
    """A `tokenizers.Tokenizer` with a `WordLevel` model, of words or of characters.

    What is not in its vocabulary is `<unk>`. It goes into graphs if it splits texts in one of the
    ways in `kinds.splitting`; `not_in_graphs` tells what else is in the way. Read it with
    `open_tokenizer`; the arguments are those of `HostTokenizer`.
    """

    def _trimmed(self, text, offsets):
        """Offsets without the white space that an added token takes along."""
        text = without_surrogates(text)
        return [without_spaces_around(text, *place) for place in offsets]

    def not_in_graphs(self):
        content = json.loads(self._rust.to_str())
        normalizer, splitting = content["normalizer"], Splitting.of(content)
        usual = SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)
        longest = max(content["model"]["vocab"], key=len)
        in_small_letters = [t.content for t in self.added_tokens if t.normalized and normalizer]
        if splitting is None and normalizer not in (None, LOWERCASE):
            return f"its normalizer, {normalizer.get('type')}"
        if splitting is None:
            return f"its pre-tokenizer, {as_object(content['pre_tokenizer']).get('type')}"
        if content["decoder"] != self.kind.decoder:
            return f"its decoder, {as_object(content['decoder']).get('type')}"
        if self.special_token_layout != usual:
            return "the special tokens that it puts around texts"
        if self.kind is not CHARACTERS and len(longest) > LONGEST_WORD:
            return f"{longest[:20]!r}..., a word of more than {LONGEST_WORD} characters"
        if in_small_letters:
            return (
                f"the added token {in_small_letters[0]!r} in small letters "
                "(add it with normalized=False)"
            )
        return None

    def batched_in_graph(self):
        if self.not_in_graphs():
            return None
        from keras_roberta.tokenizers.in_graph import BatchedWordLevelTokenizer  # TensorFlow

        return BatchedWordLevelTokenizer(**self._in_graph_settings())

    def static_in_graph(self):
        if self.not_in_graphs():
            return None
        from keras_roberta.tokenizers.in_graph import StaticWordLevelTokenizer  # TensorFlow

        return StaticWordLevelTokenizer(**self._in_graph_settings())

    def _in_graph_settings(self) -> dict:
        content = json.loads(self._rust.to_str())
        return {
            "vocabulary": content["model"]["vocab"],
            "unk_token": content["model"]["unk_token"],
            "splitting": Splitting.of(content),
            "separator": "" if self.kind is CHARACTERS else " ",
            "tokens": [self.id_to_token(i) for i in range(self.vocabulary_size)],
            "added_tokens": self.added_tokens,
            "start_id": self.start_token_id,
            "pad_id": self.pad_token_id,
            "end_id": self.end_token_id,
        }
