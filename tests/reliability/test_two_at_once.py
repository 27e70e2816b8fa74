"""A second start of a command is refused in one line, and does the first no harm."""

import contextlib
import subprocess
import sys

import pytest
import small_files

import keras_roberta.config

HOLDER = """
import sys
from keras_roberta.files.hold_output import hold_output
with hold_output(sys.argv[1], make=bool(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
COMMANDS = {
    "pretrain": "pretrain --data shards --steps 2 --size tiny --out",
    "prepare": "prepare --corpus corpus.txt --tokenizer tokenizer --processes 1 --out",
    "prepare anew": "prepare --overwrite --corpus corpus.txt --tokenizer tokenizer --out",
    "finetune": "finetune --preset preset --train table.tsv --out",
    "finetune anew": "finetune --overwrite --preset preset --train table.tsv --out",
    "export": "export --format saved-model --overwrite --preset preset --out",
    "convert": "convert --model preset --overwrite --out",
    "compress": "compress trim --preset preset --corpus corpus.txt --overwrite --out",
    "tokenizer": "tokenizer train --corpus corpus.txt --overwrite --out",
    "report": "report saved --preset preset --data table.tsv --out",
    "demo": "demo --overwrite --out",
    "export tflite": "export --preset preset --out m.tflite",
    "predict": "predict --model preset --data table.tsv --out p.jsonl",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made")
    small_files.make_all(directory)
    (directory / "saved").mkdir()
    (directory / "saved" / "saved_model.pb").touch()
    return directory


@pytest.fixture
def in_use():
    """A function that lets another process hold an output; returns its number."""
    with contextlib.ExitStack() as stack:

        def start(out, make):
            command = [sys.executable, "-c", HOLDER, str(out), "make" if make else ""]
            pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process = stack.enter_context(subprocess.Popen(command, **pipes))
            stack.callback(process.kill)
            assert process.stdout.readline() == b"held\n"
            return process.pid

        yield start


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_is_told_who_is_first(made, tmp_path, monkeypatch, run, in_use, name):
    monkeypatch.setitem(keras_roberta.config._NAMED, "tiny", small_files.SIZE)
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[name].split()
    if command[-1] == "--out":
        command.append("out")
    pid = in_use(tmp_path / command[-1], make=command[-1] == "out")
    before = sorted(tmp_path.rglob("*"))
    code, _, said = run(*command)
    *_, line = said.splitlines()
    assert code == 2 and line.startswith(f"error: {command[-1]}: "), said
    assert f"in use by process {pid} on " in line and "wait until that has ended" in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_two_starts_of_a_run_end_as_one(made, tmp_path):
    """The second comes while the first trains; then the run is what it is alone."""
    command = [sys.executable, "-m", "keras_roberta.cli", "pretrain", "--data", made / "shards"]
    command += [*small_files.SHORT_RUN, "--steps", "40", "--log-every", "3", "--save-every", "2"]
    command += ["--evaluate-every", "30"]
    command = list(map(str, command))
    runs = []
    for out in ("two", "two", "one"):
        pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        runs.append(subprocess.Popen([*command, "--out", str(tmp_path / out)], **pipes))
    said = [process.communicate()[1] for process in runs]
    codes = [process.returncode for process in runs]
    assert sorted(codes[:2]) == [0, 2] and codes[2] == 0, said
    assert f"in use by process {runs[codes.index(0)].pid} on" in said[codes.index(2)]
    for name in ("log.csv", "states/step-00000040.safetensors", "model.weights.h5"):
        assert (tmp_path / "two" / name).exists()
    logs = [(tmp_path / out / "log.csv").read_text() for out in ("one", "two")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 14
