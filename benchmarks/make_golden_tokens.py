"""Makes tests/golden/tiny-roberta-tokens: a tiny random model for labels of tokens by Transformers,
its inputs and its logits.

    .peers-venv/bin/python benchmarks/make_golden_tokens.py

The tests hold our model against these arrays; they do not need PyTorch, this script does.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from make_golden import GOLDEN, made_by, perturb, versions

LENGTHS = (12, 7)  # tokens of two rows
TAGS = ("O", "B-LOC", "I-LOC")

README = """# A tiny random model for labels of tokens, as Transformers computes it
Made by `benchmarks/make_golden_tokens.py --seed {seed}` with {made_by}.

`RobertaForTokenClassification` as it saves itself, and in `logits.npz` `token_ids` and
`padding_mask` (2, 12), `logits` (2, 12, 3), `versions`, JSON. What stands at padded positions is
what Transformers leaves there: compare the others.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=GOLDEN / "tiny-roberta-tokens")
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
        id2label=dict(enumerate(TAGS)),
        label2id={tag: number for number, tag in enumerate(TAGS)},
    )
    model = transformers.RobertaForTokenClassification(config).eval()
    perturb(model)
    rng = np.random.default_rng(options.seed)
    padding_mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)
    token_ids = np.where(padding_mask, rng.integers(4, config.vocab_size, padding_mask.shape), 1)
    token_ids[:, 0] = config.bos_token_id
    token_ids[range(len(LENGTHS)), np.array(LENGTHS) - 1] = config.eos_token_id
    with torch.no_grad():
        logits = model(
            input_ids=torch.from_numpy(token_ids), attention_mask=torch.from_numpy(padding_mask)
        ).logits
    model.save_pretrained(options.output)
    np.savez_compressed(
        options.output / "logits.npz",
        token_ids=token_ids.astype(np.int32),
        padding_mask=padding_mask.astype(np.int32),
        logits=logits.numpy(),
        versions=json.dumps(versions()),
    )
    readme = README.format(made_by=made_by(), seed=options.seed)
    (options.output / "README.md").write_text(readme)


if __name__ == "__main__":
    main()
