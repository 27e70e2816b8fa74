"""The head of a masked language model as an exported model computes it."""

import numpy as np
import tensorflow as tf

from keras_roberta.schemas.masked_tokens import NOTHING
from keras_roberta.tasks.exported_head import ExportedHead
from keras_roberta.tasks.mask_candidates import NO_TOKEN


class MaskedLMExportedHead(ExportedHead):
    """The likeliest tokens for each `<mask>`.

    Gives `token_ids` int32, `scores` float32, their probabilities, and `logits` float32, each
    (batch, masks, top_k), the best first and the masks as they stand in the text; and `num_masks`
    int32 (batch), how many the text has. `masks` is the schema's `max_masks`, or the most of a text
    in the batch. Behind the masks of a text, and where it has none, ids are -1, and scores and
    logits 0.

    Args:
        schema: `MaskedTokens`
        has_token: bool (vocabulary_size,), the rows of the embedding that a token has; only these
            are candidates.
    """

    ids_name = "input_ids"

    def __init__(self, schema, has_token):
        super().__init__(schema)
        self.no_token = None if has_token.all() else np.where(has_token, 0, NO_TOKEN)
        self.any_number_of_outputs = schema.max_masks is None

    def __call__(self, encoder, token_ids, padding_mask):
        is_mask = self._is_mask(token_ids) * padding_mask  # (batch, length)
        num_masks = tf.reduce_sum(is_mask, axis=1)  # (batch,)
        masks = self.schema.max_masks or tf.reduce_max(tf.concat([num_masks, [0]], 0))
        number = tf.cumsum(is_mask, axis=1) * is_mask  # (batch, length), from 1
        selection = number[:, None, :] == tf.range(1, masks + 1)[:, None]  # (batch, masks, length)
        x = encoder.encode(token_ids, padding_mask, tf.cast(selection, tf.float32))
        x = tf.nn.gelu(encoder.dense(x, "head/dense"), approximate=False)
        x = encoder.layer_norm(x, "head/layer_norm")  # (batch * masks, embedding_width)
        bias = encoder.weights["head/bias"]
        if self.no_token is not None:  # the converter makes one bias of the two
            bias = bias + tf.constant(self.no_token, tf.float32)
        logits = encoder.project_onto_vocabulary(x) + bias
        batch = token_ids.shape[0] or tf.shape(token_ids)[0]
        logits = tf.reshape(logits, (batch, masks, logits.shape[-1]))
        probabilities = tf.nn.softmax(logits)
        # From here on there is nothing that XNNPACK would take up again.
        best, candidates = tf.math.top_k(logits, self.schema.top_k)  # (batch, masks, top_k)
        scores = tf.gather(probabilities, candidates, batch_dims=2)
        is_there = self._is_there(num_masks, masks)[:, :, None]
        answers = {"token_ids": candidates, "scores": scores, "logits": best}
        answers = {n: tf.where(is_there, answer, NOTHING[n]) for n, answer in answers.items()}
        return {**answers, "num_masks": num_masks}

    def as_strings(self, outputs, token_ids, tokenizer):
        """`tokens` (batch, masks, top_k), the candidates, with the space before a word, empty
        behind the masks of a text; `tokens_bytes`, the same as they are, where `tokens` has U+FFFD
        for parts of characters; and `filled` (batch), the text with each mask replaced by its first
        candidate, without special tokens.

        TF Serving's REST sends what is called `_bytes` in base 64, all else as it is, so that it
        has to be UTF-8."""
        candidates, num_masks = outputs["token_ids"], outputs["num_masks"]
        masks = tf.shape(candidates)[1]
        is_there = self._is_there(num_masks, masks)[:, :, None]
        candidates = tf.maximum(candidates, 0)
        tokens = tokenizer.detokenize(candidates[..., None], skip_special_tokens=False)
        is_mask = self._is_mask(token_ids)
        number = tf.cumsum(is_mask, axis=1) * is_mask  # (batch, length), 0 where no mask is
        number = tf.where(number <= masks, number, 0)  # nor where one has no answer
        best = tf.pad(candidates[:, :, 0], [[0, 0], [1, 0]])  # (batch, 1 + masks)
        best = tf.gather(best, number, batch_dims=1)  # (batch, length)
        return {
            "tokens": tf.where(is_there, tokens, ""),
            "tokens_bytes": tf.where(is_there, tokenizer.spell(candidates), ""),
            "filled": tokenizer.detokenize(tf.where(number > 0, best, token_ids)),
        }

    def as_bytes(self, outputs, tokenizer):
        """`token_utf8` uint8 (batch, masks, top_k, bytes of the longest token), the candidates,
        with the space before a word, zeros behind; and `token_num_bytes` int32
        (batch, masks, top_k), 0 behind the masks of a text."""
        utf8, lengths = tokenizer.spell(tf.maximum(outputs["token_ids"], 0))
        is_there = self._is_there(outputs["num_masks"], self.schema.max_masks)[:, :, None]
        return {"token_utf8": utf8, "token_num_bytes": tf.where(is_there, lengths, 0)}

    def sample_ids(self, ids):
        ids[::5] = self.schema.mask_token_id
        return ids

    def _is_mask(self, token_ids):
        return tf.cast(token_ids == self.schema.mask_token_id, tf.int32)

    @staticmethod
    def _is_there(num_masks, masks):
        """Whether a text has a mask of this number: bool (batch, masks)."""
        return tf.range(masks) < num_masks[:, None]
