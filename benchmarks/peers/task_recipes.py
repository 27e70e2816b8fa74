"""The recipe of each task of `benchmarks/tasks.py`, and how a contestant reads and says things.

A contestant gets a JSON file with `train`, a list of rows, and `measured`, lists of rows by name.
It trains on the first, predicts the others, writes the predictions by name into a JSON file and
prints one line.

| task | row | prediction |
|---|---|---|
| sentiment | text, label | label |
| entities | tokens, tags | tags |
| answers | id, question, context, answer, answer_start | text of the answer |
| choice | question, options, label | number of the option |
| relatedness | text, text_pair, score | score |
| entailment | text, text_pair, label | label |
"""

import argparse
import dataclasses
import json
import pathlib

WARM_UP = 0.06
WEIGHT_DECAY = 0.1
BETA_2 = 0.98
EPSILON = 1e-6
CLIP_NORM = 1.0
MAX_ANSWER_LENGTH = 30


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a task is trained: RoBERTa's recipe, at a rate for a small encoder.

    Attributes:
        epochs, batch_size, learning_rate: as their names say.
        max_length: tokens of a row; what is beyond is cut, or read in windows.
        stride: tokens that windows share.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    stride: int = 0


RECIPES = {
    "sentiment": Recipe(1, 32, 1e-4, 128),
    "entities": Recipe(2, 16, 1e-4, 128),
    "answers": Recipe(2, 16, 1e-4, 256, stride=64),
    "choice": Recipe(2, 16, 1e-4, 64),
    "relatedness": Recipe(1, 32, 1e-4, 128),
    "entailment": Recipe(2, 32, 1e-4, 128),
}


def parse_options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--task", choices=RECIPES, required=True)
    parser.add_argument("--preset", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=pathlib.Path, required=True, help="JSON; see task_recipes")
    parser.add_argument("--predictions", type=pathlib.Path, required=True, help="JSON, written")
    parser.add_argument("--seed", type=int, default=0, help="of head, order and dropout")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", type=pathlib.Path, help="where ours leaves the trained preset")
    return parser.parse_args()


def read_rows(options):
    """The rows to train on, and those to predict by name."""
    rows = json.loads(options.rows.read_text(encoding="utf-8"))
    return rows["train"], rows["measured"]


def columns(rows, *names):
    return tuple([row[name] for row in rows] for name in names)


def say(options, seconds, predictions):
    """Writes the predictions, and prints the line that the caller reads.

    Args:
        seconds: from rows to a trained model, tokenization and compilation included, imports and
            predictions not.
    """
    options.predictions.write_text(json.dumps(predictions), encoding="utf-8")
    print(json.dumps({"seconds": round(seconds, 1)}), flush=True)
