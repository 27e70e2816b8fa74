"""Makes tests/golden/fairseq: tiny checkpoints in fairseq's layouts, and what its model computes.

    .peers-venv/bin/python benchmarks/make_golden_fairseq.py

fairseq cannot be installed beside today's PyTorch, so `benchmarks/peers/fairseq_roberta.py` stands
in for it. Before anything is written, Transformers computes the same from the same weights.
"""

import argparse
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))

from fairseq_roberta import RobertaModel, loaded
from make_golden import GOLDEN, made_by, perturb

VOCABULARY = 40
ARGS = dict(
    arch="roberta",
    task="masked_lm",
    criterion="masked_lm",
    encoder_layers=2,
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=24,
    encoder_attention_heads=2,
    dropout=0.1,
    attention_dropout=0.1,
    activation_dropout=0.0,
    pooler_dropout=0.3,
    activation_fn="gelu",
    pooler_activation_fn="tanh",
    max_positions=16,
    untie_weights_roberta=False,
    lr=[0.0005],
    data="data-bin",
)
# Padding behind, in front of the end, and a row without any.
TOKEN_IDS = [[0, 8, 21, 9, 30, 2, 1, 1], [0, 5, 5, 2, 2, 7, 2, 1], [0, 39, 4, 17, 5, 6, 25, 2]]
HUGGING_FACE = (
    ("encoder.sentence_encoder.embed_tokens", "roberta.embeddings.word_embeddings"),
    ("encoder.sentence_encoder.embed_positions", "roberta.embeddings.position_embeddings"),
    ("encoder.sentence_encoder.layernorm_embedding", "roberta.embeddings.LayerNorm"),
    ("encoder.sentence_encoder.layers.", "roberta.encoder.layer."),
    ("self_attn.q_proj", "attention.self.query"),
    ("self_attn.k_proj", "attention.self.key"),
    ("self_attn.v_proj", "attention.self.value"),
    ("self_attn.out_proj", "attention.output.dense"),
    ("self_attn_layer_norm", "attention.output.LayerNorm"),
    ("final_layer_norm", "output.LayerNorm"),
    ("fc1", "intermediate.dense"),
    ("fc2", "output.dense"),
    ("encoder.lm_head.weight", "lm_head.decoder.weight"),
    ("encoder.lm_head.", "lm_head."),
    ("classification_heads.mnli.", "classifier."),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "fairseq")
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    torch.manual_seed(5)
    tokens = torch.tensor(TOKEN_IDS)
    arrays = {"token_ids": tokens.numpy()}

    # As `fairseq-train` writes today: settings under "cfg", single projections, a zip archive.
    args = argparse.Namespace(**ARGS)
    pretrained = random_model(args)
    model = {**ARGS, "_name": args.arch}
    content = {
        "args": None,
        "cfg": {
            "_name": None,
            "model": argparse.Namespace(**model),
            "task": {"_name": "masked_lm"},
            "criterion": {"_name": "masked_lm"},
        },
        "model": pretrained.state_dict(),
        "extra_state": {"train_iterator": {"epoch": 3}, "val_loss": 2.5},
        "last_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(3)}}, "loss_scale": 4.0},
    }
    save(content, output / "pretrained", zipped=True)
    arrays["masked_lm_logits"] = pretrained(tokens).detach().numpy()
    arrays["features"] = pretrained.encoder.sentence_encoder(tokens).detach().numpy()
    check(pretrained, tokens, "RobertaForMaskedLM", arrays["masked_lm_logits"])

    # As in 2019: a namespace, `decoder.`, fused projections, PyTorch's file before version 1.6.
    args = argparse.Namespace(**{**ARGS, "criterion": "sentence_prediction", "num_classes": 3})
    finetuned = random_model(args, {"mnli": (16, 3)})
    content = {"args": args, "model": aged(finetuned.state_dict())}
    save(content, output / "finetuned-2019", zipped=False)
    arrays["mnli_logits"] = finetuned(tokens, "mnli").detach().numpy()
    arrays["finetuned_masked_lm_logits"] = finetuned(tokens).detach().numpy()
    check(finetuned, tokens, "RobertaForSequenceClassification", arrays["mnli_logits"])
    again, _ = loaded(content, VOCABULARY)
    assert torch.equal(again(tokens, "mnli"), finetuned(tokens, "mnli"))

    np.savez_compressed(output / "outputs.npz", **arrays)
    (output / "README.md").write_text(README.format(made_by=made_by()))


def random_model(args, heads=()):
    model = RobertaModel(args, VOCABULARY, heads).eval()
    perturb(model)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def aged(state):
    """A state dict by the names of 2019."""
    old = {}
    for name, tensor in state.items():
        if name.endswith(".version") or ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            parts = [state[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            name, tensor = name.replace("q_proj.", "in_proj_"), torch.cat(parts)
        name = name.replace("layernorm_embedding", "emb_layer_norm")
        name = "decoder" + name[len("encoder") :] if name.startswith("encoder.") else name
        old[name] = tensor
    return old


def save(content, directory, zipped):
    directory.mkdir(parents=True)
    torch.save(content, directory / "model.pt", _use_new_zipfile_serialization=zipped)


def check(model, tokens, architecture, expected):
    """Raises unless Transformers computes the same from the same weights."""
    args = model.args
    config = transformers.RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=args.encoder_embed_dim,
        num_hidden_layers=args.encoder_layers,
        num_attention_heads=args.encoder_attention_heads,
        intermediate_size=args.encoder_ffn_embed_dim,
        max_position_embeddings=args.max_positions + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=3,
    )
    theirs = getattr(transformers, architecture)(config).eval()
    state = {}
    for name, tensor in model.state_dict().items():
        for ours, hugging_face in HUGGING_FACE:
            name = name.replace(ours, hugging_face)
        state[name] = tensor
    state["roberta.embeddings.token_type_embeddings.weight"] = torch.zeros(1, 16)
    missing = theirs.load_state_dict(state, strict=False).missing_keys
    assert set(missing) <= {"lm_head.decoder.bias"}, missing
    if "lm_head.bias" in state and hasattr(theirs, "lm_head"):
        theirs.lm_head.decoder.bias.data.copy_(state["lm_head.bias"])
    found = theirs(tokens, attention_mask=tokens.ne(1).long()).logits.detach().numpy()
    real = tokens.ne(1).numpy() if found.ndim == 3 else slice(None)
    np.testing.assert_allclose(found[real], expected[real], atol=2e-5)


README = """# Checkpoints in fairseq's layouts, and what its model computes
Made by `benchmarks/make_golden_fairseq.py` with {made_by}; fairseq's model is
`benchmarks/peers/fairseq_roberta.py`, which Transformers agreed with on the same weights.

- `pretrained/model.pt`: with a head for masked tokens, settings in `cfg`, names as of fairseq 0.12,
  a zip archive.
- `finetuned-2019/model.pt`: with a head `mnli` of three classes besides, settings in `args`, names
  and fused projections of 2019, PyTorch's file before version 1.6.
- `outputs.npz`: `token_ids` (3, 8), `features` (3, 8, 16), `masked_lm_logits` (3, 8, 40) of the
  first; `mnli_logits` (3, 3), `finetuned_masked_lm_logits` (3, 8, 40) of the second. Compare what
  does not stand at padding, id 1.
"""


if __name__ == "__main__":
    main()
