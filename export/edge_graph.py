"""The inference graph: a task's forward pass written for phones and servers, not for training.

It computes what the Keras model computes, from the same weights, in fewer and simpler operations.
Compare ml-ane-transformers, which rewrites a model for the Apple Neural Engine in the same spirit;
the target here is XNNPACK, TFLite's CPU back end, and the comments name the optimisation that each
line is for.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_roberta.errors import InputError
from keras_roberta.models.roberta_text_classifier import RobertaTextClassifier

# Added to the score of a padding token. Small enough for half precision, whose largest number is
# 65504, and large enough that exp(-10,000) is 0 in any precision.
MASKED_SCORE = -1e4


class EdgeGraph(tf.Module):
    """A task's weights and its forward pass.

    Shapes may be static, as TFLite wants them, or unknown until run, as a server does.

    Args:
        task: a `RobertaTextClassifier`.

    Raises:
        InputError: for another task, or one whose weights Keras has quantized.
    """

    def __init__(self, task):
        super().__init__(name="edge_graph")
        weights = inference_weights(task)
        self.config = task.backbone.config
        self.num_classes = task.num_classes
        # Variables, not constants: all signatures of a file then share one copy.
        self.weights = {
            name: tf.Variable(value, trainable=False, name=name) for name, value in weights.items()
        }

    def __call__(self, token_ids, padding_mask, positions=None):
        """The task's outputs by name.

        Args:
            token_ids: int32 (batch, length)
            padding_mask: int32 (batch, length), 1 for tokens, 0 for padding.
            positions: int32 (batch, length), counted from 0; None where padding only ever stands
                at the end.

        Returns:
            dict of `logits` float32 (batch, num_classes), `probabilities` like it, `label` int32
            (batch) and `score` float32 (batch), the label's probability. A regression has `value`
            float32 (batch) in place of the last three.
        """
        hidden = self.encode_start(token_ids, padding_mask, positions)
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

    def encode_start(self, token_ids, padding_mask, positions=None):
        """The encoder's last hidden state at `<s>`: float32 (batch, hidden_dim)."""
        batch, length = _shape(token_ids)
        # (1 - mask) * MASKED_SCORE in one subtraction and one product, once for all blocks.
        # An addition inside the softmax costs less than a SELECT, which XNNPACK cannot run.
        bias = (1.0 - tf.cast(padding_mask, tf.float32)) * MASKED_SCORE
        bias = tf.reshape(bias, (batch, 1, 1, length))
        # Tokens lie in one axis: XNNPACK's matrix product is a 2-D one, and a third axis would
        # bring reshapes with it.
        x = tf.gather(self.weights["embeddings/token"], tf.reshape(token_ids, (-1,)))
        x += self._positions(batch, length, positions)
        x = self._layer_norm(x, "embeddings/layer_norm")
        for i in range(self.config.num_layers):
            x = self._block(x, bias, batch, length, i)
        return x

    def _positions(self, batch, length, positions):
        table = self.weights["embeddings/position"]
        if positions is not None:
            return tf.gather(table, tf.reshape(positions, (-1,)))
        if isinstance(batch, int) and batch == 1:
            return table[:length]  # folded into a constant: no gather
        return tf.tile(table[:length], (batch, 1))

    def _block(self, x, bias, batch, length, i):
        """One encoder block on (batch * length, hidden_dim); the last one gives (batch, ...)."""
        name = f"encoder/block_{i}"
        key = self._heads(x, f"{name}/key", batch, length)
        value = self._heads(x, f"{name}/value", batch, length)
        if i == self.config.num_layers - 1:
            # Only `<s>` is read after the last block, so only its row asks, and goes on.
            x, length = _first_rows(x, batch, length), 1
        # Three products for query, key and value, since the split of a fused one copies more than
        # it saves.
        query = self._heads(x, f"{name}/query", batch, length)
        scores = tf.matmul(query, key, transpose_b=True) + bias
        x += self._attend(scores, value, name)
        x = self._layer_norm(x, f"{name}/attention_layer_norm")
        # The exact GELU becomes one operation, which XNNPACK has.
        y = tf.nn.gelu(self._dense(x, f"{name}/intermediate"), approximate=False)
        return self._layer_norm(x + self._dense(y, f"{name}/output"), f"{name}/output_layer_norm")

    def _attend(self, scores, value, name):
        """Softmax, mean of the values and output projection: (batch * queries, hidden_dim)."""
        x = tf.matmul(tf.nn.softmax(scores), value)  # (batch, heads, queries, head_dim)
        x = tf.transpose(x, (0, 2, 1, 3))
        x = tf.reshape(x, (-1, self.config.hidden_dim))
        return self._dense(x, f"{name}/attention/output")

    def _heads(self, x, name, batch, length):
        """A projection split into heads: (batch, heads, length, head_dim)."""
        x = tf.reshape(
            self._dense(x, name), (batch, length, self.config.num_heads, self.config.head_dim)
        )
        return tf.transpose(x, (0, 2, 1, 3))

    def _dense(self, x, name):
        # A product with a constant and an addition: one FULLY_CONNECTED with its bias.
        return tf.matmul(x, self.weights[f"{name}/kernel"]) + self.weights[f"{name}/bias"]

    def _layer_norm(self, x, name):
        # Means, squares and a reciprocal root are operations that XNNPACK has, so that no
        # layer norm ends its partition.
        x -= tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True)
        x *= tf.math.rsqrt(variance + self.config.layer_norm_epsilon)
        return x * self.weights[f"{name}/gamma"] + self.weights[f"{name}/beta"]


def inference_weights(task):
    """The task's weights in float32, with all that can be computed beforehand folded in.

    LoRA's product is part of its kernel; token type 0 of the positions, which count from the first
    token; the scale of the attention scores of the query; and query, key and value stand apart.

    Returns:
        dict of names ("encoder/block_0/query/kernel", "head/out/bias", ...) to float32 arrays.

    Raises:
        InputError: for a task other than `RobertaTextClassifier`, or quantized weights.
    """
    if not isinstance(task, RobertaTextClassifier):
        raise InputError(f"export takes a RobertaTextClassifier; got a {type(task).__name__}")
    config = task.backbone.config
    named = task.backbone.weights_by_name()
    named |= {f"head/{name}": value for name, value in task.head_weights_by_name().items()}
    weights = {name: _float32(name, value) for name, value in named.items()}

    positions = weights["embeddings/position"][config.pad_token_id + 1 :]
    if config.num_token_types:
        positions = positions + weights.pop("embeddings/token_type")[0]
    weights["embeddings/position"] = positions  # (max_sequence_length, hidden_dim)

    scale = np.float32(config.head_dim**-0.5)
    for i in range(config.num_layers):
        block = f"encoder/block_{i}"
        for part in ("kernel", "bias"):
            fused = weights.pop(f"{block}/attention/query_key_value/{part}")
            query, key, value = np.split(fused, 3, axis=-1)
            weights[f"{block}/query/{part}"] = query * scale
            weights[f"{block}/key/{part}"] = key
            weights[f"{block}/value/{part}"] = value
    return weights


def _float32(name, value):
    value = keras.ops.convert_to_numpy(value)
    if value.dtype.kind in "iu":
        raise InputError(
            f"weight {name} is {value.dtype}: export the model as it was before model.quantize(); "
            "the exporters quantize by themselves"
        )
    return value.astype("float32")


def _shape(x):
    """Sizes of the axes: numbers where they are known, scalars of the graph elsewhere."""
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]


def _first_rows(x, batch, length):
    """Row 0 of each sequence: (batch * length, width) to (batch, width)."""
    width = x.shape[-1]
    return tf.reshape(tf.reshape(x, (batch, length, width))[:, :1], (batch, width))
