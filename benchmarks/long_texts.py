"""A checkpoint of 512 positions made longer: what it keeps, what it learns, what a step costs.

A masked language model is trained for a while at 512 tokens, for a head that may be new.
It gets 4,096 positions, copies of those it has, and is trained on at 1,024 tokens; beside it the
same model is trained on at 512, on as many tokens. The loss is measured on text that was held out,
with the same tokens masked each time: in rows of 512 tokens, and in rows of 1,024 in the halves.
Then a step of 4,096 tokens is timed at each length, in a process of its own.

    python benchmarks/long_texts.py --preset granite-30m/ --text english_text/
    python benchmarks/long_texts.py --short

Without --preset the model is a tiny one with random weights, and without --text the text is of
random words: this shows that the script runs, and nothing about models.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

KNOWN, LONGER, LONGEST = 512, 1024, 4096
HELD_OUT = 0.1
LENGTHS = (512, 1024, 2048, 4096)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="directory of a checkpoint of 512 positions")
    parser.add_argument("--text", type=pathlib.Path, help="directory of .txt files")
    parser.add_argument("--tokens", type=int, default=4096, help="a step")
    parser.add_argument("--head-steps", type=int, default=300, help="at 512 tokens, at first")
    parser.add_argument("--steps", type=int, default=200, help="after it, at each length")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--held-out-rows", type=int, default=64, help="of 1,024 tokens")
    parser.add_argument("--remat", action="store_true", help="gradient checkpointing")
    parser.add_argument("--short", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.short:
        options.head_steps, options.steps, options.held_out_rows = 2, 2, 4
    return options


def make_preset(directory):
    """A tiny encoder of 512 positions with a tokenizer."""
    import keras_roberta as kr
    from keras_roberta.tokenizers.training import train_byte_level_bpe

    tokenizer = train_byte_level_bpe(random_words(2000), vocabulary_size=500)
    config = kr.RobertaConfig.named("tiny", vocabulary_size=tokenizer.vocabulary_size, seed=0)
    preprocessor = kr.RobertaMaskedLM.preprocessor_cls(tokenizer, KNOWN)
    model = kr.RobertaMaskedLM(kr.RobertaBackbone(config), preprocessor)
    model.save_to_preset(directory)


def random_words(count):
    import numpy as np

    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("aeionrst"), 4)) for _ in range(300)]
    return [" ".join(random.choice(words, 40)) for _ in range(count)]


def read_rows(tokenizer, text, options):
    """Token ids (rows, 1024): to train on, and held out. Rows are cut from one long text."""
    import numpy as np

    if text is None:
        lines = random_words(600 if options.short else 6000)
    else:
        lines = [
            line for path in sorted(text.glob("*.txt"))
            for line in path.read_text("utf-8", errors="replace").splitlines() if line.strip()
        ]  # fmt: skip
        lines = lines[::20] if options.short else lines
    ids = np.concatenate([np.asarray(tokenizer(line)[1:-1]) for line in lines])
    inner = LONGER - 2
    rows = ids[: len(ids) // inner * inner].reshape(-1, inner)
    start, end = (np.full((len(rows), 1), t) for t in tokenizer_ends(tokenizer))
    rows = np.concatenate([start, rows, end], axis=1).astype("int32")
    held_out = max(2, int(len(rows) * HELD_OUT))
    return rows[:-held_out], rows[-held_out:][: options.held_out_rows]


def tokenizer_ends(tokenizer):
    return tokenizer.start_token_id, tokenizer.end_token_id


def masked(task, rows, seed=0):
    """Rows with tokens hidden, always the same: inputs, labels, weights."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    inputs, labels, weights = task.preprocessor.mask({"token_ids": tf.constant(rows)})
    return {k: v.numpy() for k, v in inputs.items()}, labels.numpy(), weights.numpy()


def loss(task, batch, where=slice(None)):
    """The mean over masked positions in a part of the rows."""
    import numpy as np

    inputs, labels, weights = batch
    total = count = 0.0
    for first in range(0, len(labels), 4):
        part = slice(first, first + 4)
        logits = np.asarray(task({name: x[part] for name, x in inputs.items()}))
        logits = logits - logits.max(-1, keepdims=True)
        of_label = np.take_along_axis(logits, labels[part, :, None], -1)[..., 0]
        losses = np.log(np.exp(logits).sum(-1)) - of_label
        position = inputs["mask_positions"][part]
        length = inputs["token_ids"].shape[1]
        low, high, _ = where.indices(length)
        counted = weights[part] * ((position >= low) & (position < high))
        total, count = total + (losses * counted).sum(), count + counted.sum()
    return total / count


def train(task, rows, length, steps, options):
    import keras
    import numpy as np

    from keras_roberta.training.optimizer import finetuning_optimizer

    keras.utils.set_random_seed(1)
    rows = rows.reshape(-1, length) if LONGER % length == 0 else rows
    size = options.tokens // length
    order = np.random.default_rng(0).permutation(len(rows))
    chosen = rows[np.resize(order, steps * size)]
    task.compile(finetuning_optimizer(options.learning_rate))
    ones = np.ones_like(chosen)
    task.fit({"token_ids": chosen, "padding_mask": ones}, batch_size=size, epochs=1, verbose=0)


def quality(preset, options):
    """Prints the losses of the model before and after it learns from longer rows."""
    import keras

    import keras_roberta as kr

    keras.utils.set_random_seed(0)
    first = kr.RobertaMaskedLM.from_preset(preset)
    rows, held_out = read_rows(first.preprocessor.tokenizer, options.text, options)
    train(first, rows, KNOWN, options.head_steps, options)
    short, long = masked(first, held_out.reshape(-1, KNOWN)), masked(first, held_out)
    halves = slice(0, KNOWN), slice(KNOWN, LONGER)
    print(f"{len(rows):,} rows of {LONGER:,} tokens, {len(held_out)} held out; {options}\n")
    print("| model | trained at | rows of 512 | rows of 1,024, first half | second half |")
    print("|---|---|---|---|---|")
    print(f"| 512 positions | 512 | {loss(first, short):.4f} | – | – |", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        first.save_to_preset(directory)
        for how in ("copy", "interpolate"):
            print_losses(opened(directory, how), f"{LONGEST:,} positions, {how}", "512",
                         short, long, halves)  # fmt: skip
        for length in (KNOWN, LONGER):
            task = opened(directory, "copy")
            train(task, rows, length, options.steps, options)
            name = f"{LONGEST:,} positions, copy"
            print_losses(task, name, f"512, then {length:,}", short, long, halves)


def opened(directory, how):
    import keras_roberta as kr

    return kr.RobertaMaskedLM.from_preset(
        directory, max_sequence_length=LONGEST, extend_positions=how
    )


def print_losses(task, name, trained, short, long, halves):
    found = [loss(task, short), *(loss(task, long, half) for half in halves)]
    print(f"| {name} | {trained} | {' | '.join(f'{x:.4f}' for x in found)} |", flush=True)


def measure(preset, length, options):
    """MB and seconds of a step, in this process."""
    import keras
    import numpy as np

    import keras_roberta as kr
    from keras_roberta.training import keep_freed_memory
    from keras_roberta.training.optimizer import finetuning_optimizer

    task = kr.RobertaMaskedLM.from_preset(
        preset, max_sequence_length=max(length, KNOWN), remat=options.remat or None
    )
    task.compile(finetuning_optimizer(1e-5))
    task.optimizer.build(task.trainable_variables)
    steps, size = (2 if options.short else 4), options.tokens // length
    vocabulary = task.backbone.config.vocabulary_size
    ids = np.random.default_rng(0).integers(5, vocabulary, ((1 + steps) * size, length), "int32")
    ends = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs=None: ends.append(time.perf_counter())
    )
    keep_freed_memory()  # as `keras-roberta pretrain` does
    before = resident("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    task.fit(
        {"token_ids": ids, "padding_mask": np.ones_like(ids)},
        batch_size=size,
        epochs=1,
        verbose=0,
        callbacks=[clock],
    )
    seconds = np.diff(ends)  # without the first step, which traces
    return {"MB": resident("VmHWM") - before, "s": statistics.median(seconds)}


def resident(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1000


def main():
    options = parse_arguments()
    if options.child:
        preset, length = options.child
        print(json.dumps(measure(preset, int(length), options)))
        return
    with tempfile.TemporaryDirectory() as made:
        if options.preset is None:
            make_preset(made)
        preset = options.preset or made
        quality(preset, options)
        print(f"\nA step of {options.tokens:,} tokens\n")
        print("| length | MB | s a step |\n|---|---|---|")
        for length in LENGTHS[:2] if options.short else LENGTHS:
            child = subprocess.run(
                [sys.executable, *sys.argv, "--child", preset, str(length)],
                capture_output=True,
                text=True,
            )
            if child.returncode:
                sys.exit(f"{length}: {child.stderr[-2000:]}")
            found = json.loads(child.stdout.splitlines()[-1])
            print(f"| {length:,} | {found['MB']:,.0f} | {found['s']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
