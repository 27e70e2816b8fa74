"""The head of a question answerer as an exported model computes it."""

import tensorflow as tf

from keras_roberta.schemas.best_spans import IMPOSSIBLE
from keras_roberta.tasks.exported_head import ExportedHead

# What Python's `str.strip` takes away, as RE2 spells it.
_WHITE = r"[\t-\r\x1c-\x20\x{85}\pZ]+"
_WHITE_SPACE_AT_ENDS = rf"\A{_WHITE}|{_WHITE}\z"


class AnswerSpanHead(ExportedHead):
    """The best part of the context in a row `<s> question </s></s> context </s>`.

    The context is what lies behind the second `</s>`. Gives

        start_logits, end_logits   float32 (batch, length)
        start, end                 int32 (batch,), the answer's first token and the one behind its
                                   last; 0 and 0 where the row has no context
        score, no_answer           float32 (batch,), see `BestSpans`
        answered                   int32 (batch,), 1 where there is an answer

    and for texts `start_byte` and `end_byte`, int32 (batch,), where the answer lies in the UTF-8 of
    the context.

    Args:
        schema: `AnswerSpan`
        end_token_id: of `</s>`.
    """

    gives_offsets = True
    placed = ("start", "end")

    def __init__(self, schema, end_token_id):
        super().__init__(schema)
        self.end_token_id = end_token_id

    def __call__(self, encoder, token_ids, padding_mask):
        batch, length = (size or tf.shape(token_ids)[i] for i, size in enumerate(token_ids.shape))
        context, first = self._context_and_first(token_ids, padding_mask)
        hidden = encoder.encode(token_ids, padding_mask, selection="all")
        logits = encoder.dense(hidden, "head/out")  # (batch * length, 2)
        starts, ends = (tf.reshape(x, (batch, length)) for x in tf.split(logits, 2, axis=-1))

        # From here to the argmax all is of operations that XNNPACK has: the largest of the next
        # tokens is that of a pooling layer, the logits of `<s>` a product with ones and zeros.
        in_row = tf.reshape(first, (batch, 1, length))
        nothing = tf.matmul(in_row, tf.reshape(logits, (batch, length, 2)))  # (batch, 1, 2)
        nothing = tf.reshape(sum(tf.split(nothing, 2, axis=-1)), (batch, 1))
        outside = (1.0 - context) * IMPOSSIBLE
        best_ends = self._largest_of_next(ends + outside, IMPOSSIBLE)
        totals = starts + outside + best_ends  # (batch, length), of parts that begin at each token
        best = _largest(totals)  # (batch, 1)
        no_answer = tf.sigmoid(nothing - best)
        counted = (1.0 - context - first) * IMPOSSIBLE
        shares = [tf.nn.softmax(side + counted) * context for side in (starts, ends)]
        score = _largest(shares[0] * self._largest_of_next(shares[1], 0.0))

        begin = tf.argmax(totals, axis=-1, output_type=tf.int32)[:, None]  # (batch, 1)
        place = tf.range(length)[None]
        is_next = (place >= begin) & (place < begin + self.schema.max_answer_length)
        allowed = is_next & (context > 0.5)
        last = tf.argmax(tf.where(allowed, ends, 10 * IMPOSSIBLE), axis=-1, output_type=tf.int32)
        there = best[:, 0] > IMPOSSIBLE / 2
        no_answer = no_answer[:, 0]
        threshold = self.schema.null_threshold
        answered = there if threshold is None else there & (no_answer <= threshold)
        return {
            "start_logits": starts,
            "end_logits": ends,
            "start": tf.where(there, begin[:, 0], 0),
            "end": tf.where(there, last + 1, 0),
            "score": score[:, 0],
            "no_answer": no_answer,
            "answered": tf.cast(answered, tf.int32),
        }

    def as_places(self, offsets, start, end):
        """`start_byte` and `end_byte`; both 0 where `end` is."""
        first = tf.gather(offsets[:, :, 0], start[:, None], batch_dims=1)[:, 0]
        last = tf.maximum(end - 1, 0)[:, None]
        behind = tf.gather(offsets[:, :, 1], last, batch_dims=1)[:, 0]
        return {
            "start_byte": tf.where(end > 0, first, 0),
            "end_byte": tf.where(end > 0, behind, 0),
        }

    def as_quotes(self, outputs, text, text_pair):
        """`answer` (batch), the text of the context as `AnswerSpan.answers` gives it, "" where
        there is no answer."""
        part = _whole_characters(text_pair, outputs["start_byte"], outputs["end_byte"])
        part = tf.strings.regex_replace(part, _WHITE_SPACE_AT_ENDS, "")
        return {"answer": tf.where(outputs["answered"] > 0, part, "")}

    def sample_ids(self, ids):
        """A question of a third of them, and its context."""
        if len(ids) > 3:
            ids[len(ids) // 3 : len(ids) // 3 + 2] = self.end_token_id
        return ids

    def _context_and_first(self, token_ids, padding_mask):
        """Which tokens are of the context, and which is the first: float32 (batch, length)."""
        is_end = tf.cast(token_ids == self.end_token_id, tf.int32) * padding_mask
        counts = tf.cumsum(padding_mask, axis=1)
        is_last = tf.cast(counts == tf.reduce_max(counts, axis=1, keepdims=True), tf.int32)
        behind = tf.cast(tf.cumsum(is_end, axis=1, exclusive=True) >= 2, tf.int32)
        context = padding_mask * behind * (1 - is_last * is_end)
        first = padding_mask * tf.cast(counts == 1, tf.int32)
        return tf.cast(context, tf.float32), tf.cast(first, tf.float32)

    def _largest_of_next(self, x, fill):
        """The largest of each value and of those behind it, as many as an answer has tokens."""
        batch, length = (size or tf.shape(x)[i] for i, size in enumerate(x.shape))
        count = self.schema.max_answer_length
        if isinstance(length, int):
            count = min(count, length)
        if count == 1:
            return x
        padded = tf.concat([x, tf.fill((batch, count - 1), fill)], axis=1)
        padded = tf.reshape(padded, (batch, length + count - 1, 1, 1))
        largest = tf.nn.max_pool2d(padded, (count, 1), 1, "VALID")
        return tf.reshape(largest, (batch, length))


def _whole_characters(texts, start, end):
    """The part of each text from one byte to another, with the whole of each character of which
    it has a byte: valid UTF-8.

    Args:
        texts: strings (batch,)
        start, end: int32 (batch,)
    """
    with tf.device("CPU"):
        size = tf.strings.length(texts)
        _, begins = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        begins = tf.cast(begins.to_tensor(default_value=-1), tf.int32)  # (batch, characters)
        behind = tf.where((begins < 0) | (begins < end[:, None]), size[:, None], begins)
        first = tf.maximum(tf.reduce_max(tf.where(begins <= start[:, None], begins, 0), axis=1), 0)
        last = tf.maximum(tf.minimum(tf.reduce_min(behind, axis=1), size), first)
        parts = tf.strings.substr(texts, first, last - first)
        return tf.strings.unicode_transcode(parts, "UTF-8", "UTF-8", errors="replace")


def _largest(x):
    """The largest of each row: (batch, 1)."""
    batch, length = x.shape
    if length is None or batch is None:
        return tf.reduce_max(x, axis=1, keepdims=True)
    pooled = tf.nn.max_pool2d(tf.reshape(x, (batch, length, 1, 1)), (length, 1), 1, "VALID")
    return tf.reshape(pooled, (batch, 1))
