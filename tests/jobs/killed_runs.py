"""Kills a run twice at random moments, lets it end, and does another that nothing disturbs.

    python killed_runs.py SHARDS DIRECTORY

A process of its own: it imports TensorFlow once, and each run is a fork of it.
"""

import os
import pathlib
import random
import signal
import sys
import time
import traceback

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from pretraining_runs import TINY, options

import keras_roberta.config
from keras_roberta.jobs.pretrain.run import pretrain

KILLS, STEPS = 2, 300


def start(shards, out):
    """A run in a process of its own; returns its number."""
    process = os.fork()
    if process:
        return process
    try:
        keras_roberta.config._NAMED["tiny"] = TINY
        chosen = options(
            initial_embeddings="cooccurrence",
            steps=STEPS,
            save_every=3,
            log_every=50,
            evaluate_every=100,
        )
        pretrain(shards, out, chosen)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(shards, directory):
    directory, moments = pathlib.Path(directory), random.Random(0)
    states, saved = directory / "killed" / "states", set()
    for _ in range(KILLS):
        process = start(shards, directory / "killed")
        while set(states.glob("step-*")) <= saved:  # no newer state yet
            assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it was killed"
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        saved = set(states.glob("step-*"))
    for process in [start(shards, directory / name) for name in ("killed", "whole")]:
        assert os.waitpid(process, 0)[1] == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
