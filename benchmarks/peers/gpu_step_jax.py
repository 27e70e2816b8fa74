"""A masked language model's training step with our layers on JAX; TensorFlow is not needed.

Started by `gpu_step.py`; prints one JSON line. bfloat16 products, float32 weights.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import functools

import jax
import jax.numpy as jnp
import keras
from gpu_step_task import (
    BETA_2,
    EPSILON,
    RATE,
    WEIGHT_DECAY,
    make_batch,
    measure,
    multiplications,
    parse_task,
    print_result,
)

from keras_roberta import RobertaConfig
from keras_roberta.layers import MaskedLMHead, RobertaEmbeddings, RobertaEncoder
from keras_roberta.training.optimizer.roberta_adamw import RobertaAdamW

DTYPE = "mixed_bfloat16"


def main():
    task = parse_task(__doc__)
    device = jax.devices()[0]
    rate = multiplications(task, make_product(task.matrix), jax.block_until_ready)
    keras.utils.set_random_seed(0)
    model = masked_language_model(RobertaConfig.from_dict(task.config))
    result = measure(task, TrainingStep(model, make_batch(task)), jax.block_until_ready)
    memory = (device.memory_stats() or {}).get("peak_bytes_in_use")
    print_result(device.device_kind, rate, memory, result)


def make_product(size):
    x = jnp.ones((size, size), "bfloat16")
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(x, x)


def masked_language_model(config):
    """What `RobertaMaskedLM` is made of."""
    token_ids, padding_mask, mask_positions = (
        keras.Input((None,), dtype="int32", name=name)
        for name in ("token_ids", "padding_mask", "mask_positions")
    )
    embeddings = RobertaEmbeddings(config, dtype=DTYPE, name="embeddings")
    encoder = RobertaEncoder(config, dtype=DTYPE, name="encoder")
    head = MaskedLMHead(config, embeddings.token_embedding, dtype=DTYPE, name="masked_lm_head")
    x = embeddings(token_ids, padding_mask)
    hidden = encoder(x, padding_mask, positions=mask_positions)
    return keras.Model([token_ids, padding_mask, mask_positions], head(hidden))


class TrainingStep:
    """Forward, loss, backward and AdamW as one program that updates its state in place."""

    def __init__(self, model, batch):
        token_ids, positions, targets = map(jnp.asarray, batch)
        self._batch = [token_ids, jnp.ones_like(token_ids), positions], targets
        optimizer = RobertaAdamW(RATE, beta_2=BETA_2, epsilon=EPSILON, weight_decay=WEIGHT_DECAY)
        optimizer.build(model.trainable_variables)
        self._state = jax.tree.map(
            # The variables keep theirs: what is donated is gone.
            lambda variable: jnp.array(variable.value, copy=True),
            [model.trainable_variables, model.non_trainable_variables, optimizer.variables],
            is_leaf=lambda node: isinstance(node, keras.Variable),
        )
        self._step = jax.jit(functools.partial(_step, model, optimizer), donate_argnums=0)

    def __call__(self):
        self._state, loss = self._step(self._state, self._batch)
        return loss


def _step(model, optimizer, state, batch):
    weights, others, moments = state
    inputs, targets = batch

    def loss_of(weights):
        logits, changed = model.stateless_call(weights, others, inputs, training=True)
        losses = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        return losses.mean(), changed

    (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
    weights, moments = optimizer.stateless_apply(moments, gradients, weights)
    return [weights, others, moments], loss


if __name__ == "__main__":
    main()
