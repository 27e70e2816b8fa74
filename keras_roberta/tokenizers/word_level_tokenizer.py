"""Tokenizers that look up whole words or single characters in a table, on the host."""

from __future__ import annotations

import json

from keras_roberta.tokenizers.host import HostTokenizer
from keras_roberta.tokenizers.kinds.characters import CHARACTERS
from keras_roberta.tokenizers.kinds.splitting import Splitting
from keras_roberta.tokenizers.offsets import without_spaces_around
from keras_roberta.tokenizers.special_token_layout import SpecialTokenLayout
from keras_roberta.tokenizers.texts import without_surrogates


class WordLevelTokenizer(HostTokenizer):
    """A `tokenizers.Tokenizer` with a `WordLevel` model, of words or of characters.

    What is not in its vocabulary is `<unk>`. It goes into graphs if it splits texts in one of the
    ways in `kinds.splitting`. Read it with `open_tokenizer`; the arguments are those of
    `HostTokenizer`.
    """

    def _trimmed(self, text, offsets):
        """Offsets without the white space that an added token takes along."""
        text = without_surrogates(text)
        return [without_spaces_around(text, *place) for place in offsets]

    def batched_in_graph(self):
        settings = self._in_graph_settings()
        if settings is None:
            return None
        from keras_roberta.tokenizers.in_graph import BatchedWordLevelTokenizer  # TensorFlow

        return BatchedWordLevelTokenizer(**settings)

    def static_in_graph(self):
        settings = self._in_graph_settings()
        if settings is None:
            return None
        from keras_roberta.tokenizers.in_graph import StaticWordLevelTokenizer  # TensorFlow

        return StaticWordLevelTokenizer(**settings)

    def _in_graph_settings(self) -> dict | None:
        """None where graphs cannot split, join or put special tokens around texts as it does."""
        content = json.loads(self._rust.to_str())
        splitting = Splitting.of(content)
        usual = SpecialTokenLayout.roberta(self.start_token_id, self.end_token_id)
        if (
            splitting is None
            or content["decoder"] != self.kind.decoder
            or self.special_token_layout != usual
        ):
            return None
        return {
            "vocabulary": content["model"]["vocab"],
            "unk_token": content["model"]["unk_token"],
            "splitting": splitting,
            "separator": "" if self.kind is CHARACTERS else " ",
            "tokens": [self.id_to_token(i) for i in range(self.vocabulary_size)],
            "added_tokens": self.added_tokens,
            "start_id": self.start_token_id,
            "pad_id": self.pad_token_id,
            "end_id": self.end_token_id,
        }
