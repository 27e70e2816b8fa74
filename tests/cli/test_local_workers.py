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

from keras_roberta.cli import local_workers, main
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


def start_launcher(code, **kwargs):
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
        **kwargs,
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


def stopped_launcher(code, *signals, send=os.kill):
    """The exit code, lines and errors of a launcher that gets signals when its workers are ready.

    Args:
        code: what the workers do until then; each prints one line when it is ready.
        signals: one after the other; the next is sent when another line has come.
        send: `os.kill`, or `os.killpg` as a terminal does.
    """
    launcher = start_launcher(code, stderr=subprocess.PIPE, start_new_session=True)
    watchdog = threading.Timer(60, launcher.kill)
    watchdog.start()
    lines = [launcher.stdout.readline()]
    for number in signals:
        lines.append(launcher.stdout.readline())
        send(launcher.pid, number)
    output, errors = launcher.communicate()
    watchdog.cancel()
    return launcher.returncode, lines + output.splitlines(), errors


def words(lines):
    return sorted(line.split("] ")[1].strip() for line in lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_signals_are_passed_on(number, send):
    save = f"lambda *_: (print('saved'), sys.exit({128 + number}))"
    code = f"import signal; signal.signal({int(number)}, {save}); print('ready'); time.sleep(60)"
    code, lines, errors = stopped_launcher(code, number, send=send)
    assert (code, errors) == (128 + number, "")
    assert words(lines) == 2 * ["ready"] + 2 * ["saved"]


def test_a_worker_that_knows_nothing_of_signals_ends_by_them():
    code = "import signal; signal.signal(2, signal.SIG_DFL); print('ready'); time.sleep(60)"
    code, lines, errors = stopped_launcher(code, signal.SIGINT)
    assert (code, words(lines), errors) == (130, 2 * ["ready"], "")


def test_one_that_misses_another_that_was_stopped_does_not_count():
    code = "import signal; signal.signal(2, lambda *_: sys.exit([75, 130][i])); "
    code, _, errors = stopped_launcher(code + "print('ready'); time.sleep(60)", signal.SIGINT)
    assert (code, errors) == (130, "")


def test_a_second_signal_kills():
    code = "import signal; signal.signal(2, lambda *_: i or print('not yet')); print('ready'); "
    code, lines, errors = stopped_launcher(
        code + "[time.sleep(0.1) for _ in range(600)]", signal.SIGINT, signal.SIGINT
    )
    assert (code, errors) == (128 + signal.SIGKILL, "")
    assert words(lines) == ["not yet", "ready", "ready"]


def test_a_signal_while_workers_are_started_reaches_all(monkeypatch):
    start, before = local_workers._start, signal.getsignal(signal.SIGINT)

    def start_and_interrupt(command, addresses, index):
        worker = start(command, addresses, index)
        if index == 0:
            signal.raise_signal(signal.SIGINT)
        return worker

    monkeypatch.setattr(local_workers, "_start", start_and_interrupt)
    code, _ = run("time.sleep(60)")
    assert code == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_that_knows_no_workers(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["launch", "--workers", "2", "--", "demo", "--out", "x"])
    assert exit.value.code == 2
    assert "'demo' knows no workers; give pretrain or finetune" in capsys.readouterr().err
