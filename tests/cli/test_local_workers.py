"""`launch`, with commands that need no TensorFlow."""

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from keras_roberta.cli import main
from keras_roberta.cli.local_workers import run_workers

NUMBER = "import json, os, sys, time; i = json.loads(os.environ['TF_CONFIG'])['task']['index']; "


def run(code, num_workers=2, patience=30):
    output = io.StringIO()
    result = run_workers([sys.executable, "-c", NUMBER + code], num_workers, patience, output)
    return result, output.getvalue().splitlines()


def test_lines_have_the_workers_number_and_each_knows_all():
    code, lines = run("print(os.environ['TF_CONFIG']); print('so', i, file=sys.stderr)", 3)
    assert code == 0 and len(lines) == 6
    for i in range(3):
        mine = [line.removeprefix(f"[worker {i}] ") for line in lines if f"[worker {i}]" in line]
        assert mine[1] == f"so {i}"
        cluster = json.loads(mine[0])["cluster"]["worker"]
        assert len(set(cluster)) == 3


@pytest.mark.parametrize(
    ("fails", "expected"),
    [("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 128 + signal.SIGKILL)],
)
def test_when_one_fails_the_others_end(fails, expected):
    started = time.monotonic()
    code, _ = run(f"time.sleep(60) if i else {fails}", patience=0.3)
    assert code == expected and time.monotonic() - started < 30


def test_the_others_may_end_by_themselves():
    code, lines = run("time.sleep(1) if i else sys.exit(2); print('a worker has gone')")
    assert code == 2 and lines == ["[worker 1] a worker has gone"]


def start_launcher(code):
    command = [sys.executable, "-c", NUMBER + code]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; from keras_roberta.cli.local_workers import run_workers; "
            f"sys.exit(run_workers({command!r}, 2))",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_workers_end_where_their_launcher_is_killed(tmp_path):
    code = "import pathlib, signal; "
    code += f"path = pathlib.Path({str(tmp_path)!r}, str(i)); "
    code += "signal.signal(15, lambda *_: (path.touch(), sys.exit())); print(os.getpid()); "
    launcher = start_launcher(code + "time.sleep(60)")
    pids = [int(launcher.stdout.readline().split("] ")[1]) for _ in range(2)]
    launcher.kill()
    launcher.wait()
    until = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) < 2 or any(map(is_running, pids)):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_signals_are_passed_on():
    ready = "import signal; signal.signal(15, lambda *_: (print('saved'), sys.exit(143))); "
    launcher = start_launcher(ready + "print('ready'); time.sleep(60)")
    watchdog = threading.Timer(60, launcher.kill)
    watchdog.start()
    lines = [launcher.stdout.readline(), launcher.stdout.readline()]
    launcher.send_signal(signal.SIGTERM)
    lines += launcher.stdout.readlines()
    watchdog.cancel()
    assert launcher.wait() == 143
    assert sorted(line.split("] ")[1].strip() for line in lines) == 2 * ["ready"] + 2 * ["saved"]


def test_a_command_that_knows_no_workers(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["launch", "--workers", "2", "--", "demo", "--out", "x"])
    assert exit.value.code == 2
    assert "'demo' knows no workers; give pretrain or finetune" in capsys.readouterr().err
