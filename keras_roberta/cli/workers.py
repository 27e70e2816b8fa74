"""`--strategy`: one device, the GPUs of a machine, or a process among several."""

import contextlib
from typing import Annotated, Literal

from typer import Option

from keras_roberta.training.workers.cluster import find_cluster

Strategy = Annotated[
    Literal["none", "mirrored", "multiworker", "auto"],
    Option(
        help="none: one device. mirrored: all GPUs here. multiworker: the processes that TF_CONFIG "
        "or SLURM names, see `launch`. auto: what is there."
    ),
]


@contextlib.contextmanager
def strategy_of(name):
    """The strategy of `--strategy`; imports TensorFlow.

    Only the chief has something to say. A worker that has gone ends the command.
    """
    from keras_roberta.training.runs.progress import console
    from keras_roberta.training.workers.lost_workers import worker_errors
    from keras_roberta.training.workers.strategies import make_strategy

    cluster = _cluster_of(name)
    console.quiet = cluster is not None and cluster.index > 0
    with worker_errors(cluster):
        yield make_strategy(name, cluster)


def is_first_worker(name):
    """Whether this process is the chief, or alone, told from the environment."""
    cluster = _cluster_of(name)
    return cluster is None or cluster.index == 0


def _cluster_of(name):
    return find_cluster() if name in ("multiworker", "auto") else None


def is_chief(strategy):
    """Whether this process prints the results."""
    from keras_roberta.training.workers.multi_worker import WorkerRank

    return WorkerRank.of(strategy).is_chief
