"""What the contestants of `gpu_step.py` share: the task, its clock, the line that they print."""

import argparse
import json
import statistics
import time

import numpy as np

RATE, BETA_2, EPSILON, WEIGHT_DECAY = 1e-4, 0.98, 1e-6, 0.01


def parse_task(description):
    """Shape and length of the measurement."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=json.loads, required=True, help="fields, as JSON")
    parser.add_argument("--length", type=int, required=True, help="tokens a row")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--predictions", type=int, required=True, help="masked positions a row")
    parser.add_argument("--windows", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True, help="of a window")
    parser.add_argument("--matrix", type=int, required=True, help="width of the product")
    parser.add_argument("--masked-only", action="store_true", help="project those positions alone")
    return parser.parse_args()


def make_batch(task):
    """Rows without padding.

    Returns:
        token ids (batch, length), mask positions and targets (batch, predictions), all int32
    """
    random = np.random.default_rng(0)
    first_word, size = 5, task.config.get("vocabulary_size") or task.config["vocab_size"]
    token_ids = random.integers(first_word, size, (task.batch_size, task.length))
    order = np.argsort(random.random((task.batch_size, task.length - 1)), axis=1) + 1
    positions = np.sort(order[:, : task.predictions], axis=1)
    targets = np.take_along_axis(token_ids, positions, axis=1)
    return tuple(array.astype("int32") for array in (token_ids, positions, targets))


def measure(task, step, wait):
    """Seconds of a step.

    Args:
        step: does one training step, and gives its loss as the framework has it.
        wait: returns when the loss that it is given is there.

    Returns:
        dict: the median over windows of the mean step, what the first steps took (compilation),
        and the first and last loss.
    """
    started = time.perf_counter()
    first = float(wait(step()))
    wait(step())  # some compile a second time, for their own outputs
    compilation = time.perf_counter() - started
    windows = []
    for _ in range(task.windows):
        started = time.perf_counter()
        for _ in range(task.steps):
            loss = step()
        last = float(wait(loss))
        windows.append((time.perf_counter() - started) / task.steps)
    return {
        "seconds": statistics.median(windows),
        "compilation": compilation,
        "losses": [first, last],
    }


def multiplications(task, multiply, wait, repetitions=20):
    """FLOP/s of products of two square bfloat16 matrices, the best of some.

    Args:
        multiply: gives the product of two fixed matrices of `task.matrix` rows.
        wait: as in `measure`.
    """
    rates = []
    for _ in range(5):
        wait(multiply())
        started = time.perf_counter()
        for _ in range(repetitions):
            product = multiply()
        wait(product)
        seconds = (time.perf_counter() - started) / repetitions
        rates.append(2 * task.matrix**3 / seconds)
    return max(rates)


def print_result(device, rate, memory, result):
    line = {"device": device, "matmul_flops": rate, "peak_bytes": memory, **result}
    print(json.dumps(line), flush=True)
