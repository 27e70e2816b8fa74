"""Each regularisation alone, on few labels: SST-2 with 1,000 of them, three seeds.

    python benchmarks/regularisation.py --data DIR --out runs.json --threads 1

DIR holds `granite-30m/` and `sst2/`. Each run is one of `keras-roberta finetune` with one option
more than the first, without a dev file, so that no epoch is chosen by what is measured. `--out` is
rewritten after each run, and a run that it has is not run again. Prints a Markdown table of the
accuracy and the loss on the dev set, with the lowest and highest of the seeds, and of the median
seconds.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.jobs.options.finetune import FinetuneOptions

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYS = {
    "none": {},
    "no dropout": {"dropout": 0.0},
    "dropout 0.2": {"dropout": 0.2},
    "attention dropout 0.2": {"attention_dropout": 0.2},
    "activation dropout 0.1": {"activation_dropout": 0.1},
    "layer drop 0.1": {"layer_drop": 0.1},
    "layer decay 0.9": {"layer_decay": 0.9},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "confidence penalty 0.1": {"confidence_penalty": 0.1},
    "R-Drop 1": {"r_drop": 1.0},
    "FGM 1": {"fgm": 1.0},
    "mixout 0.7, no dropout": {"mixout": 0.7, "dropout": 0.0},
    "averages, momentum 0.98": {"ema_momentum": 0.98},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=1000, help="of the training file, the first")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    runs = json.loads(options.out.read_text()) if options.out.exists() else []
    settings = {"rows": options.rows, "epochs": options.epochs, "threads": options.threads}
    for seed in options.seeds:  # all ways take turns: the machine's mood is shared by them
        for way in options.ways:
            key = {"way": way, "seed": seed, **settings}
            if any(key.items() <= run.items() for run in runs):
                continue
            runs.append({**key, **run(options, WAYS[way], seed)})
            with atomic_file(options.out) as path:
                pathlib.Path(path).write_text(json.dumps(runs, indent=1))
            print(json.dumps(runs[-1]), flush=True)
    print_table([run for run in runs if settings.items() <= run.items()])


def run(options, way, seed):
    import keras
    import tensorflow as tf

    from keras_roberta.jobs.finetune import TrainingData
    from keras_roberta.jobs.task_training import compile_task, fit
    from keras_roberta.jobs.train_and_keep_best import start_of_preset

    if tf.config.threading.get_intra_op_parallelism_threads() != options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    recipe = FinetuneOptions(
        batch_size=16, learning_rate=5e-5, epochs=options.epochs, seed=seed, limit=options.rows
    )
    recipe = FinetuneOptions.from_dict({**recipe.to_dict(), **way})
    tables = options.data / "sst2"
    learnt = TrainingData.read(tables / "train.tsv", None, recipe)
    measured = TrainingData.read(tables / "dev.tsv", None, FinetuneOptions())
    task = start_of_preset(
        options.data / "granite-30m", learnt, recipe, tf.distribute.get_strategy()
    ).task
    compile_task(task, recipe)
    started = time.monotonic()
    fit(task, learnt.texts, learnt.targets, None, recipe)
    seconds = time.monotonic() - started
    task.compile()  # the loss of every way is the plain one
    scores = task.evaluate(measured.texts, measured.targets, verbose=0, return_dict=True)
    keras.backend.clear_session()
    return {
        "accuracy": round(100 * float(scores["accuracy"]), 2),
        "loss": round(float(scores["loss"]), 4),
        "seconds": round(seconds, 1),
    }


def print_table(runs):
    print("\n| | seeds | accuracy, % | loss | seconds |\n|---|---|---|---|---|")
    for way in dict.fromkeys(run["way"] for run in runs):
        found = [run for run in runs if run["way"] == way]
        cells = [
            spread([run[name] for run in found], n) for name, n in (("accuracy", 1), ("loss", 3))
        ]
        seconds = statistics.median(run["seconds"] for run in found)
        print(f"| {way} | {len(found)} | {' | '.join(cells)} | {seconds:.0f} |")


def spread(values, digits):
    low, mean, high = (f"{f(values):.{digits}f}" for f in (min, statistics.mean, max))
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
