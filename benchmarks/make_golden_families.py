"""Makes tests/golden/families: RoBERTa's relatives, as Transformers computes them.

    .peers-venv/bin/python benchmarks/make_golden_families.py

CamemBERT with its own ids of `<s>` and `</s>`, XLM-R with `<pad>` at 0 and two token types, and six
layers as in DistilRoBERTa; XLM-R XL and RoBERTa-PreLayerNorm, whose layer norms stand in front,
with every head. The tests hold our model against these arrays.
"""

import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb

SIZES = dict(
    vocab_size=40,
    hidden_size=16,
    num_attention_heads=2,
    intermediate_size=24,
    layer_norm_eps=1e-5,
    num_labels=3,
)
FAMILIES = {
    "camembert": (
        *(transformers.CamembertConfig, transformers.CamembertForMaskedLM),
        dict(bos_token_id=5, eos_token_id=6, type_vocab_size=1, num_hidden_layers=2),
    ),
    "xlm-roberta": (
        *(transformers.XLMRobertaConfig, transformers.XLMRobertaForTokenClassification),
        dict(pad_token_id=0, bos_token_id=1, type_vocab_size=2, num_hidden_layers=2),
    ),
    "distilroberta": (
        *(transformers.RobertaConfig, transformers.RobertaForSequenceClassification),
        dict(type_vocab_size=1, num_hidden_layers=6),
    ),
}
HEADS = {
    "MaskedLM": {},
    "SequenceClassification": {},
    "TokenClassification": {},
    "QuestionAnswering": dict(num_labels=2),
    "MultipleChoice": {},
}
FAMILIES |= {
    f"{name}-{head}": (
        *(getattr(transformers, f"{cls}Config"), getattr(transformers, f"{cls}For{head}")),
        dict(type_vocab_size=1, num_hidden_layers=2, **changes),
    )
    for name, cls in (
        ("xlm-roberta-xl", "XLMRobertaXL"),
        ("roberta-prelayernorm", "RobertaPreLayerNorm"),
    )
    for head, changes in HEADS.items()
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "families")
    output = parser.parse_args().output
    shutil.rmtree(output, ignore_errors=True)
    torch.manual_seed(4)
    arrays = {}
    for name, (config_cls, cls, changes) in FAMILIES.items():
        config = config_cls(**{**SIZES, **changes}, max_position_embeddings=18)
        model = cls(config).eval()
        perturb(model)
        pad = config.pad_token_id
        tokens = torch.randint(7, 40, (3, 8))
        tokens[:, 0] = config.bos_token_id
        tokens[0, 5:] = pad
        if name.endswith("MultipleChoice"):  # one question of three options
            tokens = tokens[None]
        mask = tokens.ne(pad).long()
        with torch.no_grad():
            found = model(tokens, attention_mask=mask)
        if name.endswith("QuestionAnswering"):
            logits = torch.stack([found.start_logits, found.end_logits], dim=-1)
        else:
            logits = found.logits
        arrays[f"{name}/logits"] = logits.numpy()
        arrays[f"{name}/token_ids"] = tokens.numpy()
        arrays[f"{name}/padding_mask"] = mask.numpy()
        model.save_pretrained(output / name)
    np.savez_compressed(output / "outputs.npz", **arrays)
    (output / "README.md").write_text(README.format(made_by=made_by()))


README = """# RoBERTa's relatives, as Transformers computes them
Made by `benchmarks/make_golden_families.py` with {made_by}.

- `camembert/`: `CamembertForMaskedLM`; `<s>` and `</s>` are 5 and 6.
- `xlm-roberta/`: `XLMRobertaForTokenClassification`, three classes; `<pad>` is 0, two token types.
- `distilroberta/`: `RobertaForSequenceClassification` of six layers, three classes.
- `xlm-roberta-xl-HEAD/`, `roberta-prelayernorm-HEAD/`: `XLMRobertaXLForHEAD` and
  `RobertaPreLayerNormForHEAD` of two layers, with the five heads.
- `outputs.npz`: for each `NAME/token_ids`, `NAME/padding_mask` (3, 8), of multiple choice
  (1, 3, 8), and `NAME/logits`; of questions those of first and last tokens on the last axis.
  Compare what does not stand at padding.
"""


if __name__ == "__main__":
    main()
