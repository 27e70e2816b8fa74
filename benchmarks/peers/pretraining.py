"""What the two pre-training scripts share: start, the model's shape, the recipe, the curve."""

import argparse
import json
import sys
import time

import keras
import tensorflow as tf

from keras_roberta.data.corpus.shards import open_shards
from keras_roberta.data.pretraining.batch_options import BatchOptions
from keras_roberta.data.pretraining.batches import evaluation_batches
from keras_roberta.training.runs.budget import Budget, BudgetSchedule

HEAD_DIM = 64
WARM_UP = 0.1
OPTIMIZER = dict(weight_decay=0.01, beta_2=0.98, epsilon=1e-6)
POINTS = 12  # of the curve
HELD_OUT_ROWS = 128


def start(parser):
    """The options of the command line, the random seeds set, and the shards."""
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    return options, open_shards(options.shards)


def make_parser(description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", required=True)
    parser.add_argument("--tokens", type=int, required=True, help="to train on")
    parser.add_argument("--seconds", type=float, help="a budget of time instead")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16, help="rows a step")
    parser.add_argument("--length", type=int, default=128, help="tokens a row")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--mask-rate", type=float, default=0.15, help="in training")
    parser.add_argument("--preset", help="where to save the model")
    return parser


def shape(options):
    return {
        "num_layers": options.layers,
        "num_heads": options.width // HEAD_DIM,
        "hidden_dim": options.width,
        "intermediate_dim": 4 * options.width,
    }


def make_batch_options(options, **more):
    return BatchOptions(
        ("mlm",), batch_size=options.batch_size, sequence_length=options.length, **more
    )


def make_budget(options):
    if options.seconds:
        return Budget(hours=options.seconds / 3600)
    return Budget(steps=options.tokens // (options.batch_size * options.length))


def make_schedule(options):
    return BudgetSchedule(options.learning_rate, WARM_UP)


def heldout(options, shards):
    """The same masked rows for all, 15% of their tokens: (features, true ids, weights)."""
    batches = max(1, HELD_OUT_ROWS // options.batch_size)
    return list(evaluation_batches(shards, make_batch_options(options), max_batches=batches))


class Curve(keras.callbacks.Callback):
    """Follows a budget, and measures the held-out loss from time to time, off the clock.

    The clock starts with this object, so that compilation counts.
    """

    def __init__(self, options, schedule, heldout):
        super().__init__()
        self.budget, self.schedule, self.heldout = make_budget(options), schedule, heldout
        self.tokens_a_step = options.batch_size * options.length
        self.step, self.points = 0, []
        self._started, self._next = time.monotonic(), 0.0

    @property
    def seconds(self):
        return time.monotonic() - self._started

    def on_train_batch_begin(self, batch, logs=None):
        self.schedule.progress.assign(self.budget.progress(self.step + 0.5, self.seconds))

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        progress = self.budget.progress(self.step, self.seconds)
        if progress < 1.0 and progress < self._next:
            return
        self._next = progress + 1 / POINTS
        stopped = self.seconds
        self.points.append(
            {
                "tokens": self.step * self.tokens_a_step,
                "seconds": round(stopped, 1),
                "loss": self.measure(),
            }
        )
        print(json.dumps(self.points[-1]), file=sys.stderr, flush=True)
        self._started = time.monotonic() - stopped
        if progress >= 1.0:
            self.model.stop_training = True

    def measure(self):
        """Mean cross-entropy over the masked positions of the held-out rows."""
        sums = [self._sums(*batch) for batch in self.heldout]
        return float(sum(loss for loss, _ in sums) / sum(count for _, count in sums))

    @tf.function
    def _sums(self, features, targets, weights):
        logits = self.model(features, training=False)
        logits = logits["mlm"] if isinstance(logits, dict) else logits
        losses = keras.losses.sparse_categorical_crossentropy(
            targets["mlm"], logits, from_logits=True
        )
        return tf.reduce_sum(losses * weights["mlm"]), tf.reduce_sum(weights["mlm"])


def print_result(name, options, curve):
    budget = "seconds" if options.seconds else "tokens"
    print(json.dumps({"name": name, "budget": budget, "points": curve.points}), flush=True)
