"""A pre-training step on a GPU: our layers on JAX beside Transformers + PyTorch on the same card.

    python3.11 -m venv jax-env && jax-env/bin/pip install "jax[cuda12]" "keras>=3.15,<3.16"
    python3.11 -m venv torch-env && torch-env/bin/pip install torch==2.13.0 "transformers>=5.23,<6"
    python3.11 benchmarks/gpu_step.py --jax-python jax-env/bin/python \\
        --torch-python torch-env/bin/python --out gpu_step.json

This script itself needs nothing but Python, and neither environment needs TensorFlow or this
package installed. A step is forward, masked language model loss, backward and AdamW, in bfloat16
with float32 weights, of rows without padding. Each contestant is a process of its own, so that it
has the card to itself; they take turns, and the medians over turns are printed:

    keras_roberta             our layers, one jitted step
    transformers              `RobertaForMaskedLM` as it is, SDPA, torch.compile
    transformers_masked_only  the same, made to project masked positions alone, as ours does

The share of the matmul rate is of the best product of two bfloat16 matrices that any contestant
measured in this run. It counts what the mathematics needs: 6 FLOP a token for each weight of a
product (2 forward, 4 backward) and the attention's products; what follows the last keys and values
at masked positions alone. Who computes more has a smaller share for it.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
sys.path.append(str(ROOT))

from step_flops import step_flops  # noqa: E402

from keras_roberta import RobertaConfig  # noqa: E402  It needs no other package.

CONTESTANTS = ("keras_roberta", "transformers", "transformers_masked_only")


def main():
    options = parse_options()
    config = RobertaConfig.named(options.size, max_sequence_length=max(512, options.length))
    config = config.replace(dropout=options.dropout, attention_dropout=options.dropout)
    results = {name: [] for name in options.contestants}
    for turn in range(options.turns):
        # Each goes first as often as last.
        for name in options.contestants[:: -1 if turn % 2 else 1]:
            results[name].append(run(name, config, options))
            print(json.dumps({"name": name, **results[name][-1]}), file=sys.stderr, flush=True)
    summary = summarize(results, config, options)
    if options.out:
        options.out.write_text(json.dumps({"summary": summary, "runs": results}, indent=1) + "\n")
    print_table(summary, options)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jax-python", default=sys.executable, help="has jax and keras")
    parser.add_argument("--torch-python", default=sys.executable, help="has torch, transformers")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--size", default="base", help="of RobertaConfig.named")
    parser.add_argument("--length", type=int, default=512, help="tokens a row")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--predictions", type=int, help="masked positions a row; 15%% by default")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--turns", type=int, default=3, help="runs of each contestant")
    parser.add_argument("--windows", type=int, default=5, help="of a run")
    parser.add_argument("--steps", type=int, default=10, help="of a window")
    parser.add_argument("--matrix", type=int, default=8192, help="width of the measured product")
    parser.add_argument("--out", type=pathlib.Path, help="JSON file")
    options = parser.parse_args()
    options.predictions = options.predictions or max(1, round(0.15 * options.length))
    return options


def run(name, config, options):
    """One process; what it printed."""
    ours = name == "keras_roberta"
    fields = config.to_dict() if ours else config.to_hugging_face()
    script = "gpu_step_jax.py" if ours else "gpu_step_torch.py"
    command = [options.jax_python if ours else options.torch_python, PEERS / script]
    command += ["--config", json.dumps(fields)]
    for option in ("length", "batch_size", "predictions", "windows", "steps", "matrix"):
        command += [f"--{option.replace('_', '-')}", str(getattr(options, option))]
    if name == "transformers_masked_only":
        command.append("--masked-only")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    return json.loads(output.strip().splitlines()[-1])


def summarize(results, config, options):
    """A dict for each contestant: medians over its turns."""
    rate = max(run["matmul_flops"] for runs in results.values() for run in runs)
    tokens = options.batch_size * options.length
    flops = step_flops(config, options.batch_size, options.length, options.predictions)
    summary = {}
    for name, runs in results.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        memory = [run["peak_bytes"] for run in runs if run["peak_bytes"]]
        summary[name] = {
            "device": runs[0]["device"],
            "tokens_per_second": tokens / seconds,
            "milliseconds": 1e3 * seconds,
            "matmul_share": flops / seconds / rate,
            "matmul_teraflops": rate / 1e12,
            "peak_gigabytes": max(memory) / 1e9 if memory else None,
            "compilation_seconds": statistics.median(run["compilation"] for run in runs),
        }
    return summary


def print_table(summary, options):
    first = next(iter(summary.values()))
    print(
        f"\n{first['device']}, {options.size}, {options.batch_size} × {options.length} tokens, "
        f"{options.predictions} masked a row, dropout {options.dropout:g}; bfloat16 products at "
        f"{first['matmul_teraflops']:.3g} TFLOP/s\n"
    )
    print("| | tokens/s | ms a step | of the matmul rate | peak GB | compilation, s | speed |")
    print("|---|---|---|---|---|---|---|")
    for name, row in summary.items():
        memory = f"{row['peak_gigabytes']:.1f}" if row["peak_gigabytes"] else "–"
        speed = row["tokens_per_second"] / first["tokens_per_second"]
        print(
            f"| {name} | {row['tokens_per_second']:,.0f} | {row['milliseconds']:.1f} "
            f"| {row['matmul_share']:.0%} | {memory} | {row['compilation_seconds']:.0f} "
            f"| {speed:.2f} |"
        )


if __name__ == "__main__":
    main()
