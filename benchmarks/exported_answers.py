"""Do exported files answer as Keras does? On 300 rows of real data, for every task.

    python benchmarks/tasks.py --data DIR --out runs.json --seeds 0 --save PRESETS
    python benchmarks/exported_answers.py --data DIR --presets PRESETS

Each preset of `benchmarks/tasks.py` is exported as a float32 and an int8 `.tflite` file and as a
SavedModel, and asked the first rows of what the task was measured on. Prints for each file its
size, the share of answers that are Keras's, the largest change of a probability or value, and both
scores.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

from tasks import TASKS

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES = {
    "float32.tflite": {"quantization": "none"},
    "int8.tflite": {"quantization": "int8"},
    "saved_model": {},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--presets", type=pathlib.Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--rows", type=int, default=300)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.append(str(ROOT / "benchmarks" / "peers"))
    print("| | file | MB | same answers | largest change | of Keras | of the file |")
    print("|---|---|---|---|---|---|---|")
    for name in options.tasks:
        read, score = TASKS[name]
        measured, rows = next(iter(read(options.data)["measured"].items()))
        for line in compared(options, name, rows[: options.rows], score):
            print(f"| {measured} | {line}", flush=True)


def compared(options, name, rows, score):
    import keras_roberta as kr
    from keras_roberta import export

    # isort: split
    from task_ours import KINDS
    from task_recipes import RECIPES

    from keras_roberta.reports.size_on_disk import bytes_on_disk

    task, kind = kr.open_task(options.presets / name), KINDS[name]()
    asked = kind.asked(rows)
    expected, right = task.named_outputs(asked), kind.predict(task, rows)
    for file in options.files:
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / file
            pairs = isinstance(asked, tuple) and task.schema.takes_pairs
            if file.endswith(".tflite"):
                lengths = (32, 64, RECIPES[name].max_length)
                lengths = tuple(sorted({n for n in lengths if n <= lengths[-1]}))
                export.to_tflite(task, path, sequence_lengths=lengths, pairs=pairs, **FILES[file])
            else:
                export.to_saved_model(task, path, pairs=pairs)
            runner = export.load(path)
            found = runner.predict(asked)
            comparison = task.schema.compare(found, expected)
            same = comparison.agreement
            cells = [
                file,
                f"{bytes_on_disk(path) / 1e6:.1f}",
                "" if same is None else f"{same:.3f}",
                f"{comparison.largest_change:.2g}",
                json.dumps(score(rows, right)),
                json.dumps(score(rows, kind.predict(runner, rows))),
            ]
        yield " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
