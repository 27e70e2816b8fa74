"""Damaged files of every kind: one line that names the file, or the right answer; and quickly.

This is a sample of a few dozen of each; `benchmarks/mutate_files.py` runs thousands, and measures
memory.
"""

import time

import hostile_files
import pytest

MUTATIONS = 8  # of each kind; where a model is built, or batches
OF_CHEAP_KINDS = 40
# Of the CPU, for one: a hang. benchmarks/mutate_files.py has the bound that is promised.
SECONDS = 60.0


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sample")
    hostile_files.make_sample(directory)
    return directory


@pytest.mark.parametrize("kind", hostile_files.KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_read_or_refused(kind, sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where what is executed would leave a trace
    whole = hostile_files.run(sample, tmp_path, hostile_files.undamaged(kind), "")
    assert whole.ending == "read", whole.message
    is_dear = kind.read.__name__ in ("_task", "_backbone", "_safetensors", "_shards")
    for number in range(MUTATIONS if is_dear else OF_CHEAP_KINDS):
        started = time.process_time()
        outcome = hostile_files.run(sample, tmp_path, kind, f"test/{number}")
        assert outcome.ending in ("read", "refused"), (number, outcome.message)
        assert time.process_time() - started < SECONDS, (number, outcome.message)
