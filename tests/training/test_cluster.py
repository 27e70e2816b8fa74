"""Who the workers are, and waiting for them."""

import json
import socket
import threading

import pytest
import tensorflow as tf

from keras_roberta.cli.local_workers import free_ports
from keras_roberta.errors import InputError
from keras_roberta.training.workers.cluster import Cluster, find_cluster, wait_for_workers
from keras_roberta.training.workers.strategies import make_strategy

WORKERS = ["a:1", "b:2"]


def tf_config(cluster=None, **task):
    return {"cluster": {"worker": WORKERS} if cluster is None else cluster, "task": task}


def find(config):
    text = config if isinstance(config, str) else json.dumps(config)
    return find_cluster({"TF_CONFIG": text, "SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "n1"})


@pytest.mark.parametrize(
    ("config", "workers", "index"),
    [
        (tf_config(type="worker", index=1), ("a:1", "b:2"), 1),
        (tf_config(type="worker", index="1"), ("a:1", "b:2"), 1),
        (tf_config({"chief": ["c:3"], "worker": WORKERS}, type="chief", index=0), None, 0),
        (tf_config({"worker": WORKERS, "chief": ["c:3"]}, type="worker", index=1), None, 2),
        (tf_config({"worker": ["[::1]:5"]}, type="worker", index=0), ("[::1]:5",), 0),
    ],
)
def test_tf_config(config, workers, index):
    assert find(config) == Cluster(workers or ("c:3", "a:1", "b:2"), index, "TF_CONFIG")


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": " "}, {"TF_CONFIG": "{}"}])
def test_no_cluster(environment):
    assert find_cluster(environment) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG: is not JSON"),
        ("[]", 'TF_CONFIG: expected an object with "cluster" and "task"'),
        ({"cluster": ["a:1"], "task": {"type": "worker", "index": 0}}, '"cluster" must name'),
        (tf_config({"worker": []}, type="worker", index=0), '"cluster" must name workers'),
        (tf_config({"worker": "a:1"}, type="worker", index=0), '"cluster.worker" must be a list'),
        (tf_config({"worker": ["a"]}, type="worker", index=0), r'"cluster.worker\[0\]" must be'),
        (tf_config({"worker": [7]}, type="worker", index=0), r'"cluster.worker\[0\]" must be'),
        (tf_config({"worker": ["a:99999"]}, type="worker", index=0), r"worker\[0\].* 'a:99999'"),
        (tf_config({"worker": ["a:1", "a:1"]}, type="worker", index=0), "has a:1 twice"),
        (
            tf_config({"worker": ["a:1"], "ps": ["b:1"]}, type="worker", index=0),
            "\"cluster\" has the job 'ps'",
        ),
        ({"cluster": {"worker": ["a:1"]}}, '"task" must say who this is'),
        (tf_config(type="evaluator", index=0), '"task.type" must be worker or chief; got'),
        (tf_config(type="worker"), '"task.index" must be a number; got None'),
        (tf_config(type="worker", index=True), '"task.index" must be a number; got True'),
        (tf_config(type="worker", index=2), '"task.index" is 2, but "cluster.worker" has 2'),
        (tf_config(type="chief", index=0), '"task.index" is 0, but "cluster.chief" has 0'),
    ],
)
def test_malformed_tf_config(config, message):
    with pytest.raises(InputError, match=message):
        find(config)


SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_NODEID": "1",
    "SLURM_JOB_ID": "1000",
    "SLURM_STEP_NODELIST": "n[9-10],gpu5",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}


def test_slurm():
    cluster = find_cluster(SLURM)
    hosts, ports = zip(*(address.split(":") for address in cluster.workers), strict=True)
    assert hosts == ("n9", "n9", "n10", "n10", "gpu5") and cluster.index == 3
    first = int(ports[0])
    assert [int(port) - first for port in ports] == [0, 1, 0, 1, 0] and first >= 1024
    other_job = find_cluster({**SLURM, "SLURM_JOB_ID": "1001"})
    assert not set(other_job.workers) & set(cluster.workers)
    alone = {"SLURM_STEP_NODELIST": "n1", "SLURM_STEP_TASKS_PER_NODE": "1", "SLURM_PROCID": "0"}
    assert find_cluster({**SLURM, **alone}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": None}, "SLURM_STEP_TASKS_PER_NODE is not set"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(y2)"}, "SLURM_STEP_TASKS_PER_NODE: cannot be read"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2"}, "speaks of 1 nodes, SLURM_STEP_NODELIST of 3"),
        ({"SLURM_STEP_NODELIST": "n[1-"}, r"SLURM_STEP_NODELIST: cannot be read: 'n\[1-'"),
        ({"SLURM_STEP_NODELIST": "n[-1],a,b"}, "SLURM_STEP_NODELIST: cannot be read"),
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID must be a number; got 'x'"),
        ({"SLURM_PROCID": "5"}, "SLURM_PROCID is 5, but the step has 5 tasks"),
        ({"SLURM_NODEID": "0"}, "--distribution=block"),
    ],
)
def test_malformed_slurm(changes, message):
    environment = {k: v for k, v in {**SLURM, **changes}.items() if v is not None}
    with pytest.raises(InputError, match=message):
        find_cluster(environment)


def local_clusters(count):
    workers = tuple(f"127.0.0.1:{port}" for port in free_ports(count))
    return [Cluster(workers, i, "TF_CONFIG") for i in range(count)]


def test_workers_wait_for_one_another():
    clusters, arrived = local_clusters(3), []

    def wait(cluster):
        wait_for_workers(cluster, 30)
        arrived.append(cluster.index)

    threads = [threading.Thread(target=wait, args=(cluster,)) for cluster in clusters]
    for thread in threads[:2]:
        thread.start()
    threads[0].join(0.5)
    assert not arrived
    threads[2].start()
    for thread in threads:
        thread.join(30)
    assert sorted(arrived) == [0, 1, 2]


def test_a_missing_worker_is_named():
    cluster = local_clusters(2)[1]
    with pytest.raises(InputError, match=rf"worker 0 \({cluster.workers[0]}\).*did not answer"):
        wait_for_workers(cluster, 0.3)


def test_a_stranger_at_a_workers_address_is_no_worker():
    cluster = local_clusters(2)[0]
    with socket.create_server(("127.0.0.1", int(cluster.workers[1].split(":")[1]))):
        with pytest.raises(InputError, match="worker 1 .*did not answer"):
            wait_for_workers(cluster, 0.3)


def test_an_address_that_is_taken():
    cluster = local_clusters(2)[0]
    with socket.create_server(("", int(cluster.workers[0].split(":")[1]))):
        with pytest.raises(InputError, match=r"cannot listen at .*Address already in use"):
            wait_for_workers(cluster, 5)


def test_strategies_by_name(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert make_strategy("none") is tf.distribute.get_strategy()
    assert isinstance(make_strategy("mirrored"), tf.distribute.MirroredStrategy)
    with pytest.raises(InputError, match="neither TF_CONFIG nor SLURM"):
        make_strategy("multiworker")
    with pytest.raises(InputError, match="'tpu': choose from none, mirrored, multiworker, auto"):
        make_strategy("tpu")
    tf.zeros(())  # TensorFlow is at work now
    with pytest.raises(InputError, match="make the strategy before any model or tensor"):
        make_strategy("auto", local_clusters(1)[0])
