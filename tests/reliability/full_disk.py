"""Runs every command that writes, on a disk that is full, that fills, or that is read-only.

    unshare -rm python full_disk.py DIRECTORY

Mounts a small disk of memory below the directory, which only this process and its children see.
Prints a JSON object a command: how the disk was, exit code, what was said, what was left.
"""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import small_files

import keras_roberta
import keras_roberta.config
from keras_roberta.cli import main
from keras_roberta.export import to_tflite
from keras_roberta.files import room

KILOBYTE = 1024


def commands(made, out):
    """{name: command line} of all that write; `out` is a directory on the small disk."""
    run = ["--data", made / "shards", "--steps", "4", "--log-every", "2", "--save-every", "2"]
    table = made / "table.tsv"
    # The graph of a tokenizer takes most of an export's time.
    export = ["export", "--preset", made / "preset", "--inputs", "tokens"]
    return {
        "tokenizer train": (
            ["tokenizer", "train", "--corpus", made / "corpus.txt", "--vocab-size", "300"]
            + ["--out", out / "tokenizer"]
        ),
        "prepare": (
            ["prepare", "--corpus", made / "corpus.txt", "--tokenizer", made / "tokenizer"]
            + ["--processes", "1", "--out", out / "shards"]
        ),
        "pretrain": ["pretrain", *run, *small_files.SHORT_RUN, "--out", out / "run"],
        "finetune": (
            ["finetune", "--preset", made / "preset", "--train", table, "--dev", table]
            + ["--epochs", "1", "--out", out / "model"]
        ),
        "export tflite": [*export, "--sequence-lengths", "32", "--out", out / "m.tflite"],
        "export saved-model": [*export, "--format", "saved-model", "--out", out / "saved"],
        "convert": ["convert", "--model", made / "preset", "--out", out / "hf"],
        "compress trim": (
            ["compress", "trim", "--preset", made / "preset", "--corpus", made / "corpus.txt"]
            + ["--out", out / "small"]
        ),
        "predict": (
            ["predict", "--model", made / "m.tflite", "--tokenizer", made / "tokenizer"]
            + ["--data", table, "--out", out / "p.jsonl"]
        ),
        "report": (
            ["report", made / "m.tflite", "--preset", made / "preset", "--data", table]
            + ["--out", out / "report"]
        ),
    }


def run(command):
    """Exit code, and what was said on standard error."""
    said = io.StringIO()
    code = 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([str(argument) for argument in command])
        except SystemExit as exit:
            code = exit.code or 0
    return code, said.getvalue()


def fill(path, left):
    """Writes a file that leaves so many bytes on its disk."""
    stat = os.statvfs(path.parent)
    with contextlib.suppress(OSError), open(path, "wb") as file:
        file.write(bytes(max(0, stat.f_bavail * stat.f_frsize - left)))


def result(**values):
    print("result", json.dumps(values), flush=True)


def try_all(made, disk, *, how, left=0, ask=True):
    for name in commands(made, disk):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
        try:
            command = commands(made, disk)[name]
            if how == "read-only":
                subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            else:
                fill(disk / "filler", left)
            if not ask:  # as if it had been filled by somebody else in the meantime
                room.shutil.disk_usage = lambda _: types.SimpleNamespace(free=1 << 40)
            code, said = run(command)
            there = [path.relative_to(disk).as_posix() for path in disk.rglob("*")]
            result(command=name, how=how, code=code, said=said, left=sorted(there))
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


def main_(directory):
    made, disk = pathlib.Path(directory) / "made", pathlib.Path(directory) / "disk"
    for path in (made, disk):
        path.mkdir()
    keras_roberta.config._NAMED["tiny"] = small_files.SIZE
    small_files.make_all(made)
    task = keras_roberta.open_task(made / "preset")
    to_tflite(task, made / "m.tflite", "none", "tokens", sequence_lengths=(32,))
    usage = room.shutil.disk_usage
    try_all(made, disk, how="full")
    try_all(made, disk, how="read-only")
    # Room for a lock and the first files, not for the last.
    try_all(made, disk, how="fills", left=8 * KILOBYTE, ask=False)
    room.shutil.disk_usage = usage
    # The system's place for temporary files is full, that of the output is not.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    fill(disk / "filler", 0)
    os.environ["TMPDIR"] = tempfile.tempdir = str(disk)
    (made / "out").mkdir()
    for name, command in commands(made, made / "out").items():
        code, said = run(command)
        result(command=name, how="full TMPDIR", code=code, said=said, left=[])


if __name__ == "__main__":
    main_(sys.argv[1])
