"""Fine-tuning time and accuracy on SST-2: this library, Transformers + PyTorch, and KerasHub.

    make peers
    python benchmarks/finetune_sst2.py --data DIR

DIR holds `granite-30m/` and `sst2/`. Each contestant is a process of its own that fine-tunes the
same checkpoint on the same sentences for one epoch by the same recipe; they take turns, one at a
time. Prints a table, and rewrites the JSON file given by --out after each run.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument(
        "--peers-python",
        type=pathlib.Path,
        default=ROOT / ".peers-venv" / "bin" / "python",
        help="interpreter that has torch and transformers; `make peers` makes it",
    )
    parser.add_argument("--sentences", type=int, default=16_000)
    parser.add_argument("--turns", type=int, default=1, help="runs of each contestant")
    parser.add_argument("--limit-steps", type=int, help="a short run, for its time alone")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--contestants", nargs="+", default=["keras_roberta", "transformers", "keras_hub"]
    )
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[1e-4])
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()

    commands = {
        "keras_roberta": [sys.executable, PEERS / "finetune_ours.py"],
        "transformers": [options.peers_python, PEERS / "finetune_transformers.py"],
        "keras_hub": [sys.executable, PEERS / "finetune_keras_hub.py"],
    }
    results = []
    with tempfile.TemporaryDirectory() as directory:
        train, dev = write_files(options, pathlib.Path(directory))
        for turn in range(options.turns):
            for rate in options.learning_rates:
                for name in options.contestants:
                    results.append(run(commands[name], options, train, dev, rate, seed=turn))
                    if options.out:
                        options.out.write_text(json.dumps(results, indent=1))
                    print(json.dumps(results[-1]), flush=True)
    print_table(results)


def write_files(options, directory):
    """The first sentences of a seeded shuffle, and the dev set, under the same column names."""
    written = []
    for name in ("train", "dev"):
        with open(options.data / "sst2" / f"{name}.tsv", encoding="utf-8", newline="") as file:
            rows = [line.rstrip("\r\n").split("\t") for line in file][1:]
        if name == "train":
            random.Random(0).shuffle(rows)
            rows = rows[: options.sentences]
        written.append(directory / f"{name}.tsv")
        with open(written[-1], "w", encoding="utf-8", newline="") as file:
            file.write("sentence\tlabel\n")
            file.writelines(f"{sentence}\t{label}\n" for label, sentence in rows)
    return written


def run(command, options, train, dev, rate, seed):
    arguments = {
        "--preset": options.data / "granite-30m",
        "--train": train,
        "--dev": dev,
        "--learning-rate": rate,
        "--threads": options.threads,
        "--seed": seed,
    }
    if options.limit_steps:
        arguments["--limit-steps"] = options.limit_steps
    flat = [str(part) for pair in arguments.items() for part in pair]
    output = subprocess.run(
        [*map(str, command), *flat], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return json.loads(output.strip().splitlines()[-1])


def print_table(results):
    """One row a contestant: its best accuracy over the learning rates, its median time."""
    by_name = {}
    for result in results:
        by_name.setdefault(result["name"], []).append(result)
    ours = statistics.median(r["seconds"] for r in by_name.get("keras_roberta", results))
    print("\n| | dev accuracy | learning rate | seconds | times ours |\n|---|---|---|---|---|")
    for name, rows in by_name.items():
        best = max(rows, key=lambda row: row["accuracy"])
        seconds = statistics.median(row["seconds"] for row in rows)
        print(
            f"| {name} | {best['accuracy']:.1%} | {best['learning_rate']:g} "
            f"| {seconds:.0f} | {seconds / ours:.2f} |"
        )


if __name__ == "__main__":
    main()
