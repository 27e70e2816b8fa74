"""Kills a fine-tuning twice, lets it end, and does another that nothing disturbs.

    python killed_finetunings.py DIRECTORY

DIRECTORY has `preset/` and `table.tsv`; the runs are `killed/` and `whole/` beside them. A process
of its own: it imports TensorFlow once, and each run is a fork of it.
"""

import os
import pathlib
import signal
import sys
import traceback

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow  # noqa: F401 (the forks share it)

from keras_roberta.jobs.finetune import finetune
from keras_roberta.jobs.options.finetune import FinetuneOptions
from keras_roberta.training.runs.progress import ProgressBar

KILLED_AT = [(1, 3), (3, 0)]  # epoch and batch, from 0


def start(directory, out, killed_at=None):
    """A run in a process of its own; returns how that ended."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    try:
        if killed_at:
            die_at(*killed_at)
        table = directory / "table.tsv"
        # So high a rate that the last epoch need not be the best.
        options = FinetuneOptions(epochs=4, batch_size=8, learning_rate=3e-2, lora_rank=2)
        finetune(directory / "preset", table, table, directory / out, options)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def die_at(epoch, batch):
    """This process gets a SIGKILL within an epoch."""
    on_epoch_begin, epochs = ProgressBar.on_epoch_begin, []

    def begin(self, number, logs=None):
        epochs.append(number)
        on_epoch_begin(self, number, logs)

    def end_batch(self, number, logs=None):
        if (epochs[-1], number) == (epoch, batch):
            os.kill(os.getpid(), signal.SIGKILL)

    ProgressBar.on_epoch_begin, ProgressBar.on_train_batch_end = begin, end_batch


def main(directory):
    directory = pathlib.Path(directory)
    for moment in KILLED_AT:
        status = start(directory, "killed", moment)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert (directory / "killed" / "unfinished" / "run.json").exists()
    for name in ("killed", "whole"):
        assert start(directory, name) == 0


if __name__ == "__main__":
    main(sys.argv[1])
