"""Peak memory and time of a training step by the length of the sequences.

Each way of computing runs in a process of its own: a masked language model of 4 layers, 256 wide,
dropout 0.1, on the same number of tokens a step whatever their length. Memory is the process's
largest, above what it has with the model made and no step taken.

    python benchmarks/attention.py
    python benchmarks/attention.py --ways plain compiled --lengths 128 512 --dropout 0
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

SHAPE = dict(num_layers=4, num_heads=4, hidden_dim=256, intermediate_dim=1024)
VOCABULARY_SIZE = 8000
WAYS = {
    "plain": {"attention": "plain"},
    "remat": {"attention": "plain", "remat": True},
    "blocks": {"attention": "blocks"},
    "blocks, remat": {"attention": "blocks", "remat": True},
    "compiled": {"attention": "compiled"},
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=[128, 512, 2048, 4096])
    parser.add_argument("--tokens", type=int, default=4096, help="a step")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=["plain", "remat", "blocks", "blocks, remat"]
    )
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=4, help="to time, after one to warm up")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "LENGTH"), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(way, length, tokens, dropout, steps):
    """MB and seconds of a step, in this process."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    import tensorflow as tf

    import keras_roberta as kr
    from keras_roberta.training import keep_freed_memory

    config = kr.RobertaConfig(
        **SHAPE,
        **WAYS[way],
        vocabulary_size=VOCABULARY_SIZE,
        max_sequence_length=length,
        dropout=dropout,
        attention_dropout=dropout,
        seed=0,
    )
    model = kr.RobertaPretrainer(kr.RobertaBackbone(config), ("mlm",))
    model.compile(jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    random, rows, masked = np.random.default_rng(0), tokens // length, length * 15 // 100
    token_ids = random.integers(5, VOCABULARY_SIZE, (rows, length), dtype="int32")
    batch = (
        {
            "token_ids": token_ids,
            "padding_mask": np.ones_like(token_ids),
            "mask_positions": np.tile(np.arange(masked, dtype="int32"), (rows, 1)),
        },
        {"mlm": token_ids[:, :masked]},
        {"mlm": np.ones((rows, masked), "float32")},
    )
    ends = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs=None: ends.append(time.perf_counter())
    )
    data = tf.data.Dataset.from_tensors(batch).repeat()
    keep_freed_memory()  # as `keras-roberta pretrain` does
    before = peak_megabytes()
    model.fit(data, steps_per_epoch=1 + steps, callbacks=[clock], verbose=0)
    seconds = np.diff(ends)  # without the first step, which traces
    return {"MB": peak_megabytes() - before, "s": statistics.median(seconds)}


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    options = parse_arguments()
    if options.child:
        way, length = options.child
        print(json.dumps(measure(way, int(length), options.tokens, options.dropout, options.steps)))
        return
    print(f"{options.tokens:,} tokens a step, dropout {options.dropout}; ratios to plain")
    print("| length | way | MB | ratio | s a step | ratio |\n|---|---|---|---|---|---|")
    for length in options.lengths:
        plain = None
        for way in options.ways:
            child = subprocess.run(
                [sys.executable, *sys.argv, "--child", way, str(length)],
                capture_output=True,
                text=True,
            )
            if child.returncode:
                sys.exit(f"{way} at {length}: {child.stderr[-2000:]}")
            result = json.loads(child.stdout.splitlines()[-1])
            plain = plain or result
            ratios = {name: result[name] / plain[name] for name in result}
            print(
                f"| {length} | {way} | {result['MB']:,.0f} | {ratios['MB']:.2f} "
                f"| {result['s']:.2f} | {ratios['s']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
