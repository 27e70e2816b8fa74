"""Tokens a second in pre-training: this library, KerasHub, and Transformers with PyTorch.

    make peers
    python benchmarks/pretrain_throughput.py

A step of masked language modelling of 6 layers, 512 wide, on 16 rows of 128 tokens with 20 masked
positions each, dropout 0.1, AdamW. Every contestant is a process that is loaded once; they take
turns, some steps each, and the median step counts. The rate of matrix products that the machine
reaches is measured in the same turns. Prints tables, and writes JSON to --out.
"""

import argparse
import json
import os
import pathlib
import sys

from peers import rounds
from peers import step_options as step
from step_flops import step_flops

from keras_roberta import RobertaConfig

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers-python",
        type=pathlib.Path,
        default=ROOT / ".peers-venv" / "bin" / "python",
        help="interpreter that has torch and transformers; `make peers` makes it",
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3, help="of each in a round")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contestants by name")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()

    contestants = []
    for name, (command, environment) in commands(options).items():
        if not options.only or name in options.only:
            print(f"loading {name}", file=sys.stderr)
            contestants.append(rounds.Contestant(name, command, environment))
    for number in range(options.rounds):
        for contestant in contestants[:: 1 if number % 2 == 0 else -1]:
            contestant.run(options.steps)
            seconds = contestant.seconds[-options.steps :]
            print(contestant.name, *(f"{s:.2f}" for s in seconds), file=sys.stderr)
    results = [contestant.end() for contestant in contestants]
    print_tables(results)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


def commands(options):
    """Command and environment of each contestant."""
    keras = [sys.executable, PEERS / "step_keras.py"]
    torch = [options.peers_python, PEERS / "step_transformers.py"]
    # TensorFlow's default, which is off on most processors, is what KerasHub gets as installed;
    # importing keras_roberta, as above, turns oneDNN on.
    default = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    one_dnn = {**default, "TF_ENABLE_ONEDNN_OPTS": "1"}
    found = {
        "matrix products": ([sys.executable, PEERS / "step_products.py"], one_dnn),
        "ours": ([*keras, "ours", "--parts"], one_dnn),
        "ours, XLA": ([*keras, "ours", "--jit"], one_dnn),
        "KerasHub": ([*keras, "keras_hub"], default),
        "KerasHub, XLA": ([*keras, "keras_hub", "--jit"], default),
        "KerasHub, oneDNN": ([*keras, "keras_hub"], one_dnn),
        "KerasHub, oneDNN, XLA": ([*keras, "keras_hub", "--jit"], one_dnn),
        "Transformers": (torch, default),
        "Transformers, compiled": ([*torch, "--jit"], default),
    }
    if multiplies_bfloat16():
        for name in [name for name in found if name != "matrix products"]:
            command, environment = found[name]
            found[f"{name}, bfloat16"] = [*command, "--dtype", "bfloat16"], environment
    else:
        print("this processor has no bfloat16 products: float32 alone", file=sys.stderr)
    return found


def multiplies_bfloat16():
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def print_tables(results):
    by_name = {result["name"]: result for result in results}
    rate = by_name.pop("matrix products", {}).get("seconds")
    mine = min((r["seconds"] for name, r in by_name.items() if "ours" in name), default=None)
    print("| | step, ms | tokens/s | best of ours is faster by | peak memory, MB |")
    print("|---|---|---|---|---|")
    for name, result in by_name.items():
        seconds = result["seconds"]
        ratio = f"{seconds / mine:.2f}" if mine else ""
        print(
            f"| {name} | {1000 * seconds:,.0f} | {step.BATCH_SIZE * step.LENGTH / seconds:,.0f} "
            f"| {ratio} | {result['peak_megabytes']:,.0f} |"
        )
    if rate and mine:
        config = RobertaConfig(vocabulary_size=step.VOCABULARY_SIZE, **step.SHAPE)
        flops = step_flops(config, step.BATCH_SIZE, step.LENGTH, step.PREDICTIONS)
        speed = step.PRODUCTS_OPERATIONS / rate
        print(
            f"\nmatrix products: {speed / 1e9:.0f} GFLOP/s; a step has {flops / 1e9:.0f} "
            f"GFLOP of them, so ours reaches {flops / mine / speed:.0%} of that rate"
        )
    for result in by_name.values():
        if "parts" in result:
            print_parts(result)


def print_parts(result):
    total = result["seconds"]
    print(f"\n| part of the step ({result['name']}) | ms | share |\n|---|---|---|")
    rest = total - sum(result["parts"].values())
    for part, seconds in {**result["parts"], "between them": rest}.items():
        print(f"| {part} | {1000 * seconds:.0f} | {seconds / total:.0%} |")


if __name__ == "__main__":
    main()
