"""How a training step's time and memory grow with the model, the batch and the replicas.

    python benchmarks/scaling.py --picture docs/images/scaling.png

One factor at a time is changed about a small model; each point is a process of its own that runs
`RobertaPretrainer.fit`, masked language modelling in float32 with dropout and AdamW. Prints the
time per token, the memory at its peak above that of TensorFlow itself, and the slopes of straight
lines through the points with logarithmic axes: 1 where a factor doubles what it doubles. Beside
them stands the slope of the FLOP per token that the products need, which time follows where the
products are all of a step.

Replicas are MirroredStrategy's, on logical devices of this machine: they share its cores and the
same global batch, so that a slope of 0 in time means a strategy that costs nothing.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np
from step_flops import step_flops

from keras_roberta import RobertaConfig

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BASE = {"layers": 4, "width": 256, "length": 128, "batch": 16, "replicas": 1}
VALUES = {
    "layers": (1, 2, 4, 8),
    "width": (64, 128, 256, 512),
    "length": (32, 64, 128, 256, 512),
    "batch": (2, 4, 8, 16, 32),
    "replicas": (1, 2),
}
VOCABULARY_SIZE, HEAD_DIM, MASKED = 8000, 64, 0.15
WARM_UP, MIN_STEPS, MAX_STEPS, SECONDS = 3, 5, 40, 3.0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", type=pathlib.Path, help="PNG file")
    parser.add_argument("--factors", nargs="+", choices=list(VALUES), default=list(VALUES))
    parser.add_argument("--out", type=pathlib.Path, help="JSON; what it holds is not run again")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(measure(options.point)))
        return
    results = measure_all(options.out, options.factors)
    print_table(results)
    if options.picture:
        draw(results, options.picture)


def measure_all(path, factors):
    """Lists of what each point gave, by factor; the base is measured once."""
    found = json.loads(path.read_text()) if path and path.exists() else []
    results = {}
    for factor in factors:
        points = [BASE | {factor: value} for value in VALUES[factor]]
        for point in points:
            if not any(point.items() <= result.items() for result in found):
                found.append(run(point))
                if path:
                    path.write_text(json.dumps(found, indent=1) + "\n")
        results[factor] = [
            next(result for result in found if point.items() <= result.items()) for point in points
        ]
    return results


def run(point):
    """A process that measures one point; what it printed."""
    command = [sys.executable, __file__, "--point", json.dumps(point)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = point | json.loads(output.splitlines()[-1])
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def config_of(point):
    return RobertaConfig(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=point["layers"],
        num_heads=point["width"] // HEAD_DIM,
        hidden_dim=point["width"],
        intermediate_dim=4 * point["width"],
        max_sequence_length=max(VALUES["length"]),
    )


def num_predictions(point):
    return round(MASKED * point["length"])


def flops_per_token(point):
    flops = step_flops(config_of(point), point["batch"], point["length"], num_predictions(point))
    return flops / (point["batch"] * point["length"])


def measure(point):
    """Microseconds a token and megabytes, in this process."""
    import keras
    import tensorflow as tf

    import keras_roberta as kr
    from keras_roberta.training import keep_freed_memory

    keep_freed_memory()  # as `keras-roberta pretrain` does
    strategy = tf.distribute.get_strategy()
    if point["replicas"] > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * point["replicas"]
        tf.config.set_logical_device_configuration(cpu, parts)
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(len(parts))])
    keras.utils.set_random_seed(0)
    keras.ops.convert_to_tensor(0.0)  # the runtime is up
    before = peak_megabytes()
    with strategy.scope():
        task = kr.RobertaPretrainer(kr.RobertaBackbone(config_of(point)), ("mlm",))
        task.compile()
    ends = []  # of steps

    def note(batch, logs):
        ends.append(time.perf_counter())
        timed = ends[WARM_UP:]
        if len(timed) > MIN_STEPS and timed[-1] - timed[0] > SECONDS:
            task.stop_training = True

    data = tf.data.Dataset.from_tensors(make_batch(point)).repeat()
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    task.fit(data, steps_per_epoch=MAX_STEPS, callbacks=[clock], shuffle=False, verbose=0)
    tokens = point["batch"] * point["length"]
    return {
        "microseconds": 1e6 * float(np.median(np.diff(ends[WARM_UP:]))) / tokens,
        "megabytes": peak_megabytes() - before,
    }


def make_batch(point):
    """Rows without padding, as `keras_roberta.data.pretraining` gives them."""
    random = np.random.default_rng(0)
    shape = point["batch"], point["length"]
    ids = random.integers(5, VOCABULARY_SIZE, shape).astype("int32")
    order = np.argsort(random.random((shape[0], shape[1] - 1)), axis=1) + 1
    positions = np.sort(order[:, : num_predictions(point)], axis=1).astype("int32")
    features = {
        "token_ids": ids,
        "padding_mask": np.ones_like(ids),
        "mask_positions": positions,
    }
    targets = {"mlm": np.take_along_axis(ids, positions, axis=1)}
    return features, targets, {"mlm": np.ones_like(positions, "float32")}


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def slope(points, values):
    """Of the least squares line through logarithms."""
    return float(np.polyfit(np.log(points), np.log(values), 1)[0])


def print_table(results):
    base = ", ".join(f"{name} {value}" for name, value in BASE.items())
    print(f"\nabout {base}, a vocabulary of {VOCABULARY_SIZE:,}\n")
    print("| factor | values | µs a token | slope | of FLOP | MB | slope |")
    print("|---|---|---|---|---|---|---|")
    for factor, rows in results.items():
        values = [row[factor] for row in rows]
        times, memory = ([row[key] for row in rows] for key in ("microseconds", "megabytes"))
        flops = [flops_per_token(row) for row in rows]
        cells = [
            factor,
            ", ".join(map(str, values)),
            ", ".join(f"{t:.0f}" for t in times),
            f"{slope(values, times):.2f}",
            f"{slope(values, flops):.2f}",
            ", ".join(f"{m:.0f}" for m in memory),
            f"{slope(values, memory):.2f}",
        ]
        print(f"| {' | '.join(cells)} |")


def draw(results, path):
    """A column a factor; time above, memory below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure, axes = plt.subplots(
        2, len(results), figsize=(11, 4.6), sharex="col", sharey="row", layout="constrained"
    )
    quantities = (("microseconds", "µs a token"), ("megabytes", "peak memory, MB"))
    for column, (factor, rows) in zip(axes.T, results.items(), strict=True):
        values = [row[factor] for row in rows]
        for axis, (key, _) in zip(column, quantities, strict=True):
            axis.set(xscale="log", yscale="log")
            axis.plot(values, [row[key] for row in rows], "o-", color="#1f5f99", markersize=4)
        # What the products need, through the base.
        flops = np.array([flops_per_token(row) for row in rows])
        base = values.index(BASE[factor])
        scaled = flops / flops[base] * rows[base]["microseconds"]
        column[0].plot(values, scaled, "--", color="#999999", linewidth=1, label="FLOP")
        column[1].set_xlabel(factor)
        column[1].set_xticks(values, labels=list(map(str, values)))
        column[1].xaxis.set_minor_locator(NullLocator())
    for (first, *_), (_, label) in zip(axes, quantities, strict=True):
        first.set_ylabel(label)
        first.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        first.yaxis.set_minor_locator(NullLocator())
    for axis in axes.flat:
        axis.grid(True, color="#e4e4e4", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].legend(frameon=False, handlelength=1.8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
