"""Makes tests/golden/variants: checkpoints unlike RoBERTa's own, as Transformers reads them.

    .peers-venv/bin/python benchmarks/make_golden_variants.py

Other activations, an output matrix of its own, padding in front and in the middle, hidden states
and attention weights. The tests hold our model against these arrays.
"""

import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb

ACTIVATIONS = (
    *("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
    *("quick_gelu", "relu", "silu", "swish"),
)
SIZES = dict(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    max_position_embeddings=18,
    type_vocab_size=1,
    layer_norm_eps=1e-5,
    num_labels=3,
)
# One text with padding behind, in front and in the middle; then one without any.
TOKEN_IDS = [
    [0, 8, 21, 9, 30, 2, 1, 1],
    [1, 1, 0, 8, 21, 9, 30, 2],
    [0, 8, 1, 21, 1, 9, 30, 2],
    [0, 39, 4, 17, 5, 6, 25, 2],
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "variants")
    output = parser.parse_args().output
    torch.manual_seed(3)
    config = transformers.RobertaConfig(
        **SIZES, tie_word_embeddings=False, attn_implementation="eager"
    )
    classifier = transformers.RobertaForSequenceClassification(config).eval()
    masked_lm = transformers.RobertaForMaskedLM(config).eval()
    for model in (classifier, masked_lm):
        perturb(model)
        for parameter in model.parameters():
            if parameter.ndim > 1:  # large, so that another activation shows
                torch.nn.init.normal_(parameter, std=0.5)
    masked_lm.roberta.load_state_dict(classifier.roberta.state_dict())

    token_ids = torch.tensor(TOKEN_IDS)
    inputs = {"input_ids": token_ids, "attention_mask": (token_ids != 1).long()}
    arrays = {"token_ids": token_ids.numpy(), "padding_mask": inputs["attention_mask"].numpy()}
    shutil.rmtree(output, ignore_errors=True)
    with torch.no_grad():
        full = classifier(**inputs, output_hidden_states=True, output_attentions=True)
        arrays["hidden_states"] = torch.stack(full.hidden_states).numpy()
        arrays["attentions"] = torch.stack(full.attentions).numpy()
        arrays["untied_logits"] = masked_lm(**inputs).logits.numpy()
        for name, model in (("classifier", classifier), ("untied", masked_lm)):
            model.save_pretrained(output / name)
        for activation in ACTIVATIONS:
            other = transformers.RobertaForSequenceClassification.from_pretrained(
                output / "classifier", hidden_act=activation
            ).eval()
            arrays[f"logits/{activation}"] = other(**inputs).logits.numpy()
    np.savez_compressed(output / "outputs.npz", **arrays)
    (output / "README.md").write_text(README.format(made_by=made_by()))


README = """# Checkpoints that differ from RoBERTa's own, as Transformers computes them
Made by `benchmarks/make_golden_variants.py` with {made_by}.

- `classifier/`: `RobertaForSequenceClassification`, three classes; `untied/`: `RobertaForMaskedLM`
  around the same encoder, with an output matrix of its own (`tie_word_embeddings` false).
- `outputs.npz`: `token_ids`, `padding_mask` (4, 8): a text with padding behind, in front and in the
  middle, and one without; `hidden_states` (3, 4, 8, 16); `attentions` (2, 4, 2, 8, 8);
  `untied_logits` (4, 8, 40); `logits/<hidden_act>` (4, 3) of the classifier with that activation.
  Of the rows with padding in front, Transformers' classifier reads the padding: compare the others.
"""


if __name__ == "__main__":
    main()
