"""Kills a fine-tuning twice, lets it end, and does another that nothing disturbs.

    python killed_finetunings.py DIRECTORY

DIRECTORY has `preset/` and `table.tsv`; the runs are `killed/` and `whole/` beside them. A process
of its own: it imports TensorFlow once, and each run is a fork of it.
"""

import os
import pathlib
import random
import signal
import sys
import time
import traceback

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow  # noqa: F401 (the forks share it)

from keras_roberta.jobs.finetune import finetune
from keras_roberta.jobs.options.finetune import FinetuneOptions

KILLS = 2


def start(directory, out):
    """A run in a process of its own; returns its number."""
    process = os.fork()
    if process:
        return process
    try:
        table = directory / "table.tsv"
        # So high a rate that the last epoch need not be the best.
        options = FinetuneOptions(epochs=5, batch_size=8, learning_rate=3e-2, lora_rank=2)
        finetune(directory / "preset", table, table, directory / out, options)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(directory):
    directory, moments = pathlib.Path(directory), random.Random(0)
    states, saved = directory / "killed" / "unfinished" / "states", set()
    for _ in range(KILLS):
        process = start(directory, "killed")
        while set(states.glob("step-*")) <= saved:  # no newer state yet
            assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it was killed"
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.05))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        saved = set(states.glob("step-*"))
    for process in [start(directory, name) for name in ("killed", "whole")]:
        assert os.waitpid(process, 0)[1] == 0


if __name__ == "__main__":
    main(sys.argv[1])
