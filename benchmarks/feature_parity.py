"""Are the token ids and labels of every task those of Transformers' preprocessing?

    python benchmarks/feature_parity.py --data DIR

The first 1,000 rows that `benchmarks/tasks.py` trains on, with granite-30m's tokenizer: token ids,
and labels by token where words are labelled, beside the features of `peers/task_transformers.py`,
in the environment of `make peers`. Windows of questions are in `question_parity.py`. Exits with 1
if any row differs.

Transformers takes words only from a tokenizer with a space before the first one
(`add_prefix_space`), and its trained checkpoints say so. So does ours here, from the same entry of
`tokenizer_config.json`. Where the first piece of a word is the space before it alone, Transformers
labels that piece, and we the next one: those rows are counted apart.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks" / "peers"))
ROWS = 1000
MAX_LENGTH = 512  # nothing is cut
TASKS = ("sentiment", "entities", "choice", "relatedness")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = os.environ.get("KERAS_ROBERTA_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--peer", type=pathlib.Path, help="rows whose features Transformers prints")
    options = parser.parse_args()
    preset = options.data / "granite-30m"
    if options.peer:
        rows = json.loads(options.peer.read_text(encoding="utf-8"))
        print(json.dumps({task: of_transformers(preset, task, rows[task]) for task in rows}))
        return
    import tasks

    rows = {task: tasks.TASKS[task][0](options.data)["train"][:ROWS] for task in TASKS}
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "rows.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        python = os.environ.get("KERAS_ROBERTA_PEERS", ROOT / ".peers-venv" / "bin" / "python")
        command = [python, __file__, "--peer", path, "--data", options.data]
        peer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    expected, failed = json.loads(peer.stdout.splitlines()[-1]), False
    for task in TASKS:
        with tempfile.TemporaryDirectory() as directory:
            found = of_ours(with_prefix_space(preset, directory, task), task, rows[task])
        differing = [n for n, row in enumerate(found) if row != expected[task][n]["ours"]]
        failed |= bool(differing)
        moved = sum(row["as they are"] != row["ours"] for row in expected[task])
        print(f"{task}: {len(found)} rows; {len(differing)} differ, and {moved} in a label of a "
              "lone space", flush=True)  # fmt: skip
        for n in differing[:3]:
            print(f"  row {n}: ours {found[n]}\n         theirs {expected[task][n]['ours']}")
    sys.exit(failed)


def recipe_of(task):
    from task_recipes import RECIPES

    return dataclasses.replace(RECIPES[task], max_length=MAX_LENGTH)


def of_transformers(preset, task, rows):
    from task_transformers import make_kind

    kind, features = make_kind(task, preset, rows, recipe_of(task)), []
    for example in kind.training(rows):
        ids = example["input_ids"]
        ours = feature = {"token_ids": ids}
        if task == "entities":
            tags = [n if n < 0 else kind.labels[n] for n in example["labels"]]
            feature = {"token_ids": ids, "tags": tags}
            pieces = kind.tokenizer.convert_ids_to_tokens(ids)
            ours = {"token_ids": ids, "tags": behind_spaces(pieces, tags)}
        features.append({"as they are": feature, "ours": ours})
    return features


def behind_spaces(pieces, tags):
    """Tags with those of lone spaces moved to the next piece."""
    moved = list(tags)
    for n, piece in enumerate(pieces):
        if piece == "\u0120" and moved[n] != -100 and moved[n + 1] == -100:
            moved[n : n + 2] = [-100, moved[n]]
    return moved


def with_prefix_space(preset, directory, task):
    """The preset; for words another one of the same files, whose tokenizer begins with a space."""
    if task != "entities":
        return preset
    for path in preset.iterdir():
        (pathlib.Path(directory) / path.name).symlink_to(path)
    config = pathlib.Path(directory) / "tokenizer_config.json"
    config.unlink(missing_ok=True)
    config.write_text(json.dumps({"add_prefix_space": True}))
    return pathlib.Path(directory)


def of_ours(preset, task, rows):
    import numpy as np
    from task_ours import KINDS

    kind = KINDS[task]()
    model = kind.make(preset, rows, recipe_of(task))
    examples, features = model.make_examples(*kind.examples(rows)), []
    for rows_of_example in np.split(
        np.arange(len(examples.token_ids)), np.cumsum(examples.rows_per_example)[:-1]
    ):
        ids = [examples.token_ids.row(n).tolist() for n in rows_of_example]
        feature = {"token_ids": ids if examples.keep_rows_together else ids[0]}
        if task == "entities":
            (n,) = rows_of_example
            tags, learnt = examples.targets.row(n), examples.sample_weight.row(n)
            names = zip(tags, learnt, strict=True)
            feature["tags"] = [model.labels[tag] if counts else -100 for tag, counts in names]
        features.append(feature)
    return features


if __name__ == "__main__":
    main()
