"""Steps of masked language modelling with Transformers and PyTorch.

Asked by `benchmarks/pretrain_throughput.py`; see rounds.py.
"""

import itertools
import time

import rounds
import step_options as step
import torch
import transformers


def main():
    options = step.parse_options(__doc__)
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    shape = step.SHAPE
    config = transformers.RobertaConfig(
        vocab_size=step.VOCABULARY_SIZE,
        num_hidden_layers=shape["num_layers"],
        num_attention_heads=shape["num_heads"],
        hidden_size=shape["hidden_dim"],
        intermediate_size=shape["intermediate_dim"],
        max_position_embeddings=step.LENGTH + 2,
        type_vocab_size=1,
        hidden_dropout_prob=step.DROPOUT,
        attention_probs_dropout_prob=step.DROPOUT,
    )
    model = transformers.RobertaForMaskedLM(config).train()
    parameters = sum(p.numel() for p in model.parameters())
    recipe = step.OPTIMIZER
    optimizer = torch.optim.AdamW(
        [
            dict(params=[p for p in model.parameters() if p.ndim > 1]),
            dict(params=[p for p in model.parameters() if p.ndim <= 1], weight_decay=0.0),
        ],
        lr=recipe["learning_rate"],
        weight_decay=recipe["weight_decay"],
        betas=(0.9, recipe["beta_2"]),
        eps=recipe["epsilon"],
        fused=True,
    )
    forward = torch.compile(model) if options.jit else model
    batches = itertools.cycle([tensors(*arrays) for arrays in step.make_batches()])

    def run(steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            batch = next(batches)
            with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16"):
                loss = forward(**batch).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
            seconds.append(time.perf_counter() - start)
        return seconds

    run(3)
    rounds.serve(run, {"parameters": parameters})


def tensors(token_ids, positions, masked_ids):
    labels = torch.full(token_ids.shape, -100, dtype=torch.int64)
    labels.scatter_(1, torch.from_numpy(positions).long(), torch.from_numpy(masked_ids).long())
    input_ids = torch.from_numpy(token_ids).long()
    return dict(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), labels=labels)


if __name__ == "__main__":
    main()
