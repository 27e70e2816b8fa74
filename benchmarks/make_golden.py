"""Makes tests/golden: a tiny random RoBERTa by Transformers, its inputs and all it computes.

    .peers-venv/bin/python benchmarks/make_golden.py

The tests hold our model against these arrays; they do not need PyTorch, this script does.
"""

import argparse
import json
import pathlib
import shutil

import numpy as np
import torch
import transformers

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden"
LENGTHS = (24, 24, 17, 9, 3, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    config = transformers.RobertaConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=34,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=3,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    classifier = transformers.RobertaForSequenceClassification(config).eval()
    masked_lm = transformers.RobertaForMaskedLM(config).eval()
    perturb(classifier)
    perturb(masked_lm)
    # One encoder for both, so that one set of hidden states serves.
    masked_lm.roberta.load_state_dict(classifier.roberta.state_dict())
    masked_lm.tie_weights()

    token_ids, padding_mask = make_batch(config, options.seed)
    inputs = {
        "input_ids": torch.from_numpy(token_ids),
        "attention_mask": torch.from_numpy(padding_mask),
    }
    with torch.no_grad():
        classified = classifier(**inputs, output_hidden_states=True)
        unmasked = masked_lm(**inputs)

    options.output.mkdir(parents=True, exist_ok=True)
    for name, model in (("tiny-roberta", classifier), ("tiny-roberta-mlm", masked_lm)):
        shutil.rmtree(options.output / name, ignore_errors=True)
        model.save_pretrained(options.output / name)
    np.savez_compressed(
        options.output / "tiny_roberta.npz",
        token_ids=token_ids.astype(np.int32),
        padding_mask=padding_mask.astype(bool),
        hidden_states=np.stack([h.numpy() for h in classified.hidden_states]),
        classifier_logits=classified.logits.numpy(),
        masked_lm_logits=unmasked.logits.numpy(),
        versions=json.dumps(versions()),
    )
    readme = README.format(made_by=made_by(), seed=options.seed)
    (options.output / "README.md").write_text(readme)


def perturb(model):
    """Random biases and layer norms: fresh ones, all 0 or 1, hide one mistaken for another."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.1 if name.endswith("bias") or "norm" in name.lower() else 0.05
            parameter.add_(torch.randn_like(parameter) * scale)


def make_batch(config, seed):
    """token_ids and padding_mask, (batch, length), right-padded to LENGTHS."""
    rng = np.random.default_rng(seed)
    shape = (len(LENGTHS), max(LENGTHS))
    padding_mask = (np.arange(shape[1]) < np.array(LENGTHS)[:, None]).astype(np.int64)
    token_ids = np.where(padding_mask, rng.integers(4, config.vocab_size, shape), 1)
    token_ids[:, 0] = config.bos_token_id
    token_ids[np.arange(shape[0]), np.array(LENGTHS) - 1] = config.eos_token_id
    return token_ids, padding_mask


def versions():
    return {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def made_by():
    return ", ".join(f"{name} {version}" for name, version in versions().items())


README = """# A tiny random RoBERTa, as Transformers computes it
Made by `benchmarks/make_golden.py --seed {seed}` with {made_by}.

- `tiny-roberta/`: `RobertaForSequenceClassification`, three classes; `config.json` and weights.
- `tiny-roberta-mlm/`: `RobertaForMaskedLM` around the same encoder.
- `tiny_roberta.npz`: `token_ids`, `padding_mask` (6, 24); `hidden_states` (3, 6, 24, 32), the
  embeddings and each block's output; `classifier_logits` (6, 3); `masked_lm_logits` (6, 24, 300);
  `versions`, JSON. What stands at padded positions is what Transformers leaves there: compare the
  others.
"""


if __name__ == "__main__":
    main()
