"""Several workers of one run on this machine: their processes, their output, their end."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

# Seconds that the others have to notice that one has gone, and to say so.
PATIENCE = 60
_LOOK_EVERY = 0.1


def run_workers(command, num_workers, patience=PATIENCE, output=None):
    """Runs a command as several workers, each with its TF_CONFIG, until all have ended.

    Their lines are passed on with the worker's number in front. When one fails the others are given
    `patience` seconds to end by themselves, then killed. Ctrl-C and SIGTERM are passed on to all;
    a second one kills them. Where this process is killed, they get SIGTERM.

    Args:
        command: list of strings.
        num_workers: how many.
        patience: seconds.
        output: where lines go; standard output by default.

    Returns:
        The exit code of the worker that failed first, 128 and the signal where one killed it; 0
        where none failed. Where a signal was passed on and stopped a worker, 128 and that signal.
    """
    output = output or sys.stdout
    addresses = [f"127.0.0.1:{port}" for port in free_ports(num_workers)]
    lock = threading.Lock()
    # Caught before the first worker starts, and passed on when all have: none is left out.
    signals, workers, readers = [], [], []
    handlers = {
        number: signal.signal(number, lambda received, _: signals.append(received))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        for i in range(num_workers):
            workers.append(_start(command, addresses, i))
            reader = threading.Thread(target=_pass_on, args=(workers[i].stdout, i, output, lock))
            reader.start()
            readers.append(reader)
        return _wait(workers, patience, signals)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _send(workers, signal.SIGKILL)
        for reader in readers:
            reader.join()


def free_ports(count):
    """Numbers of so many TCP ports that nobody uses on this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _start(command, addresses, index):
    task = {"type": "worker", "index": index}
    config = json.dumps({"cluster": {"worker": addresses}, "task": task})
    return subprocess.Popen(
        command,
        env={**os.environ, "TF_CONFIG": config, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C comes from here alone
        preexec_fn=_end_with_parent,
    )


# Loaded before the fork: a child of a process with threads may not load anything.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _end_with_parent():
    """Has this process sent SIGTERM when its parent is gone, however that ends: see prctl(2)."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _pass_on(lines, index, output, lock):
    for line in lines:
        with lock:
            output.write(f"[worker {index}] {line.rstrip()}\n")
            output.flush()


def _wait(workers, patience, signals):
    """Passes signals on until all workers have ended, or `patience` is over after one has failed.

    Args:
        signals: list of the signals that this process has received; a handler adds to it.

    Returns:
        The exit code of `run_workers`.
    """
    code, until, passed_on = 0, None, 0
    while any(worker.poll() is None for worker in workers):
        for number in signals[passed_on:]:
            _send(workers, signal.SIGKILL if passed_on else number)
            passed_on += 1
        failed = [worker.returncode for worker in workers if worker.returncode]
        if failed and until is None:
            code, until = failed[0], time.monotonic() + patience
        if until is not None and time.monotonic() > until:
            _send(workers, signal.SIGKILL)
        time.sleep(_LOOK_EVERY)
    codes = [_exit_code(worker.returncode) for worker in workers]
    # One that was stopped may be missed by another, which then ends with a code of its own.
    stopped = next((128 + number for number in signals[:1] if 128 + number in codes), 0)
    return stopped or _exit_code(code) or next(filter(None, codes), 0)


def _exit_code(returncode):
    """As a shell has it: 128 and the signal where one ended the process."""
    return 128 - returncode if returncode < 0 else returncode


def _send(workers, number):
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)
