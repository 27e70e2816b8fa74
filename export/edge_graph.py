"""The inference graph: a task's forward pass written for phones and servers, not for training.

It computes what the Keras model computes, from the same weights, in fewer and simpler operations.
Compare ml-ane-transformers, which rewrites a model for the Apple Neural Engine in the same spirit;
the target here is XNNPACK, TFLite's CPU back end, and the comments name the optimisation that each
line is for.
"""

import numpy as np
import tensorflow as tf

from keras_roberta.export.operation_names import (
    OWN_PROJECTION,
    POSITION_LOOK_UP,
    TOKEN_LOOK_UP,
    TOKEN_PROJECTION,
)

# Added to the score of a padding token. Small enough for half precision, whose largest number is
# 65504, and large enough that exp(-10,000) is 0 in any precision.
MASKED_SCORE = -1e4

# By the names of `RobertaConfig.hidden_activation`, each of operations that XNNPACK has.
ACTIVATIONS = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": tf.nn.relu,
    "silu": lambda x: x * tf.sigmoid(x),
}

_PROJECTIONS = ("query", "key", "value")


class EdgeGraph(tf.Module):
    """A task's weights and the encoder's forward pass, on which its `ExportedHead` computes.

    Shapes may be static, as TFLite wants them, or unknown until run, as a server does. Operations
    carry the name of the layer that they belong to (see `operation_names`).

    Args:
        task: with a `backbone` and `head_weights_by_name`.

    Attributes:
        weights: variables by name, such as "encoder/block_0/attention/query/kernel". One that
            layers share stands there for each of them.

    Raises:
        InputError: Keras has quantized the weights.
    """

    def __init__(self, task):
        super().__init__(name="edge_graph")
        weights = inference_weights(task)
        self.config = task.backbone.config
        # Variables, not constants: all signatures of a file then share one copy.
        variables = {}  # by the ids of arrays, which layers may share
        for name, value in weights.items():
            if id(value) not in variables:
                variables[id(value)] = tf.Variable(value, trainable=False, name=name)
        self.weights = {name: variables[id(value)] for name, value in weights.items()}

    def encode(self, token_ids, padding_mask, selection=None):
        """The encoder's last hidden state, only at the positions that the task reads.

        Args:
            token_ids: int32 (batch, length)
            padding_mask: int32 (batch, length), 1 for tokens, 0 for padding, which may be anywhere.
            selection: float32 (batch, places, length), in each row a single 1 where to read, or
                zeros; "all" for every place; None for `<s>` alone, each row's first token.

        Returns:
            float32 (batch * places, hidden_dim)
        """
        batch, length = shape_of(token_ids)
        with layer("embeddings/counts"):
            # How many tokens there are up to each place. The positions follow from the mask, which
            # is an input. Without it they would be constants: a converter would fold their look-up
            # into a constant matrix, and GPU delegates add only the first row of such a one.
            # The sum is of floats, since GPU delegates sum nothing else. All that follows is of
            # integers, since XNNPACK would otherwise run the graph in several pieces.
            counts = tf.cumsum(tf.cast(padding_mask, tf.float32), axis=1)
            counts = tf.cast(counts, tf.int32)  # (batch, length)
            if selection is None:  # a 1 at the first token: the mask times max(2 - count, 0)
                selection = tf.cast(padding_mask * tf.maximum(2 - counts, 0), tf.float32)
                selection = tf.reshape(selection, (batch, 1, length))
        with layer("attention_bias"):
            # (1 - mask) * MASKED_SCORE in one subtraction and one product, once for all blocks.
            # An addition inside the softmax costs less than a SELECT, which XNNPACK cannot run.
            bias = (1.0 - tf.cast(padding_mask, tf.float32)) * MASKED_SCORE
            bias = tf.reshape(bias, (batch, 1, 1, length))
        with layer(TOKEN_LOOK_UP):
            # Tokens lie in one axis: XNNPACK's matrix product is a 2-D one, and a third axis would
            # bring reshapes with it.
            x = self._rows("embeddings/token", tf.reshape(token_ids, (-1,)))
        with layer(POSITION_LOOK_UP):
            positions = tf.reshape(tf.maximum(counts - 1, 0), (-1,))
            positions = self._rows("embeddings/position", positions)
        with layer("embeddings/sum"):
            x += positions
        if self.config.embedding_norm:
            x = self.layer_norm(x, "embeddings/layer_norm")
        if self.config.embedding_dim is not None:
            x = self.dense(x, "embeddings/projection")
        last = self.config.num_layers - 1
        for i in range(last):
            x = self._block(x, bias, batch, length, i)
        x = self._block(x, bias, batch, length, last, selection)
        return self.layer_norm(x, "encoder/layer_norm") if self.config.norm_first else x

    def keep_positions(self, count):
        """Drops the positions behind the first so many, for files of fixed lengths."""
        name = "embeddings/position"
        # A row of zeros stays behind them: a table with as many rows as are looked up in it the
        # converter would widen whole from 8 bits.
        kept = tf.pad(self.weights[name][:count], [[0, 1], [0, 0]])
        self.weights[name] = tf.Variable(kept, trainable=False, name=name)

    def dense(self, x, name):
        """`x` times the kernel `name` plus its bias: (rows, width of the bias)."""
        with layer(name):
            # A product with a constant and an addition: one FULLY_CONNECTED with its bias.
            return self._product(x, f"{name}/kernel") + self.weights[f"{name}/bias"]

    def layer_norm(self, x, name):
        """`x` (rows, width), each row normalized and scaled by the weights of `name`."""
        with layer(name):
            # Means, squares and a reciprocal root are operations that XNNPACK has, so that no
            # layer norm ends its partition.
            x -= tf.reduce_mean(x, axis=-1, keepdims=True)
            variance = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True)
            x *= tf.math.rsqrt(variance + self.config.layer_norm_epsilon)
            # As rows of a matrix: the converter would multiply a vector into the kernels of the
            # products that follow, whose zeros and clusters and roundings are those of the task.
            # It would spare nothing, since the residual needs the layer norm's result, too.
            return x * self.weights[f"{name}/gamma"][None] + self.weights[f"{name}/beta"][None]

    def project_onto_vocabulary(self, x):
        """`x` (rows, embedding_width) times the embeddings of all tokens, or the head's own matrix:
        (rows, vocabulary_size)."""
        if OWN_PROJECTION in self.weights:
            with layer(OWN_PROJECTION):
                return self._product(x, OWN_PROJECTION, transpose_b=True)
        with layer(TOKEN_PROJECTION):
            # The embedding's rows are the projection's outputs, as TFLite keeps them for both.
            return self._product(x, "embeddings/token", transpose_b=True)

    def _rows(self, name, indices):
        """Some rows of the matrix `name`: (indices, columns)."""
        return tf.gather(self.weights[name], indices)

    def _product(self, x, name, transpose_b=False):
        """`x` times the matrix `name`, or times that turned over."""
        return tf.matmul(x, self.weights[name], transpose_b=transpose_b)

    def _block(self, x, bias, batch, length, i, selection="all"):
        """One encoder block on (batch * length, hidden_dim), at the rows of a selection."""
        name, norm_first = f"encoder/block_{i}", self.config.norm_first
        attention_norm, output_norm = f"{name}/attention_layer_norm", f"{name}/output_layer_norm"
        y = self.layer_norm(x, attention_norm) if norm_first else x
        key = self._heads(y, f"{name}/attention/key", batch, length)
        value = self._heads(y, f"{name}/attention/value", batch, length)
        if not isinstance(selection, str):  # the other rows need not ask, nor go on
            with layer(f"{name}/read"):
                x = _selected_rows(x, selection)
                y = _selected_rows(y, selection) if norm_first else x
                length = shape_of(selection)[1]
        # Three products for query, key and value, since the split of a fused one copies more than
        # it saves.
        query = self._heads(y, f"{name}/attention/query", batch, length)
        attended = self._attend(query, key, value, bias, f"{name}/attention")
        attended = self.dense(attended, f"{name}/attention/output")
        with layer(f"{name}/attention_residual"):
            x += attended
        if not norm_first:
            x = self.layer_norm(x, attention_norm)
        y = self.layer_norm(x, output_norm) if norm_first else x
        y = self.dense(y, f"{name}/intermediate")
        with layer(f"{name}/activation"):
            y = ACTIVATIONS[self.config.hidden_activation](y)
        y = self.dense(y, f"{name}/output")
        with layer(f"{name}/output_residual"):
            x += y
        return x if norm_first else self.layer_norm(x, output_norm)

    def _attend(self, query, key, value, bias, name):
        """Softmax of the scores and mean of the values: (batch * queries, hidden_dim)."""
        with layer(f"{name}/scores"):
            scores = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + bias)
        with layer(f"{name}/mean"):
            x = tf.matmul(scores, value)  # (batch, heads, queries, head_dim)
            x = tf.transpose(x, (0, 2, 1, 3))
            return tf.reshape(x, (-1, self.config.hidden_dim))

    def _heads(self, x, name, batch, length):
        """A projection split into heads: (batch, heads, length, head_dim)."""
        x = self.dense(x, name)
        with layer(name):
            x = tf.reshape(x, (batch, length, self.config.num_heads, self.config.head_dim))
            return tf.transpose(x, (0, 2, 1, 3))


def layer(name):
    """A context in which operations are named after a layer, wherever it is entered from."""
    return tf.name_scope(f"{name}/")


def inference_weights(task):
    """The task's weights in float32, with all that can be computed beforehand folded in.

    LoRA's product is part of its kernel; token type 0 of the positions, which count from the first
    token; the scale of the attention scores of the query; and query, key and value stand apart.

    Returns:
        dict of names ("encoder/block_0/attention/query/kernel", "head/out/bias", ...) to float32
        arrays; what layers share is one array.

    Raises:
        InputError: the weights are quantized.
    """
    config = task.backbone.config
    named = task.backbone.weights_by_name()
    named |= {f"head/{name}": value for name, value in task.head_weights_by_name().items()}
    arrays = {id(value): np.asarray(value, "float32") for value in named.values()}
    weights = {name: arrays[id(value)] for name, value in named.items()}

    positions = weights["embeddings/position"][config.pad_token_id + 1 :]
    if config.num_token_types:
        positions = positions + weights.pop("embeddings/token_type")[0]
    weights["embeddings/position"] = positions  # (max_sequence_length, embedding_width)

    scale = np.float32(config.head_dim**-0.5)
    for i in range(config.num_layers):
        block, owner = f"encoder/block_{i}", f"encoder/block_{config.owner(i, 'attention')}"
        for part in ("kernel", "bias"):
            fused = weights.pop(f"{block}/attention/query_key_value/{part}")
            if owner == block:
                query, key, value = np.split(fused, 3, axis=-1)
                parts = {"query": query * scale, "key": key, "value": value}
            else:
                parts = {x: weights[f"{owner}/attention/{x}/{part}"] for x in _PROJECTIONS}
            weights |= {f"{block}/attention/{x}/{part}": array for x, array in parts.items()}
    return weights


def shape_of(x):
    """Sizes of the axes: numbers where they are known, scalars of the graph elsewhere."""
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]


def _selected_rows(x, selection):
    """(batch * length, width) to (batch * places, width).

    A product with ones and zeros is exact, and unlike a gather XNNPACK has it.
    """
    batch, places, length = shape_of(selection)
    width = x.shape[-1]
    x = tf.matmul(selection, tf.reshape(x, (batch, length, width)))  # (batch, places, width)
    return tf.reshape(x, (batch * places, width))
