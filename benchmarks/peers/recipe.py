"""What the peers' fine-tuning scripts share: options, files and the one line that they print."""

import argparse
import csv
import json

MAX_LENGTH = 128
WEIGHT_DECAY = 0.1
BETA_2 = 0.98
EPSILON = 1e-6
CLIP_NORM = 1.0
WARM_UP = 0.06


def parse_options(description):
    """The options of both scripts; both read `sentence<TAB>label` files with that header."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", required=True, help="directory of a Hugging Face checkpoint")
    parser.add_argument("--train", required=True, help="TSV, in the order to train in")
    parser.add_argument("--dev", required=True, help="TSV")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the new head and dropout")
    parser.add_argument("--limit-steps", type=int, help="stop after so many steps, to try it out")
    return parser.parse_args()


def read_sentences(path, limit=None):
    """Texts and labels of the first `limit` rows."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:limit]
    return [row["sentence"] for row in rows], [int(row["label"]) for row in rows]


def read_training(options):
    """`read_sentences` of the training file, whole or for `--limit-steps` batches."""
    limit = options.limit_steps and options.limit_steps * options.batch_size
    return read_sentences(options.train, limit)


def print_result(name, options, accuracy, seconds, tokens):
    """The line that the caller reads, the last on stdout.

    Args:
        accuracy: on the dev file.
        seconds: from strings to a trained model, tokenization and compilation included, imports
            and evaluation not.
        tokens: trained on, special tokens included, padding not.
    """
    result = dict(
        name=name,
        learning_rate=options.learning_rate,
        accuracy=round(accuracy, 4),
        seconds=round(seconds, 1),
        tokens=int(tokens),
    )
    print(json.dumps(result), flush=True)
