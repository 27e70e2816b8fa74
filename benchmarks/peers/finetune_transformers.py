"""Fine-tunes a text classifier with Transformers and PyTorch, in the environment of `make peers`.

    .peers-venv/bin/python benchmarks/peers/finetune_transformers.py \\
        --preset granite-30m --train train.tsv --dev dev.tsv

One epoch, batches padded to their longest sentence, AdamW without decay of biases and norms,
gradients clipped, linear warm-up and decay. Prints one JSON line.
"""

import time

import torch
import transformers
from recipe import (
    BETA_2,
    CLIP_NORM,
    EPSILON,
    MAX_LENGTH,
    WARM_UP,
    WEIGHT_DECAY,
    parse_options,
    print_result,
    read_sentences,
    read_training,
)


def main():
    options = parse_options(__doc__)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.preset)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        options.preset, num_labels=2, dtype=torch.float32
    )
    texts, labels = read_training(options)
    start = time.perf_counter()
    tokens = train(model, tokenizer, texts, labels, options)
    seconds = time.perf_counter() - start
    accuracy = evaluate(model, tokenizer, *read_sentences(options.dev))
    print_result("transformers", options, accuracy, seconds, tokens)


def train(model, tokenizer, texts, labels, options):
    """One epoch in the order given; returns the number of tokens."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]  # biases and layer norms
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=WEIGHT_DECAY), dict(params=others, weight_decay=0.0)],
        lr=options.learning_rate,
        betas=(0.9, BETA_2),
        eps=EPSILON,
        fused=True,
    )
    num_steps = -(-len(texts) // options.batch_size)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, round(WARM_UP * num_steps), num_steps
    )
    input_ids = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    model.train()
    for first in range(0, len(texts), options.batch_size):
        rows = slice(first, first + options.batch_size)
        batch = tokenizer.pad({"input_ids": input_ids[rows]}, return_tensors="pt")
        loss = model(**batch, labels=torch.tensor(labels[rows])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return sum(map(len, input_ids))


def evaluate(model, tokenizer, texts, labels, batch_size=64):
    """Share of texts whose class is predicted."""
    model.eval()
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(texts), batch_size):
            rows = slice(first, first + batch_size)
            batch = tokenizer(
                texts[rows],
                truncation=True,
                max_length=MAX_LENGTH,
                padding=True,
                return_tensors="pt",
            )
            predicted = model(**batch).logits.argmax(-1)
            correct += (predicted == torch.tensor(labels[rows])).sum().item()
    return correct / len(texts)


if __name__ == "__main__":
    main()
