"""What both peers' tests ask of the encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from peer_harness import (
    FEATURES,
    PAD,
    SIZES,
    TOKENS,
    TOKENS_OF_FEATURES,
    Refused,
    behaviours,
    check_numbers,
    encoder,
    json_round_trip,
    of,
)

import keras_roberta as kr
from keras_roberta.layers.embeddings import position_ids


def alone(backbone):
    """The encoder's output of the first text without its padding."""
    return of(backbone({name: x[:1, :4] for name, x in FEATURES.items()}))[0]


def in_front(backbone):
    """The encoder's output of the first text with its padding in front."""
    turned = {name: np.roll(x[:1], 1, axis=1) for name, x in FEATURES.items()}
    return of(backbone(turned))[0, 1:]


def bigger(backbone):
    return backbone.resize_vocabulary(len(TOKENS) + 10)


def by_attention(kind):
    """The outputs of the same weights with another way to compute attention."""

    def outputs(backbone):
        other = kr.RobertaBackbone(backbone.config.replace(attention=kind))
        other.set_weights(backbone.get_weights())
        return of(other(FEATURES))[TOKENS_OF_FEATURES]

    return outputs


@behaviours(
    {
        "a vector a token": (lambda b: b(FEATURES).shape, (2, 5, 8)),
        "token ids alone": (
            lambda b: of(b(FEATURES["token_ids"])),
            lambda b: of(b(FEATURES)),
        ),
        "ids without a mask": (
            lambda b: of(b({"token_ids": FEATURES["token_ids"]})),
            lambda b: of(b(FEATURES)),
        ),
        "two, three and four tokens": (
            lambda b: [b({k: x[:, :n] for k, x in FEATURES.items()}).shape for n in (2, 3, 4)],
            [(2, 2, 8), (2, 3, 8), (2, 4, 8)],
        ),
        "the embedding of tokens is a layer": (
            lambda b: b.token_embedding(np.zeros((2, 3), "int32")).shape,
            (2, 3, 8),
        ),
        "predict of arrays": (
            lambda b: b.predict(FEATURES, verbose=0),
            lambda b: of(b(FEATURES)),
        ),
        "predict of a dataset": (
            lambda b: b.predict(tf.data.Dataset.from_tensor_slices(FEATURES).batch(1), verbose=0),
            lambda b: of(b(FEATURES)),
        ),
        "its name": (lambda b: b.name.startswith("roberta_backbone"), True),
        "its configuration, through JSON": (json_round_trip, True),
        "its layers have weights as wide as it says": (
            lambda b: [b.config.hidden_dim, b.count_params()],
            # Tables of tokens, positions and one type, a norm; twice attention, norm, feed-forward
            # layers and norm.
            [8, (268 + 18 + 1) * 8 + 16 + 2 * (4 * 8 * 8 + 32 + 16 + 2 * 8 * 12 + 20 + 16)],
        ),
        "the same answer every time": (lambda b: of(b(FEATURES)), lambda b: of(b(FEATURES))),
        "a row alone as in a batch": (
            lambda b: of(b({name: x[1:] for name, x in FEATURES.items()}))[0],
            lambda b: of(b(FEATURES))[1],
        ),
        "padding changes nothing": (alone, lambda b: of(b(FEATURES))[0, :4]),
        "padding in front changes nothing": (in_front, alone),
        "hidden states: the embeddings and each block's": (
            lambda b: [len(b.hidden_states(FEATURES)), *b.hidden_states(FEATURES)[0].shape],
            [3, 2, 5, 8],
        ),
        "the last hidden state is the output": (
            lambda b: of(b.hidden_states(FEATURES)[-1]),
            lambda b: of(b(FEATURES)),
        ),
        "attentions: one a block, by heads": (
            lambda b: [len(b.attentions(FEATURES)), *b.attentions(FEATURES)[0].shape],
            [2, 2, 2, 5, 5],
        ),
        "they sum to 1, and none falls on padding": (
            lambda b: [
                of(b.attentions(FEATURES)[1]).sum(-1).round(4).min(),
                of(b.attentions(FEATURES)[1])[0, ..., 4].max(),
            ],
            [1.0, 0.0],
        ),
        "embeddings of one's own": (
            lambda b: of(b.encoder(b.embeddings(**FEATURES), FEATURES["padding_mask"])),
            lambda b: of(b(FEATURES)),
        ),
        "a larger vocabulary leaves known tokens alone": (
            lambda b: of(bigger(b)(FEATURES)),
            lambda b: of(b(FEATURES)),
        ),
        "and has rows for new ones": (
            lambda b: [
                bigger(b).config.vocabulary_size,
                bigger(b)(np.array([[0, len(TOKENS) + 9, 2]])).shape,
            ],
            [len(TOKENS) + 10, (1, 3, 8)],
        ),
        "a smaller one has fewer": (
            lambda b: b.resize_vocabulary(100).token_embedding.embeddings.shape,
            (100, 8),
        ),
        "attention in blocks gives the same": (
            by_attention("blocks"),
            lambda b: of(b(FEATURES))[TOKENS_OF_FEATURES],
        ),
        "the backend's own attention gives the same": (
            by_attention("fused"),
            lambda b: of(b(FEATURES))[TOKENS_OF_FEATURES],
        ),
        "positions count tokens from the padding's id on": (
            lambda b: position_ids(np.array([[1, 1, 1, 0]]), PAD),
            [[2, 3, 4, 1]],
        ),
        "sizes by keyword": (
            lambda b: kr.RobertaBackbone(**SIZES).config == b.config,
            True,
        ),
        "a misspelt argument is refused": (
            lambda b: kr.RobertaBackbone(**SIZES, num_layer=3),
            Refused("num_layers"),
        ),
        "heads that do not divide the width are refused": (
            lambda b: encoder(num_heads=3),
            Refused("hidden_dim"),
        ),
    }
)
def test_encoder(done, expected, backbone):
    check_numbers(done, expected, backbone)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_encoder_in_half_precision(dtype):
    """Outputs have the compute dtype, weights and layers what the policy says."""
    policy = keras.dtype_policies.get(dtype)
    model = encoder(dtype, num_layers=1)
    assert model(FEATURES).dtype.name == policy.compute_dtype
    assert model.compute_output_spec(FEATURES).dtype == policy.compute_dtype
    floats = [weight.dtype for weight in model.weights if "float" in weight.dtype]
    assert set(floats) == {policy.variable_dtype}
    for layer in (model.embeddings, model.encoder, *model.encoder.blocks, model.token_embedding):
        assert layer.compute_dtype == policy.compute_dtype
        assert layer.variable_dtype == policy.variable_dtype


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_encoder_quantised(mode):
    """A policy for each layer makes it so; configuration and weights come back."""
    layers = ".*(dense|query_key_value)"
    policies = {layers: keras.dtype_policies.get(f"{mode}_from_float32")}
    dtype = keras.dtype_policies.DTypePolicyMap(policy_map=policies)
    model = encoder(dtype, num_layers=1)
    block = model.encoder.blocks[0]
    assert block.intermediate_dense.quantization_mode == mode
    assert block.attention.query_key_value.quantization_mode == mode
    again = kr.RobertaBackbone.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(FEATURES), model(FEATURES))


def test_encoder_starts_with_small_weights():
    """As `initializer_range` says: biases at 0, gains at 1, the rest normal."""
    model = kr.RobertaBackbone(kr.RobertaConfig(**SIZES, initializer_range=0.05))
    for name, weight in model.weights_by_name().items():
        value = np.asarray(weight)
        if name.endswith(("bias", "beta")):
            assert not value.any(), name
        elif name.endswith("gamma"):
            assert (value == 1).all(), name
        elif value.size > 100:
            assert abs(value.mean()) < 0.02 and 0.03 < value.std() < 0.07, name


def test_encoder_takes_token_types():
    model = kr.RobertaBackbone(
        kr.RobertaConfig(**SIZES, num_token_types=2), optional_inputs=("token_type_ids",)
    )
    types = np.array([[0, 0, 1, 1, 1]] * 2, "int32")
    without = of(model({**FEATURES, "token_type_ids": np.zeros_like(types)}))
    assert not np.allclose(of(model({**FEATURES, "token_type_ids": types})), without, atol=1e-3)


def test_encoder_in_a_keras_file(backbone, tmp_path):
    backbone.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    assert type(again) is kr.RobertaBackbone
    np.testing.assert_array_equal(again(FEATURES), backbone(FEATURES))
