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
        where none failed.
    """
    output = output or sys.stdout
    addresses = [f"127.0.0.1:{port}" for port in free_ports(num_workers)]
    workers = [_start(command, addresses, i) for i in range(num_workers)]
    lock = threading.Lock()
    readers = [
        threading.Thread(target=_pass_on, args=(worker.stdout, i, output, lock))
        for i, worker in enumerate(workers)
    ]
    for reader in readers:
        reader.start()
    signals = []

    def receive(number, frame):
        _send(workers, number if not signals else signal.SIGKILL)
        signals.append(number)

    handlers = {n: signal.signal(n, receive) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = _wait(workers, patience)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _send(workers, signal.SIGKILL)
        for reader in readers:
            reader.join()
    return code


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


def _wait(workers, patience):
    """The first exit code that is not 0, when all have ended or `patience` is over."""
    code, until = 0, None
    while any(worker.poll() is None for worker in workers):
        failed = [worker.returncode for worker in workers if worker.returncode]
        if failed and until is None:
            code, until = failed[0], time.monotonic() + patience
        if until is not None and time.monotonic() > until:
            _send(workers, signal.SIGKILL)
        time.sleep(_LOOK_EVERY)
    code = code or next((w.returncode for w in workers if w.returncode), 0)
    return 128 - code if code < 0 else code


def _send(workers, number):
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)
