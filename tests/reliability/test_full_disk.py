"""Every command that writes, on a full and on a read-only disk: one line, and nothing half-written.

`full_disk.py` does the work in a process of its own, which may mount a disk of memory.
"""

import json
import pathlib
import subprocess
import sys

import pytest

COMMANDS = (
    *("tokenizer train", "prepare", "pretrain", "finetune", "export tflite", "export saved-model"),
    *("convert", "compress trim", "predict", "report"),
)
# Of a run that is gone on with.
PROGRESS = ("run", "shards/.progress")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{(how the disk was, command): what came of it}."""
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here, to mount a small disk with")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    script = pathlib.Path(__file__).with_name("full_disk.py")
    command = ["unshare", "-rm", sys.executable, script, tmp_path_factory.mktemp("disk")]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.removeprefix("result ") for line in done.stdout.splitlines()]
    found = [json.loads(line) for line in lines if line.startswith('{"command"')]
    return {(row["how"], row["command"]): row for row in found}


@pytest.mark.parametrize("how", ["full", "read-only", "fills"])
@pytest.mark.parametrize("command", COMMANDS)
def test_one_line_and_nothing_half_written(results, command, how):
    row = results[how, command]
    *_, said = row["said"].strip().splitlines()
    assert row["code"] == 2, row
    assert said.startswith("error: ") and "cannot be written" in said, row
    assert "give another place" in said or "the same command" in said, row
    left = [name for name in row["left"] if name not in ("filler", "shards")]
    if how != "fills":  # asked before the work
        assert left == [], row
        assert "%" not in row["said"], row  # no bar was begun
    assert not [name for name in left if not name.startswith(PROGRESS)], row
    assert not [name for name in left if pathlib.Path(name).match(".*.????????")], row


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_needs_the_place_of_temporary_files(results, command):
    row = results["full TMPDIR", command]
    assert row["code"] == 0, row
