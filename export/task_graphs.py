"""The heads on the encoder of `EdgeGraph`: what each task answers, by name."""

import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.export.edge_graph import EdgeGraph, shape_of
from keras_roberta.tasks.masked_lm import RobertaMaskedLM
from keras_roberta.tasks.text_classifier import RobertaTextClassifier


def graph_of(task, top_k=5, max_masks=None):
    """The inference graph of a task.

    Args:
        task: a `RobertaTextClassifier` or a `RobertaMaskedLM`.
        top_k, max_masks: see `MaskedLMGraph`.

    Raises:
        InputError: for another task, or one whose weights Keras has quantized.
    """
    if isinstance(task, RobertaTextClassifier):
        return ClassifierGraph(task)
    if isinstance(task, RobertaMaskedLM):
        return MaskedLMGraph(task, top_k, max_masks)
    raise InputError(
        f"export takes a RobertaTextClassifier or a RobertaMaskedLM; got a {type(task).__name__}"
    )


class ClassifierGraph(EdgeGraph):
    """A `RobertaTextClassifier`.

    Attributes:
        metadata: what `metadata.describe` is to say about the answers.
        ids_name: what a file that takes text calls the ids that it made of it.
    """

    ids_name = "token_ids"

    def __init__(self, task):
        super().__init__(task)
        self.num_classes = task.num_classes
        self.metadata = {"num_classes": task.num_classes, "labels": list(task.labels)}

    def __call__(self, token_ids, padding_mask, positions=None):
        """The task's outputs by name; for the arguments see `encode`.

        Returns:
            dict of `logits` float32 (batch, num_classes), `probabilities` like it, `label` int32
            (batch) and `score` float32 (batch), the label's probability. A regression has `value`
            float32 (batch) in place of the last three.
        """
        hidden = self.encode(token_ids, padding_mask, positions)
        hidden = tf.tanh(self._dense(hidden, "head/dense"))  # (batch, hidden_dim)
        logits = self._dense(hidden, "head/out")  # (batch, num_classes)
        if self.num_classes == 1:
            return {"logits": logits, "value": tf.reshape(logits, (-1,))}
        probabilities = tf.nn.softmax(logits)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "label": tf.argmax(logits, axis=-1, output_type=tf.int32),
            "score": tf.reduce_max(probabilities, axis=-1),
        }

    def as_strings(self, outputs, token_ids, tokenizer):
        """Nothing in the answers has a spelling."""
        return {}

    def as_bytes(self, outputs, tokenizer):
        return {}


class MaskedLMGraph(EdgeGraph):
    """A `RobertaMaskedLM`: the likeliest tokens for each `<mask>`.

    Args:
        task: with a preprocessor, whose tokenizer says what `<mask>` is.
        top_k: candidates a mask.
        max_masks: how many masks of a text are answered, the first ones; None: all.
    """

    ids_name = "input_ids"

    def __init__(self, task, top_k=5, max_masks=None):
        if task.preprocessor is None:
            raise InputError("the task has no preprocessor to tell what <mask> is; give it one")
        _check_count("top_k", top_k, task.backbone.config.vocabulary_size)
        if max_masks is not None:
            _check_count("max_masks", max_masks, task.backbone.config.max_sequence_length)
        super().__init__(task)
        self.top_k, self.max_masks = top_k, max_masks
        self.mask_token_id = task.preprocessor.tokenizer.mask_token_id
        self.metadata = {
            "num_classes": None,
            "labels": [],
            "mask_token_id": self.mask_token_id,
            "top_k": top_k,
            "max_masks": max_masks,
        }

    def __call__(self, token_ids, padding_mask, positions=None):
        """The candidates for each mask; for the arguments see `encode`.

        Returns:
            dict of `token_ids` int32, `scores` float32, their probabilities, and `logits` float32,
            each (batch, masks, top_k), the best first and the masks as they stand in the text; and
            `num_masks` int32 (batch), how many the text has. `masks` is `max_masks`, or the most
            of a text in the batch. Behind the masks of a text are zeros.
        """
        batch, _ = shape_of(token_ids)
        is_mask = self._is_mask(token_ids) * padding_mask  # (batch, length)
        num_masks = tf.reduce_sum(is_mask, axis=1)  # (batch,)
        masks = self.max_masks or tf.reduce_max(tf.concat([num_masks, [0]], 0))
        number = tf.cumsum(is_mask, axis=1) * is_mask  # (batch, length), from 1
        selection = number[:, None, :] == tf.range(1, masks + 1)[:, None]  # (batch, masks, length)
        x = self.encode(token_ids, padding_mask, positions, tf.cast(selection, tf.float32))
        x = tf.nn.gelu(self._dense(x, "head/dense"), approximate=False)
        x = self._layer_norm(x, "head/layer_norm")  # (batch * masks, hidden_dim)
        # The embedding's rows are the projection's outputs, as TFLite keeps them for both.
        logits = tf.matmul(x, self.weights["embeddings/token"], transpose_b=True)
        logits += self.weights["head/bias"]
        logits = tf.reshape(logits, (batch, masks, logits.shape[-1]))
        probabilities = tf.nn.softmax(logits)
        # From here on there is nothing that XNNPACK would take up again.
        best, candidates = tf.math.top_k(logits, self.top_k)  # (batch, masks, top_k)
        scores = tf.gather(probabilities, candidates, batch_dims=2)
        is_there = self._is_there(num_masks, masks)[:, :, None]
        answers = {"token_ids": candidates, "scores": scores, "logits": best}
        answers = {name: tf.where(is_there, answer, 0) for name, answer in answers.items()}
        return {**answers, "num_masks": num_masks}

    def as_strings(self, outputs, token_ids, tokenizer):
        """What a SavedModel says besides.

        Args:
            outputs: of calling the graph.
            token_ids: int32 (batch, length), its input.
            tokenizer: `BatchedTokenizer`

        Returns:
            dict of strings: `tokens` (batch, masks, top_k), the candidates, with the space before a
            word, empty behind the masks of a text; and `filled` (batch), the text with each mask
            replaced by its first candidate, without special tokens.
        """
        candidates, num_masks = outputs["token_ids"], outputs["num_masks"]
        tokens = tokenizer.detokenize(candidates[..., None], skip_special_tokens=False)
        is_there = self._is_there(num_masks, tf.shape(candidates)[1])[:, :, None]
        is_mask = self._is_mask(token_ids)
        number = tf.cumsum(is_mask, axis=1) * is_mask  # (batch, length), 0 where no mask is
        best = tf.pad(candidates[:, :, 0], [[0, 0], [1, 0]])  # (batch, 1 + masks)
        best = tf.gather(best, number, batch_dims=1)  # (batch, length)
        return {
            "tokens": tf.where(is_there, tokens, ""),
            "filled": tokenizer.detokenize(tf.where(number > 0, best, token_ids)),
        }

    def as_bytes(self, outputs, tokenizer):
        """What a TFLite file says besides.

        Args:
            outputs: of calling the graph.
            tokenizer: `StaticTokenizer`

        Returns:
            dict of `token_utf8` uint8 (batch, masks, top_k, bytes of the longest token), the
            candidates, with the space before a word, zeros behind; and `token_num_bytes` int32
            (batch, masks, top_k), 0 behind the masks of a text.
        """
        utf8, lengths = tokenizer.spell(outputs["token_ids"])
        is_there = self._is_there(outputs["num_masks"], self.max_masks)[:, :, None]
        return {"token_utf8": utf8, "token_num_bytes": tf.where(is_there, lengths, 0)}

    def _is_mask(self, token_ids):
        return tf.cast(token_ids == self.mask_token_id, tf.int32)

    def _is_there(self, num_masks, masks):
        """Whether a text has a mask of this number: bool (batch, masks)."""
        return tf.range(masks) < num_masks[:, None]


def _check_count(name, value, most):
    if type(value) is not int or not 1 <= value <= most:
        raise InputError(f"{name}: expected a whole number in 1..{most}; got {value!r}")
