"""A sentencepiece Unigram model from bytes to token ids, in plain TensorFlow ops.

1. Added tokens are found in the bytes, and bytes become characters (`character_reader`). Before
   and behind each stretch of text between them stands a *barrier*, a character of no text.
2. Long texts are cut into parts (`text_parts`).
3. Characters are normalized, a space is put in front of each stretch, and runs of spaces are cut to
   one (`character_map`).
4. All pieces in the texts are found (`unigram_pieces`), and the best way through them
   (`unigram_path`).
5. Pieces and added tokens become ids and places in the bytes.

Source: Kudo, "Subword regularization", 2018, section 3.2, and sentencepiece's own encoder, whose
ids these are.
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_roberta.tokenizers.added_tokens import AddedToken
from keras_roberta.tokenizers.in_graph.character_map import CharacterMap, without_extra_spaces
from keras_roberta.tokenizers.in_graph.character_reader import CharacterReader
from keras_roberta.tokenizers.in_graph.text_parts import cut_long_texts
from keras_roberta.tokenizers.in_graph.tokens import Tokens
from keras_roberta.tokenizers.in_graph.unigram_path import best_path
from keras_roberta.tokenizers.in_graph.unigram_pieces import Pieces
from keras_roberta.tokenizers.in_graph.vectors import keep_where, look_up, previous
from keras_roberta.tokenizers.unigram.long_texts import BLOCK
from keras_roberta.tokenizers.unigram.tables import SPACE, tables_of
from keras_roberta.tokenizers.unigram.unigram_model import UnigramModel

# What normalizing may add to the texts of a call with static shapes, beyond the room that their
# buffers leave: the spaces in front, and characters that become several, as one half becomes 1/2.
ROOM = 64


class Unigram(tf.Module):
    """The common part of the batched and the static tokenizer; see the beginning of this file.

    Args:
        model: pieces and character map.
        added_tokens: tokens that become one id where they are spelt out in a text.
        name: name of the module.

    Raises:
        InputError: a graph cannot follow the character map, or look for one of the added tokens.
    """

    def __init__(
        self, model: UnigramModel, added_tokens: Sequence[AddedToken] = (), name: str = "unigram"
    ):
        super().__init__(name=name)
        tables = tables_of(model)
        self.character_map, self.pieces = CharacterMap(tables), Pieces(tables)
        self.reader = CharacterReader(added_tokens)

    def __call__(
        self,
        utf8: tf.Tensor,
        texts: tf.Tensor,
        size: int | None = None,
        with_spans: bool = False,
    ) -> Tokens:
        """Tokenizes a vector of bytes; see `tokens.ToTokens`."""
        behind = 0
        if size is not None:
            behind, size = ROOM, 1 + size + ROOM
        utf8, texts = tf.pad(utf8, [[1, behind]]), tf.pad(texts, [[1, behind]])
        code_points, texts, origins, _ = self.reader.read(utf8, texts, size)
        breaks, first_cut = None, None
        if size is None:  # no buffer is as long
            texts, breaks = _parts(code_points, texts)
            # The spaces at which parts begin have become barriers.
            code_points = tf.where(texts == 0, tf.minimum(code_points, 0), code_points)
        owners = tf.where(code_points < 0, self.reader.number_and_text(code_points)[1], texts)
        code_points, texts, source = self.character_map(code_points, texts, breaks, size)
        if size is not None:
            first_cut = _first_cut(owners, tf.reduce_max(source), size)
        spans = []
        if with_spans:
            origins = look_up(origins, source)
            spans = [origins, _next_larger(origins, size)]
        code_points, texts, *spans = without_extra_spaces(code_points, texts, *spans, size=size)
        found = self.pieces.find(code_points, texts, size)
        path = best_path(found, texts, size)
        tokens = self._tokens(path, found, code_points, texts, spans, size)
        return tokens._replace(first_cut=first_cut)

    def _tokens(self, path, found, code_points, texts, spans, size):
        """The tokens of a path, and the added tokens between them."""
        place = tf.range(tf.size(texts) if size is None else size)
        before = previous(code_points)  # an added token, at the boundary behind it
        ends, lengths, before = keep_where(
            (path > 0) | (before < 0), place, path, before, size=size
        )
        number, row = self.reader.number_and_text(before)
        is_added = number > 0
        pieces = look_up(tf.reshape(found.numbers, [-1]), found.slots(ends, lengths))
        begins = ends - tf.where(is_added, 1, lengths)
        last = tf.maximum(ends - 1, 0)
        rows = tf.where(is_added, row, look_up(texts, last))
        ids = tf.where(
            is_added, look_up(self.reader.added.token_ids, number), look_up(self.pieces.ids, pieces)
        )
        # Unknown characters side by side are one token.
        unknown = ~is_added & (pieces == 0) & (rows > 0)
        goes_on = unknown & previous(unknown, fill=False) & (begins == previous(ends, fill=-1))
        keep = ~goes_on & (rows > 0)
        if not spans:
            return Tokens(*keep_where(keep, ids, rows, size=size))

        origins, next_origins = spans
        runs = tf.cumsum(tf.cast(~goes_on, tf.int32)) - 1
        count = tf.size(runs) if size is None else size
        last = look_up(tf.math.unsorted_segment_max(last, runs, count), runs)
        # Without the space in front; a space alone lies on the character behind it.
        first = begins + tf.cast(look_up(code_points, begins) == SPACE, tf.int32)
        last = tf.maximum(last, first)
        first = tf.minimum(first, place[-1])
        origin, last = look_up(origins, first), tf.minimum(last, place[-1])
        begin = origin + look_up(self.reader.added_begins, number)
        end = tf.where(
            is_added, origin + look_up(self.reader.added_ends, number), look_up(next_origins, last)
        )
        # The byte of a barrier in front was added here.
        return Tokens(*keep_where(keep, ids, rows, begin - 1, end - 1, size=size))


def _parts(code_points, texts):
    """See `cut_long_texts`, which most texts do not need."""

    def whole():
        return texts, tf.zeros_like(texts, tf.bool)

    (barriers,) = keep_where(texts == 0, tf.range(tf.size(texts)))
    longest = tf.reduce_max(barriers - previous(barriers))  # in characters
    return tf.cond(4 * longest > BLOCK, lambda: cut_long_texts(code_points, texts), whole)


def _first_cut(owners, last, size):
    """The number of the first text that has not all of its characters in a static vector.

    Args:
        owners: int32 [size], the texts of the characters before they were normalized.
        last: int32, the last place of which something is left: it may be cut itself.
        size: int.
    """
    lost = (tf.range(size) >= last) & (owners > 0)
    return tf.reduce_min(tf.where(lost, owners, tf.int32.max))


def _next_larger(origins, size):
    """For each entry of an ascending vector the next larger one, at the end the last: int32 [n]."""
    new = origins != previous(origins, fill=-1)
    (values,) = keep_where(new, origins, size=size)
    count = tf.reduce_sum(tf.cast(new, tf.int32))
    rank = tf.cumsum(tf.cast(new, tf.int32))  # of the next larger one
    return look_up(values, tf.minimum(rank, count - 1))
