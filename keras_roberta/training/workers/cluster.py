"""The workers of a run: reads their addresses from the environment and waits for them."""

import contextlib
import dataclasses
import itertools
import json
import os
import re
import socket
import time
from collections.abc import Mapping

from keras_roberta.errors import InputError
from keras_roberta.files.failure_reason import reason_of
from keras_roberta.files.json_file import JsonError, parse_json

_JOBS = ("chief", "worker")
_GREETING = b"keras-roberta worker "
# Seconds between two checks of the other workers.
_LOOK_EVERY = 0.1


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        workers: "host:port" of each worker. The first is the chief.
        index: index of this process in `workers`.
        source: the environment variable that names the workers, for messages.
    """

    workers: tuple[str, ...]
    index: int
    source: str


def find_cluster(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """The cluster that is described by TF_CONFIG, or else by SLURM's variables.

    Args:
        environment: the environment variables; by default those of the process.

    Returns:
        a `Cluster`, or None if the environment describes none.

    Raises:
        InputError: a variable is wrong. The message names the variable and the field.

    >>> cluster = {"worker": ["10.0.0.1:8888", "10.0.0.2:8888"]}
    >>> config = {"cluster": cluster, "task": {"type": "worker", "index": 1}}
    >>> find_cluster({"TF_CONFIG": json.dumps(config)}).index
    1
    """
    environment = os.environ if environment is None else environment
    if environment.get("TF_CONFIG", "").strip():
        return _of_tf_config(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment and "SLURM_STEP_NODELIST" in environment:
        return _of_slurm(environment)
    return None


def _of_tf_config(text):
    """A cluster from TF_CONFIG, or None for a job on one machine.

    The format is that of `tf.distribute.cluster_resolver.TFConfigClusterResolver`:
    `{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}`.
    """
    try:
        config = parse_json(text)
    except JsonError as error:
        raise InputError(f"TF_CONFIG: is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f'TF_CONFIG: expected an object with "cluster" and "task"; got {text}')
    cluster = config.get("cluster")
    if not cluster and not config.get("task"):
        return None  # as set by Vertex AI for a job on one machine
    if not isinstance(cluster, dict) or not any(cluster.get(job) for job in _JOBS):
        raise InputError(
            'TF_CONFIG: "cluster" must name workers: {"worker": ["host:port", …]}; got '
            f"{json.dumps(cluster)}"
        )
    unknown = sorted(set(cluster) - set(_JOBS))
    if unknown:
        raise InputError(
            f'TF_CONFIG: "cluster" has the job {unknown[0]!r}; there can be worker, and one chief'
        )
    tasks = []
    for job in _JOBS:
        addresses = cluster.get(job, [])
        if not isinstance(addresses, list):
            raise InputError(f'TF_CONFIG: "cluster.{job}" must be a list; got {addresses!r}')
        for i, address in enumerate(addresses):
            _check_address(address, f'TF_CONFIG: "cluster.{job}[{i}]"')
            tasks.append((job, i, address))
    addresses = [address for *_, address in tasks]
    twice = next((a for a in addresses if addresses.count(a) > 1), None)
    if twice:
        raise InputError(f'TF_CONFIG: "cluster" has {twice} twice')
    task = config.get("task")
    if not isinstance(task, dict):
        raise InputError(f'TF_CONFIG: "task" must say who this is; got {json.dumps(task)}')
    job, number = task.get("type"), task.get("index")
    if job not in _JOBS:
        raise InputError(f'TF_CONFIG: "task.type" must be worker or chief; got {job!r}')
    if isinstance(number, str) and number.isdecimal():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f'TF_CONFIG: "task.index" must be a number; got {number!r}')
    here = [(j, i) for j, i, _ in tasks]
    if (job, number) not in here:
        raise InputError(
            f'TF_CONFIG: "task.index" is {number}, but "cluster.{job}" has '
            f"{len(cluster.get(job, []))} addresses"
        )
    return Cluster(tuple(addresses), here.index((job, number)), "TF_CONFIG")


def _check_address(address, field):
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(f'{field} must be "host:port"; got {address!r}')


def _of_slurm(environment):
    """A cluster from the variables that `srun` sets for each task of a step.

    TensorFlow's `SlurmClusterResolver` is not used: it sorts the node names as text, n10 before n9,
    and so gives tasks the addresses of other tasks.
    """
    nodes = _expand_nodes(_slurm(environment, "STEP_NODELIST"))
    counts = _expand_counts(_slurm(environment, "STEP_TASKS_PER_NODE"))
    if len(nodes) != len(counts):
        raise InputError(
            f"SLURM_STEP_TASKS_PER_NODE speaks of {len(counts)} nodes, SLURM_STEP_NODELIST of "
            f"{len(nodes)}"
        )
    rank, job = (_slurm_number(environment, name) for name in ("PROCID", "JOB_ID"))
    # Two jobs may share a node. The ports are below those that the system assigns itself.
    first_port = 12_000 + job * 64 % 20_000
    tasks = [(node, i) for node, count in enumerate(counts) for i in range(count)]
    if len(tasks) == 1:
        return None
    if rank >= len(tasks):
        raise InputError(f"SLURM_PROCID is {rank}, but the step has {len(tasks)} tasks")
    if tasks[rank][0] != int(environment.get("SLURM_NODEID", tasks[rank][0])):
        raise InputError(
            "SLURM_NODEID: tasks are not dealt to nodes in blocks; start them with "
            "srun --distribution=block"
        )
    workers = tuple(f"{nodes[node]}:{first_port + i}" for node, i in tasks)
    return Cluster(workers, rank, "SLURM_STEP_NODELIST")


def _slurm(environment, name):
    try:
        return environment[f"SLURM_{name}"]
    except KeyError:
        raise InputError(f"SLURM_{name} is not set; start the workers with srun") from None


def _slurm_number(environment, name):
    value = _slurm(environment, name)
    if not value.isdecimal():
        raise InputError(f"SLURM_{name} must be a number; got {value!r}")
    return int(value)


def _expand_nodes(text):
    """The node names of a SLURM node list.

    >>> _expand_nodes("n[08-10,12],gpu5,r[1-2]c[1-2]")
    ['n08', 'n09', 'n10', 'n12', 'gpu5', 'r1c1', 'r1c2', 'r2c1', 'r2c2']
    """
    if not re.fullmatch(r"(([^][,]|\[[\d,-]+\])+(,|$))+", text):
        raise InputError(f"SLURM_STEP_NODELIST: cannot be read: {text!r}")
    nodes = []
    for part in re.findall(r"(?:[^][,]|\[[^]]*\])+", text):
        pieces = re.split(r"\[([^]]*)\]", part)  # text, numbers, text, numbers, …, text
        choices = [_expand_numbers(piece) if i % 2 else [piece] for i, piece in enumerate(pieces)]
        nodes += ["".join(choice) for choice in itertools.product(*choices)]
    return nodes


def _expand_numbers(text):
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise InputError(f"SLURM_STEP_NODELIST: cannot be read: {text!r}")
        numbers += [str(n).zfill(len(first)) for n in range(int(first), int(last or first) + 1)]
    return numbers


def _expand_counts(text):
    """The number of tasks on each node.

    >>> _expand_counts("3(x2),2,1")
    [3, 3, 2, 1]
    """
    counts = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if match is None:
            raise InputError(f"SLURM_STEP_TASKS_PER_NODE: cannot be read: {text!r}")
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def wait_for_workers(cluster: Cluster, patience: float) -> None:
    """Waits until every worker has reached every other worker.

    TensorFlow itself would wait for an hour or for ever, and would not say which worker is missing.
    Each worker listens at its own address here. TensorFlow uses the address afterwards.

    Args:
        cluster: the workers.
        patience: seconds to wait for all of them.

    Raises:
        InputError: a worker is missing, or the address of this worker is in use. The message
            names it.
    """
    others = {i for i in range(len(cluster.workers)) if i != cluster.index}
    unreached, unheard = set(others), set(others)
    address = cluster.workers[cluster.index]
    until = time.monotonic() + patience
    try:
        listener = socket.create_server(("", host_and_port(address)[1]))
    except OSError as error:
        raise InputError(
            f"{cluster.source}: worker {cluster.index} cannot listen at {address} "
            f"({reason_of(error)}); does another run use that port?"
        ) from None
    with listener:
        listener.settimeout(_LOOK_EVERY)
        while unreached or unheard:
            unreached -= {i for i in unreached if _greet(cluster, i)}
            unheard -= _heard(listener)
            if time.monotonic() > until and (missing := unreached or unheard):
                names = ", ".join(f"{i} ({cluster.workers[i]})" for i in sorted(missing))
                raise InputError(
                    f"worker {names}, which {cluster.source} names, did not answer within "
                    f"{patience:g} seconds; start it, and see that port and host are right"
                )


def _greet(cluster, other):
    """Tells a worker that this one is ready; returns whether that worker could be reached."""
    try:
        with socket.create_connection(host_and_port(cluster.workers[other]), 1.0) as connection:
            connection.sendall(_GREETING + b"%d\n" % cluster.index)
        return True
    except OSError:
        return False


def _heard(listener):
    """The indices of the workers that have reported since the last call."""
    numbers = set()
    with contextlib.suppress(TimeoutError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1.0)
                line = connection.makefile("rb").readline()
                number = line.removeprefix(_GREETING).strip()
                if line.startswith(_GREETING) and number.isdigit():
                    numbers.add(int(number))
    return numbers


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of an address.

    >>> host_and_port("[::1]:8888")
    ('::1', 8888)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
