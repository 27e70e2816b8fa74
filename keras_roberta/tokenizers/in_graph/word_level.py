"""Words or characters from bytes to token ids, in plain TensorFlow ops.

Added tokens are found in the bytes, and bytes become characters (`character_reader`), small ones
where the tokenizer asks for it (`lower_case`). Then words are found and looked up (`unit_tables`).
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.character_reader import CharacterReader
from keras_roberta.tokenizers.in_graph.lower_case import LowerCase
from keras_roberta.tokenizers.in_graph.tokens import Tokens
from keras_roberta.tokenizers.in_graph.unit_tables import CharacterTable, WordTable
from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up
from keras_roberta.tokenizers.kinds.splitting import CHARACTERS, Splitting


class WordLevel(tf.Module):
    """The common part of the batched and the static tokenizer.

    Args:
        vocabulary: token to id.
        unk_id: the id of what is not in it.
        splitting: how texts are split.
        added_tokens: tokens that become one id where they are spelt out in a text.
        name: name of the module.

    Raises:
        InputError: a graph cannot look for one of the added tokens.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        unk_id: int,
        splitting: Splitting,
        added_tokens: Sequence[AddedToken] = (),
        name: str = "word_level",
    ):
        super().__init__(name=name)
        self.reader = CharacterReader(added_tokens)
        self.lower_case = LowerCase() if splitting.lowercase else None
        if splitting.pre_tokenizer == CHARACTERS:
            self.table = CharacterTable(vocabulary, unk_id)
        else:
            self.table = WordTable(vocabulary, unk_id, splitting.pre_tokenizer)

    def __call__(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        size: int | None = None,
        with_spans: bool = False,
    ) -> Tokens:
        """Tokenizes a vector of bytes; see `tokens.ToTokens`."""
        read = self.reader.read(utf8, texts, size)
        if self.lower_case is not None:
            read = self.lower_case(read, size)
        number, row = self.reader.number_and_text(read.code_points)
        is_added = number > 0
        starts, ids, lasts = self.table.find(read.code_points, read.texts, size)
        columns = [
            tf.where(is_added, look_up(self.reader.added.token_ids, number), ids),
            tf.where(is_added, row, read.texts),
        ]
        if with_spans:
            begins = read.begins + look_up(self.reader.added_begins, number)
            added_ends = read.begins + look_up(self.reader.added_ends, number)
            ends = look_up(read.ends, tf.where(starts, lasts, 0))
            columns += [begins, tf.where(is_added, added_ends, ends)]
        return Tokens(*keep_where(starts | is_added, *columns, size=size))
