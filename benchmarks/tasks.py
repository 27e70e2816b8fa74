"""Fine-tuning of every task on real data, beside Transformers + PyTorch: scores and time.

    make peers
    python benchmarks/tasks.py --data DIR --out runs.json

DIR holds `granite-30m/`, `sst2/`, `wnut17/`, `xquad/`, `csqa/` and `sick/`. Each run is a process
of its own; the contestants take turns, with the recipes of `peers/task_recipes.py`. `--out` is
rewritten after each run, and a run that it has is not run again. `--preset` takes another
checkpoint for all, such as a multilingual one for `--tasks answers`. `--save` keeps our presets of
seed 0, for `benchmarks/exported_answers.py`. Prints a table of means over the seeds.
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import numpy as np

from keras_roberta.files.atomic_write import atomic_file
from keras_roberta.schemas.span_scores import SpanCounts
from keras_roberta.schemas.squad_scores import squad_scores
from keras_roberta.schemas.tag_schemes import scheme_of_rows

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
SENTENCES = 4000  # of SST-2
ARTICLES = 40  # of XQuAD's 48, to learn from
QUESTIONS = 1000  # of CommonsenseQA's 1,221


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--preset", type=pathlib.Path, help="default: granite-30m of the data")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--contestants", nargs="+", choices=["keras_roberta", "transformers"],
                        default=["keras_roberta", "transformers"])  # fmt: skip
    parser.add_argument(
        "--peers-python", type=pathlib.Path, default=ROOT / ".peers-venv" / "bin" / "python"
    )
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--save", type=pathlib.Path, help="directory for our presets")
    options = parser.parse_args()
    runs = json.loads(options.out.read_text()) if options.out.exists() else []
    for seed in options.seeds:
        for task in options.tasks:
            for contestant in options.contestants:
                key = {"task": task, "seed": seed, "contestant": contestant}
                if any(key.items() <= run.items() for run in runs):
                    continue
                runs.append({**key, **run(options, **key)})
                with atomic_file(options.out) as path:
                    pathlib.Path(path).write_text(json.dumps(runs, indent=1))
                print(json.dumps(runs[-1]), flush=True)
    print_table([run for run in runs if run["task"] in options.tasks])


def run(options, task, seed, contestant):
    read, score = TASKS[task]
    rows = read(options.data)
    python, script = {
        "keras_roberta": (sys.executable, "task_ours.py"),
        "transformers": (options.peers_python, "task_transformers.py"),
    }[contestant]
    with tempfile.TemporaryDirectory() as directory:
        paths = [pathlib.Path(directory) / name for name in ("rows.json", "predictions.json")]
        paths[0].write_text(json.dumps(rows), encoding="utf-8")
        command = [
            python, PEERS / script, "--task", task, "--rows", paths[0], "--predictions", paths[1],
            "--preset", options.preset or options.data / "granite-30m", "--seed", str(seed),
            "--threads", str(options.threads),
        ]  # fmt: skip
        if options.save and contestant == "keras_roberta" and seed == 0:
            command += ["--save", options.save / task]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        predictions = json.loads(paths[1].read_text(encoding="utf-8"))
    scores = {}
    for name, measured in rows["measured"].items():
        for score_name, value in score(measured, predictions[name]).items():
            scores[f"{name}, {score_name}"] = round(float(value), 4)
    seconds = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return {"threads": options.threads, "seconds": seconds, "scores": scores}


# === Data ===


def read_sentiment(data):
    rows = {}
    for name in ("train", "dev"):
        lines = (data / "sst2" / f"{name}.tsv").read_text("utf-8").splitlines()[1:]
        parts = (line.split("\t") for line in lines)
        rows[name] = [{"text": text, "label": "np"[int(label)]} for label, text in parts]
    random.Random(0).shuffle(rows["train"])
    return {"train": rows["train"][:SENTENCES], "measured": {"SST-2 dev": rows["dev"]}}


def read_entities(data):
    def rows(name):
        lines = (data / "wnut17" / name).read_text("utf-8").split("\n")
        words = [line.strip().split("\t") for line in lines]
        for is_sentence, of_sentence in itertools.groupby(words, lambda parts: parts != [""]):
            if is_sentence:
                tokens, tags = zip(*of_sentence, strict=True)
                yield {"tokens": tokens, "tags": tags}

    return {
        "train": list(rows("wnut17train.conll")),
        "measured": {"WNUT-17 dev": list(rows("emerging.dev.conll"))},
    }


def read_answers(data):
    def rows(language, articles):
        text = (data / "xquad" / f"xquad.{language}.json").read_text("utf-8")
        return [
            {
                "id": asked["id"],
                "question": asked["question"],
                "context": paragraph["context"],
                "answer": asked["answers"][0]["text"],
                "answer_start": asked["answers"][0]["answer_start"],
            }
            for article in json.loads(text)["data"][articles]
            for paragraph in article["paragraphs"]
            for asked in paragraph["qas"]
        ]

    languages = ("en", "es", "de")
    return {
        "train": rows("en", slice(ARTICLES)),
        "measured": {f"XQuAD {name}": rows(name, slice(ARTICLES, None)) for name in languages},
    }


def read_choice(data):
    rows = []
    for line in (data / "csqa" / "dev_rand_split.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        letters, texts = row["choices"]["label"], row["choices"]["text"]
        label = letters.index(row["answerKey"])
        rows.append({"question": row["question"], "options": texts, "label": label})
    return {"train": rows[:QUESTIONS], "measured": {"CommonsenseQA": rows[QUESTIONS:]}}


def read_sick(data):
    def rows(name):
        for line in (data / "sick" / name).read_text("utf-8").splitlines()[1:]:
            if line:
                _, text, pair, score, label = line.split("\t")
                yield {"text": text, "text_pair": pair, "score": float(score), "label": label}

    return {
        "train": list(rows("SICK_train.txt")),
        "measured": {"SICK test": list(rows("SICK_test_annotated.txt"))},
    }


# === Scores ===


def accuracy(rows, found):
    return {
        "accuracy": np.mean([row["label"] == one for row, one in zip(rows, found, strict=True)])
    }


def pearson(rows, found):
    return {"Pearson": np.corrcoef([row["score"] for row in rows], found)[0, 1]}


def entity_f1(rows, found):
    """Of whole entities with their types, as seqeval counts them."""
    true = [row["tags"] for row in rows]
    scheme = scheme_of_rows(true)
    spans = [[scheme.spans(tags) for tags in rows] for rows in (found, true)]
    labels = sorted({span.label for text in spans[1] for span in text})
    counts = SpanCounts.of(labels, *spans)
    return {"F1": counts.scores()["f1"]}


def answer_scores(rows, found):
    return squad_scores(found, [[row["answer"]] for row in rows]).means()


TASKS = {
    "sentiment": (read_sentiment, accuracy),
    "entities": (read_entities, entity_f1),
    "answers": (read_answers, answer_scores),
    "choice": (read_choice, accuracy),
    "relatedness": (read_sick, pearson),
    "entailment": (read_sick, accuracy),
}


def print_table(runs):
    """Means over the seeds with lowest and highest, and the ratio of the median times."""
    print("\n| | seeds | keras_roberta | Transformers | threads | seconds | theirs | times ours |")
    print("|---|---|---|---|---|---|---|---|")
    for task in dict.fromkeys(run["task"] for run in runs):
        rows = {
            name: [run for run in runs if run["task"] == task and run["contestant"] == name]
            for name in ("keras_roberta", "transformers")
        }
        medians = [
            statistics.median(run["seconds"] for run in found) if found else float("nan")
            for found in rows.values()
        ]
        for score in next(found for found in rows.values() if found)[0]["scores"]:
            cells = [spread([run["scores"][score] for run in found]) for found in rows.values()]
            seeds = "/".join(dict.fromkeys(str(len(found)) for found in rows.values()))
            threads = "/".join(sorted({str(run["threads"]) for run in sum(rows.values(), [])}))
            print(
                f"| {score} | {seeds} | {' | '.join(cells)} | {threads} | {medians[0]:.0f} "
                f"| {medians[1]:.0f} | {medians[1] / medians[0]:.2f} |"
            )


def spread(values):
    if not values:
        return ""
    digits = 1 if max(values) > 1 else 3
    low, mean, high = (f"{f(values):.{digits}f}" for f in (min, statistics.mean, max))
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
