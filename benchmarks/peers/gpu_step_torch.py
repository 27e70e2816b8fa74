"""A masked language model's training step with Transformers and PyTorch.

Started by `gpu_step.py`; prints one JSON line. SDPA, torch.compile, bfloat16 by autocast, float32
weights, fused AdamW. It gets no attention mask, since no row has padding, so that SDPA may take
its fastest kernel.
"""

import torch
import transformers
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

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
IGNORED = -100  # a target that Transformers' loss leaves out


def main():
    task = parse_task(__doc__)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    rate = multiplications(task, make_product(task.matrix), wait)
    model = transformers.AutoModelForMaskedLM.from_config(
        transformers.RobertaConfig(**task.config), attn_implementation="sdpa"
    )
    step = make_step(model.to(DEVICE).train(), task)
    result = measure(task, step, wait)
    cuda = DEVICE == "cuda"
    memory = torch.cuda.max_memory_allocated() if cuda else None
    print_result(torch.cuda.get_device_name() if cuda else "cpu", rate, memory, result)


def make_product(size):
    x = torch.ones((size, size), dtype=torch.bfloat16, device=DEVICE)
    return lambda: x @ x


def wait(value):
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return value


def make_step(model, task):
    """A function that trains on one batch and returns its loss."""
    batch = (torch.from_numpy(a).long().to(DEVICE) for a in make_batch(task))
    token_ids, positions, targets = batch
    rows = torch.arange(len(token_ids), device=DEVICE)[:, None]
    labels = torch.full_like(token_ids, IGNORED)
    labels[rows, positions] = targets
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=RATE,
        betas=(0.9, BETA_2),
        eps=EPSILON,
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )

    @torch.compile
    def loss_of():
        if not task.masked_only:
            return model(input_ids=token_ids, labels=labels).loss
        hidden = model.roberta(input_ids=token_ids).last_hidden_state
        logits = model.lm_head(hidden[rows, positions])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    def step():
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = loss_of()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


if __name__ == "__main__":
    main()
