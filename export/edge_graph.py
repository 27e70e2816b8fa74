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

# Added to the score of a padding token. Small enough for half precision, whose largest number is
# 65504, and large enough that exp(-10,000) is 0 in any precision.
MASKED_SCORE = -1e4


class EdgeGraph(tf.Module):
    """A task's weights and the encoder's forward pass; `task_graphs` puts the heads on it.

    Shapes may be static, as TFLite wants them, or unknown until run, as a server does.

    Args:
        task: see `task_graphs.graph_of`.

    Raises:
        InputError: Keras has quantized the weights.
    """

    def __init__(self, task):
        super().__init__(name="edge_graph")
        weights = inference_weights(task)
        self.config = task.backbone.config
        # Variables, not constants: all signatures of a file then share one copy.
        self.weights = {
            name: tf.Variable(value, trainable=False, name=name) for name, value in weights.items()
        }

    def encode(self, token_ids, padding_mask, positions=None, selection=None):
        """The encoder's last hidden state, at the places that the task reads alone.

        Args:
            token_ids: int32 (batch, length)
            padding_mask: int32 (batch, length), 1 for tokens, 0 for padding.
            positions: int32 (batch, length), counted from 0; None where padding only ever stands
                at the end.
            selection: float32 (batch, places, length), in each row a single 1 where to read, or
                zeros; None for `<s>` alone.

        Returns:
            float32 (batch * places, hidden_dim)
        """
        batch, length = shape_of(token_ids)
        # (1 - mask) * MASKED_SCORE in one subtraction and one product, once for all blocks.
        # An addition inside the softmax costs less than a SELECT, which XNNPACK cannot run.
        bias = (1.0 - tf.cast(padding_mask, tf.float32)) * MASKED_SCORE
        bias = tf.reshape(bias, (batch, 1, 1, length))
        # Tokens lie in one axis: XNNPACK's matrix product is a 2-D one, and a third axis would
        # bring reshapes with it.
        x = tf.gather(self.weights["embeddings/token"], tf.reshape(token_ids, (-1,)))
        x += self._positions(batch, length, positions)
        x = self._layer_norm(x, "embeddings/layer_norm")
        for i in range(self.config.num_layers - 1):
            x = self._block(x, bias, batch, length, i)

        def read(x):
            if selection is None:
                return _first_rows(x, batch, length), 1
            return _selected_rows(x, selection), shape_of(selection)[1]

        return self._block(x, bias, batch, length, self.config.num_layers - 1, read)

    def _positions(self, batch, length, positions):
        table = self.weights["embeddings/position"]
        if positions is not None:
            return tf.gather(table, tf.reshape(positions, (-1,)))
        if isinstance(batch, int) and batch == 1:
            return table[:length]  # folded into a constant: no gather
        return tf.tile(table[:length], (batch, 1))

    def _block(self, x, bias, batch, length, i, read=None):
        """One encoder block on (batch * length, hidden_dim).

        `read` takes what goes in to the rows that are wanted of what comes out, and their number
        for each text.
        """
        name = f"encoder/block_{i}"
        key = self._heads(x, f"{name}/key", batch, length)
        value = self._heads(x, f"{name}/value", batch, length)
        if read is not None:  # the other rows need not ask, nor go on
            x, length = read(x)
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
        InputError: the weights are quantized.
    """
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


def shape_of(x):
    """Sizes of the axes: numbers where they are known, scalars of the graph elsewhere."""
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]


def _first_rows(x, batch, length):
    """Row 0 of each sequence: (batch * length, width) to (batch, width)."""
    width = x.shape[-1]
    return tf.reshape(tf.reshape(x, (batch, length, width))[:, :1], (batch, width))


def _selected_rows(x, selection):
    """(batch * length, width) to (batch * places, width).

    A product with ones and zeros is exact, and unlike a gather XNNPACK has it.
    """
    batch, places, length = shape_of(selection)
    width = x.shape[-1]
    x = tf.matmul(selection, tf.reshape(x, (batch, length, width)))  # (batch, places, width)
    return tf.reshape(x, (batch * places, width))
