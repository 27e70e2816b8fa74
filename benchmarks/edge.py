"""Our `.tflite` files beside what others offer on a processor: latency and size.

    make peers
    python benchmarks/edge.py
    python benchmarks/edge.py --preset sst2-model/ --data sst2/dev.tsv

One classifier, of base size with random weights or a fine-tuned preset, as

- our file in each quantisation, with token ids in;
- KerasHub's `RobertaTextClassifier` with the same weights, by its own `export(format="litert")`,
  float32 and int8 (dynamic range);
- ONNX Runtime, from Transformers' model with the same weights by `torch.onnx`, float32 and int8
  (`quantize_dynamic`, one scale an output channel);
- PyTorch, Transformers' model, float32 and int8 (`quantize_dynamic`).

Each is a process of its own that loads once; they take turns. With `--data` our int8 file with
lengths 16, 32, 64 and 128 answers the table's texts as they are, tokenization included, and
KerasHub's answers their token ids at its fixed 128. Prints tables of medians. ExecuTorch is not
among them.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
sys.path.insert(0, str(PEERS))
TEXTS = 300


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="a fine-tuned classifier; random of --size without")
    parser.add_argument("--size", default="base", help="a named RobertaConfig, without a preset")
    parser.add_argument("--data", help="table of texts, with --preset")
    parser.add_argument("--schemes", nargs="+", help="by default all that need no calibration")
    parser.add_argument("--length", type=int, default=128, help="tokens")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--calls", type=int, default=5, help="of each in a turn")
    parser.add_argument("--peers", nargs="+", default=["keras_hub", "onnx", "torch"])
    parser.add_argument(
        "--peers-python", type=pathlib.Path, default=ROOT / ".peers-venv" / "bin" / "python"
    )
    parser.add_argument("--out", type=pathlib.Path, help="JSON file for all figures")
    options = parser.parse_args()
    if options.data and not (options.preset and "keras_hub" in options.peers):
        parser.error("--data goes with --preset and the peer keras_hub")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        # Written by a process of its own, whose memory is free again when the clock runs.
        subprocess.run(
            [sys.executable, PEERS / "edge_files.py", directory, json.dumps(vars(options),
             default=str)], check=True,
        )  # fmt: skip
        found = {threads: compare(directory, options, threads) for threads in options.threads}
        print_table(directory, found)
        if options.out:
            options.out.write_text(json.dumps(found))
        if options.data:
            over_texts(directory, options)


def compare(directory, options, threads):
    """Median milliseconds of a call by contestant."""
    from rounds import Contestant

    contestants = []
    for name, command in commands(directory, options, threads).items():
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
        contestants.append(Contestant(name, command, environment))
    for turn in range(1 + options.turns):
        if turn == 1:
            for one in contestants:
                one.seconds.clear()  # the first calls allocate
        for one in contestants[:: 1 if turn % 2 else -1]:
            one.run(options.calls)
    return {one.name: 1e3 * one.end()["seconds"] for one in contestants}


def commands(directory, options, threads):
    """What starts each contestant, by name."""
    common = ["--threads", threads, "--length", options.length]
    runs = {
        f"ours, {path.stem.partition('_')[2]}": [sys.executable, PEERS / "edge_litert.py", path]
        for path in sorted(directory.glob("ours_*.tflite"))
    }
    if "keras_hub" in options.peers:
        for precision in ("none", "int8"):
            path = directory / f"hub_{precision}.tflite"
            runs[f"KerasHub, {precision}"] = [sys.executable, PEERS / "edge_litert.py", path]
    for library, title in (("onnx", "ONNX Runtime"), ("torch", "PyTorch")):
        if library in options.peers:
            script = PEERS / f"edge_{library}.py"
            for precision in ("none", "int8"):
                files = [directory / "hugging-face", "--precision", precision]
                runs[f"{title}, {precision}"] = [options.peers_python, script, *files]
    return {name: [*command, *common] for name, command in runs.items()}


def print_table(directory, found):
    """A row a contestant, with ratios to ours in the same precision."""
    heads = [f"ms, {n} thread{'s' * (n > 1)} | times ours" for n in found]
    print(f"\n| | MB | {' | '.join(heads)} |")
    print("|---|---|" + "---|---|" * len(found))
    sizes = json.loads((directory / "sizes.json").read_text())
    for path in (directory / "hugging-face").glob("*.onnx"):  # written by a contestant
        sizes[f"ONNX Runtime, {path.stem}"] = path.stat().st_size / 1e6
    for name in next(iter(found.values())):
        precision = name.rpartition(", ")[2]
        cells = []
        for times in found.values():
            ours = times.get(f"ours, {precision}")
            ratio = f"{times[name] / ours:.2f}" if ours and not name.startswith("ours") else ""
            cells.append(f"{times[name]:.1f} | {ratio}")
        megabytes = f"{sizes[name]:.1f}" if name in sizes else ""
        print(f"| {name} | {megabytes} | {' | '.join(cells)} |", flush=True)


def over_texts(directory, options):
    """Mean milliseconds of a text as it is, ours from text and KerasHub's from token ids."""
    from keras_roberta import export
    from keras_roberta.data.examples.table_files import read_table
    from keras_roberta.export.padded_rows import as_features
    from keras_roberta.reports.latency import latencies_over_texts
    from keras_roberta.tokenizers import open_tokenizer

    table = read_table(options.data)
    texts = table.texts("content" if "content" in table.columns else "text")[:TEXTS]
    tokenizer = open_tokenizer(options.preset)
    ours = export.load(directory / "texts_int8.tflite")
    from edge_litert import open_file

    theirs, names = open_file(directory / "hub_int8.tflite", 1)

    rows_of_ids = tokenizer.encode_batch(texts, None, max_length=options.length)
    inputs = {}  # before the clock runs
    for text, ids in zip(texts, rows_of_ids, strict=True):
        features = as_features([ids], tokenizer.pad_token_id, options.length)
        inputs[text] = {name: features[key] for name, key in names.items()}

    def of_text(one):
        return theirs(**inputs[one[0]])

    rows = []  # in parts, since the function times some texts at once
    for first in range(0, len(texts), 60):
        part = texts[first : first + 60]
        rows.append(latencies_over_texts([ours.predict, of_text], part))
    means = [float(np.mean(np.concatenate(times))) for times in zip(*rows, strict=True)]
    print(f"\n{len(texts)} texts as they are, int8, one thread, mean ms: ours {means[0]:.2f} from "
          f"text, KerasHub {means[1]:.2f} at {options.length} tokens: {means[0] / means[1]:.2f} "
          "times")  # fmt: skip


if __name__ == "__main__":
    main()
