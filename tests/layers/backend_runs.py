"""Outputs and gradients of the layers on Keras's backend, from weights that are the same on all.

KERAS_BACKEND=jax python backend_runs.py OUT.npz
"""

import sys

import keras
import numpy as np
from keras import ops

from keras_roberta.config import RobertaConfig
from keras_roberta.layers import (
    ClassificationHead,
    MaskedLMHead,
    RobertaEmbeddings,
    RobertaEncoder,
    TokenClassificationHead,
)
from keras_roberta.layers.cross_entropy import cross_entropy
from keras_roberta.layers.dropout import dropout
from keras_roberta.layers.gelu import gelu
from keras_roberta.layers.pooling import TextPooling
from keras_roberta.layers.projection import project_onto_vocabulary
from keras_roberta.layers.similarity_losses import CoSENTLoss, SimilarityLoss

CONFIG = RobertaConfig(
    vocabulary_size=50,
    num_layers=1,
    num_heads=4,
    hidden_dim=32,
    intermediate_dim=64,
    max_sequence_length=10,
    num_token_types=2,
)
TOKEN_IDS = np.random.default_rng(0).integers(3, 50, (3, 10)).astype("int32")
PADDING_MASK = np.array([[1] * 10, [1] * 6 + [0] * 4, [0] * 3 + [1] * 7], "int32")
SEGMENT_IDS = np.array([[1] * 4 + [2] * 6, [1] * 3 + [2] * 3 + [0] * 4, [0] * 3 + [1] * 7], "int32")
TOKEN_TYPE_IDS = np.array([[0] * 5 + [1] * 5] * 3, "int32")
MASK_POSITIONS = np.array([[1, 8], [2, 5], [3, 9]], "int32")


class Model:
    """What a backbone is made of, with all heads."""

    def __init__(self):
        self.embeddings = RobertaEmbeddings(CONFIG, name="embeddings")
        self.encoder = RobertaEncoder(CONFIG, name="encoder")
        table = self.embeddings.token_embedding
        self.masked_lm = MaskedLMHead(CONFIG, table, name="masked_lm")
        self.classes = ClassificationHead(CONFIG, 3, name="classes")
        self.token_classes = TokenClassificationHead(CONFIG, 4, name="token_classes")
        self.embeddings.build((None, None))
        layers = self.embeddings, self.encoder, self.masked_lm, self.classes, self.token_classes
        for layer in layers[1:]:
            layer.build((None, None, CONFIG.hidden_dim))
        # By path, since two layers share the table.
        self.variables = list({v.path: v for layer in layers for v in layer.weights}.values())

    def __call__(self, packed):
        """A dict of outputs: of rows of one text each, or of several."""
        token_types, segments = (TOKEN_TYPE_IDS, SEGMENT_IDS) if packed else (None, None)
        x = self.embeddings(TOKEN_IDS, PADDING_MASK, token_types, segments)
        first = self.encoder(x, PADDING_MASK, segments, positions="first")
        masked = self.encoder(x, PADDING_MASK, segments, positions=MASK_POSITIONS)
        x = self.encoder(x, PADDING_MASK, segments)
        return {
            "hidden": x,
            "masked_lm": self.masked_lm(masked),
            "classes": self.classes(first),
            "token_classes": self.token_classes(x),
        }


def outputs_and_gradients(function, inputs):
    """By the backend's own means.

    Args:
        function: takes a list of tensors; gives a scalar and a dict of outputs.
        inputs: list of numpy arrays.

    Returns:
        the outputs, and the gradient of the scalar by each input, None where there is none.
    """
    inputs = [ops.convert_to_tensor(array) for array in inputs]
    if keras.backend.backend() == "jax":
        import jax

        gradients, outputs = jax.jit(jax.grad(function, has_aux=True))(inputs)
        return outputs, gradients
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value, outputs = function(inputs)
    gradients = tape.gradient(value, inputs)
    return outputs, [None if g is None else tf.convert_to_tensor(g) for g in gradients]


def compute():
    """All outputs and gradients by name, as numpy arrays."""
    random = np.random.default_rng(1)
    model = Model()
    for variable in model.variables:
        value = random.normal(0, 0.2, variable.shape)
        variable.assign(value + 1 if variable.name == "gamma" else value)
    results = {}
    for form, packed in (("plain", False), ("packed", True)):

        def weigh(values, packed=packed):
            factors = np.random.default_rng(2)
            with keras.StatelessScope(list(zip(model.variables, values, strict=True))):
                outputs = model(packed)
            weighed = [v * factors.normal(size=v.shape).astype("float32") for v in outputs.values()]
            return sum(ops.mean(v) for v in weighed), outputs

        values = [ops.convert_to_numpy(v) for v in model.variables]
        outputs, gradients = outputs_and_gradients(weigh, values)
        results |= {f"{form}/{name}": v for name, v in outputs.items()}
        for variable, gradient in zip(model.variables, gradients, strict=True):
            if gradient is not None:
                results[f"{form}/gradient of {variable.path}"] = gradient

    def triple(inputs):
        y = gelu(inputs[0])
        return 3 * ops.sum(y), {"gelu": y}

    outputs, (slope,) = outputs_and_gradients(triple, [np.linspace(-8, 8, 161, dtype="float32")])
    results |= {**outputs, "slope of gelu": slope}

    def drop(inputs):
        y = dropout(inputs[0], 0.3, np.array([7, 2], "uint32"), residual=inputs[1])
        return 3 * ops.sum(y), {"dropout": y}

    def lose(inputs):
        logits = project_onto_vocabulary(*inputs)
        losses = cross_entropy(np.array([[3, 0], [1, 9]]), logits)
        return ops.sum(losses), {"losses": losses}

    shapes = (2, 2, 8), (10, 8), (10,)
    arrays = [random.normal(size=shape).astype("float32") for shape in shapes]
    outputs, slopes = outputs_and_gradients(lose, arrays)
    names = "slope of rows", "slope of table", "slope of bias"
    results |= {**outputs, **dict(zip(names, slopes, strict=True))}

    def draw_together(inputs):
        numbers = np.array([[0, 1, 2], [3, 4, 1], [0, 5, 6]], "float32")
        vectors = TextPooling("mean", normalize=False)(inputs[0], np.ones(inputs[0].shape[:2]))
        of_groups = SimilarityLoss().call(numbers, vectors)
        of_pairs = SimilarityLoss().call(np.array([0.1, 0.9, 0.4], "float32"), vectors)
        ranked = CoSENTLoss().call(np.array([1, 3, 2], "float32"), vectors)
        losses = {"losses of groups": of_groups, "losses of pairs": of_pairs, "CoSENT": ranked}
        return sum(map(ops.sum, losses.values())), losses

    outputs, (slope,) = outputs_and_gradients(
        draw_together, [random.normal(size=(9, 4, 8)).astype("float32")]
    )
    results |= {**outputs, "slope of vectors": slope}

    # All at once: blocks, dropout, what is made again, and some positions of packed rows.
    config = CONFIG.replace(attention="blocks", attention_dropout=0.2, dropout=0.1, remat=True)
    encoder = RobertaEncoder(config, name="remade")
    encoder.build((None, None, CONFIG.hidden_dim))
    seeds = [v for v in encoder.variables if v.name == "seed_generator_state"]
    for number, seed in enumerate(seeds):
        seed.assign([number, 1])
    for variable in encoder.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    states = [seed.value for seed in seeds]

    def encode(inputs):
        with keras.StatelessScope(list(zip(seeds, states, strict=True))):
            y = encoder(
                inputs[0], PADDING_MASK, SEGMENT_IDS, positions=MASK_POSITIONS, training=True
            )
        return 1e3 * ops.mean(y**3), {"remade": y}

    x = random.normal(size=(*TOKEN_IDS.shape, CONFIG.hidden_dim)).astype("float32")
    outputs, (slope,) = outputs_and_gradients(encode, [x])
    results |= {**outputs, "slope of remade": slope}

    arrays = [random.normal(size=(5, 40)).astype("float32") for _ in range(2)]
    outputs, slopes = outputs_and_gradients(drop, arrays)
    results |= {**outputs, "slope of dropout": slopes[0], "slope of residual": slopes[1]}
    return {name: ops.convert_to_numpy(v) for name, v in results.items()}


if __name__ == "__main__":
    sys.modules["tensorflow"] = None  # no import of it succeeds
    np.savez(sys.argv[1], **compute())
