"""Makes tests/golden/tiny-roberta-choice: a tiny random model for multiple choice by Transformers,
its inputs and its scores.

    .peers-venv/bin/python benchmarks/make_golden_choice.py

The tests hold our model against these arrays; they do not need PyTorch, this script does.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb, versions

LENGTHS = ((12, 7, 9), (5, 12, 3))  # tokens of the options of two questions

README = """# A tiny random model for multiple choice, as Transformers computes it
Made by `benchmarks/make_golden_choice.py --seed {seed}` with {made_by}.

`RobertaForMultipleChoice` as it saves itself, and in `scores.npz` `token_ids` and `padding_mask`
(2, 3, 12), `logits` (2, 3), `versions`, JSON.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "tiny-roberta-choice")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    config = transformers.RobertaConfig(
        vocab_size=100,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=18,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = transformers.RobertaForMultipleChoice(config).eval()
    perturb(model)
    token_ids, padding_mask = make_batch(config, options.seed)
    with torch.no_grad():
        logits = model(
            input_ids=torch.from_numpy(token_ids), attention_mask=torch.from_numpy(padding_mask)
        ).logits
    model.save_pretrained(options.output)
    np.savez_compressed(
        options.output / "scores.npz",
        token_ids=token_ids.astype(np.int32),
        padding_mask=padding_mask.astype(np.int32),
        logits=logits.numpy(),
        versions=json.dumps(versions()),
    )
    readme = README.format(made_by=made_by(), seed=options.seed)
    (options.output / "README.md").write_text(readme)


def make_batch(config, seed):
    """token_ids and padding_mask, (questions, options, length), right-padded to LENGTHS."""
    rng = np.random.default_rng(seed)
    lengths = np.array(LENGTHS)[..., None]
    place = np.arange(lengths.max())
    padding_mask = (place < lengths).astype(np.int64)
    token_ids = np.where(padding_mask, rng.integers(4, config.vocab_size, padding_mask.shape), 1)
    token_ids[..., 0] = config.bos_token_id
    token_ids[place == lengths - 1] = config.eos_token_id
    return token_ids, padding_mask


if __name__ == "__main__":
    main()
