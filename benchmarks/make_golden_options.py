"""Makes tests/golden/options: encoders that RoBERTa has no settings for, as Transformers computes
them.

    .peers-venv/bin/python benchmarks/make_golden_options.py

`albert.npz` has factorised embeddings and two groups of layers that share their weights,
`norm_first.npz` (Transformers' RoBERTa-PreLayerNorm) has layer norms in front. Weights have our
names.
"""

import argparse
import pathlib

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb

LAYERS, GROUPS, PAD = 4, 2, 1
SIZES = dict(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=LAYERS,
    num_attention_heads=2,
    intermediate_size=24,
    type_vocab_size=1,
    layer_norm_eps=1e-5,
    pad_token_id=PAD,
    attn_implementation="eager",
    hidden_act="gelu",
)
TOKEN_IDS = [[0, 8, 21, 9, 30, 2, 1, 1], [0, 39, 4, 17, 5, 6, 25, 2]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "options")
    output = parser.parse_args().output
    output.mkdir(exist_ok=True)
    torch.manual_seed(3)
    albert = transformers.AlbertForMaskedLM(
        transformers.AlbertConfig(
            **SIZES, embedding_size=8, num_hidden_groups=GROUPS, max_position_embeddings=16
        )
    )
    pre_layer_norm = transformers.RobertaPreLayerNormForMaskedLM(
        transformers.RobertaPreLayerNormConfig(**SIZES, max_position_embeddings=16 + PAD + 1)
    )
    for name, model, weights_of in (
        ("albert", albert, albert_weights),
        ("norm_first", pre_layer_norm, pre_layer_norm_weights),
    ):
        perturb(model)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.normal_(parameter, std=0.3)
        model.tie_weights()
        model.eval()
        token_ids = torch.tensor(TOKEN_IDS)
        mask = (token_ids != PAD).long()
        with torch.no_grad():
            outputs = model(input_ids=token_ids, attention_mask=mask, output_hidden_states=True)
        arrays = {n: np.ascontiguousarray(w.numpy()) for n, w in weights_of(model).items()}
        np.savez_compressed(
            output / f"{name}.npz",
            token_ids=token_ids.numpy(),
            padding_mask=mask.numpy(),
            hidden_states=torch.stack(outputs.hidden_states[-LAYERS - 1 :]).numpy(),
            logits=outputs.logits.numpy(),
            **arrays,
        )
    (output / "README.md").write_text(README.format(made_by=made_by()))


def albert_weights(model):
    """Our names to tensors; each layer's are those of its group."""
    state = {name.removeprefix("albert."): w for name, w in model.state_dict().items()}
    weights = tables(state)
    # Its positions begin at 0, ours behind the padding's.
    positions = weights["embeddings/position"]
    weights["embeddings/position"] = torch.cat([torch.zeros(PAD + 1, 8), positions])
    weights |= dense(state, "embeddings/projection", "encoder.embedding_hidden_mapping_in")
    for i in range(LAYERS):
        theirs = f"encoder.albert_layer_groups.{i * GROUPS // LAYERS}.albert_layers.0"
        names = {"query_key_value": "attention", "output": "attention.dense"}
        names |= {"norm": "attention.LayerNorm", "intermediate": "ffn", "out": "ffn_output"}
        weights |= block(state, i, theirs, **names, out_norm="full_layer_layer_norm")
    weights |= dense(state, "head/dense", "predictions.dense")
    weights |= layer_norm(state, "head/layer_norm", "predictions.LayerNorm")
    return weights | {"head/bias": state["predictions.bias"]}


def pre_layer_norm_weights(model):
    """Our names to tensors."""
    state = {n.removeprefix("roberta_prelayernorm."): w for n, w in model.state_dict().items()}
    weights = tables(state)
    for i in range(LAYERS):
        names = {"query_key_value": "attention.self", "output": "attention.output.dense"}
        names |= {"norm": "attention.LayerNorm", "intermediate": "intermediate.dense"}
        names |= {"out": "output.dense", "out_norm": "intermediate.LayerNorm"}
        weights |= block(state, i, f"encoder.layer.{i}", **names)
    weights |= layer_norm(state, "encoder/layer_norm", "LayerNorm")
    weights |= dense(state, "head/dense", "lm_head.dense")
    weights |= layer_norm(state, "head/layer_norm", "lm_head.layer_norm")
    return weights | {"head/bias": state["lm_head.bias"]}


def tables(state):
    names = {"token": "word", "position": "position", "token_type": "token_type"}
    weights = {
        f"embeddings/{ours}": state[f"embeddings.{theirs}_embeddings.weight"]
        for ours, theirs in names.items()
    }
    return weights | layer_norm(state, "embeddings/layer_norm", "embeddings.LayerNorm")


def block(state, i, theirs, query_key_value, output, norm, intermediate, out, out_norm):
    ours = f"encoder/block_{i}"
    parts = [f"{theirs}.{query_key_value}.{x}" for x in ("query", "key", "value")]
    return {
        **dense(state, f"{ours}/attention/query_key_value", *parts),
        **dense(state, f"{ours}/attention/output", f"{theirs}.{output}"),
        **layer_norm(state, f"{ours}/attention_layer_norm", f"{theirs}.{norm}"),
        **dense(state, f"{ours}/intermediate", f"{theirs}.{intermediate}"),
        **dense(state, f"{ours}/output", f"{theirs}.{out}"),
        **layer_norm(state, f"{ours}/output_layer_norm", f"{theirs}.{out_norm}"),
    }


def dense(state, ours, *theirs):
    return {
        f"{ours}/kernel": torch.cat([state[f"{name}.weight"].T for name in theirs], dim=1),
        f"{ours}/bias": torch.cat([state[f"{name}.bias"] for name in theirs]),
    }


def layer_norm(state, ours, theirs):
    return {f"{ours}/gamma": state[f"{theirs}.weight"], f"{ours}/beta": state[f"{theirs}.bias"]}


README = """# Encoders that RoBERTa has no settings for, as Transformers computes them
Made by `benchmarks/make_golden_options.py` with {made_by}.

Each file has `token_ids`, `padding_mask` (2, 8); `hidden_states` (5, 2, 8, 16), the embeddings and
each layer's output; `logits` (2, 8, 40) of the head for masked tokens; and all weights by our
names. What stands at padded positions is what Transformers leaves there: compare the others.

- `albert.npz`: `AlbertForMaskedLM`, embeddings 8 wide, four layers in two groups.
- `norm_first.npz`: `RobertaPreLayerNormForMaskedLM`, four layers.
"""


if __name__ == "__main__":
    main()
