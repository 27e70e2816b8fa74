"""Wrong arguments of every kind, for every command: one line, code 2, before TensorFlow loads.

All of them run in one process, at whose end neither TensorFlow nor Keras may be there.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from keras_roberta.data.corpus.prepare_options import PrepareOptions
from keras_roberta.jobs.prepare.one_machine import prepare

FROZEN = pathlib.Path(__file__).parents[1] / "golden" / "frozen"
MODEL = str(FROZEN / "classifier-text.tflite")
PRESET = str(FROZEN / "classifier")

# A command that is right, but for what a row of the table changes in it.
RIGHT = {
    "tokenizer train": {"--corpus": "text", "--out": "out"},
    "prepare": {"--corpus": "text", "--tokenizer": PRESET, "--out": "out"},
    "pretrain": {"--data": "shards", "--out": "out", "--size": "tiny", "--steps": "2"},
    "finetune": {"--preset": PRESET, "--train": "a.tsv", "--out": "out"},
    "evaluate": {"--model": MODEL, "--data": "a.tsv"},
    "predict": {"--model": MODEL, "--data": "a.tsv"},
    "export": {"--preset": PRESET, "--out": "a.tflite"},
    "report": {"": MODEL, "--preset": PRESET, "--data": "a.tsv", "--out": "out"},
    "convert": {"--model": PRESET, "--out": "out"},
    "compress trim": {"--preset": PRESET, "--corpus": "text", "--out": "out"},
    "compress prune": {"--preset": PRESET, "--train": "a.tsv", "--out": "out"},
    "compress cluster": {"--preset": PRESET, "--train": "a.tsv", "--out": "out"},
    "compress qat": {"--preset": PRESET, "--train": "a.tsv", "--out": "out"},
    "demo": {"--preset": PRESET, "--train": "a.tsv", "--dev": "a.tsv"},
    "launch": {"--workers": "2", "": "pretrain"},
}
MODELS = ("finetune --preset", "evaluate --model", "predict --model", "export --preset")
MODELS += ("convert --model", "compress trim --preset", "demo --preset", "pretrain --preset")
TABLES = ("finetune --train", "finetune --dev", "evaluate --data", "predict --data")
TABLES += ("report --data", "demo --train", "export --calibration")
OUTS = (
    "finetune --out",
    "convert --out",
    "prepare --out",
    "pretrain --out",
    "tokenizer train --out",
    "compress trim --out",
)


def changed(row, **values):
    """A row of the table: a command, and one option of it with another value."""
    command, option = row.rsplit(" ", 1)
    return command, {option: values["to"]}, values["says"]


CASES = [
    # Files that are not there.
    *(
        changed(row, to="none", says="none: no such directory")
        for row in MODELS
        if "pre" not in row
    ),
    *(changed(row, to="none", says="none") for row in TABLES),
    ("evaluate", {"--model": "none.tflite"}, "none.tflite: no such file"),
    ("report", {"": "none.tflite"}, "none.tflite: no such file"),
    ("prepare", {"--corpus": "none"}, "none: no such file or directory; give the text"),
    ("compress trim", {"--preset": "none"}, "none: no such directory"),
    ("compress trim", {"--corpus": "none"}, "none: no such file or directory; give the text"),
    ("compress trim", {"--corpus": "a.tsv"}, "a.tsv: is a table; write its texts as JSON lines"),
    ("compress trim", {"--characters": "som"}, "--characters 'som': expected one of all, used"),
    ("prepare", {"--tokenizer": "none"}, "none: no such directory"),
    ("tokenizer train", {"--corpus": "none"}, "none: no such file or directory"),
    ("pretrain", {"--data": "none"}, "none: no such directory"),
    ("pretrain", {"--size": None, "--preset": "none"}, "none: no such directory"),
    # A directory for a file, and a file for a directory.
    *(changed(row, to="text", says="text") for row in TABLES),
    *(changed(row, to="a.tsv", says="a.tsv: is a file") for row in OUTS),
    *(changed(row, to="a.tsv", says="a.tsv: is a file, not") for row in MODELS if "pre" not in row),
    ("pretrain", {"--data": "a.tsv"}, "a.tsv: is a file, not a directory"),
    ("prepare", {"--tokenizer": "a.tsv"}, "a.tsv: is a file, not a directory"),
    ("export", {"--out": "text"}, "text: a TFLite file's name ends in .tflite"),
    ("predict", {"--out": "text"}, "text: name it .txt"),
    # One's home, which shells do not fill in behind "=".
    *(changed(row, to="~/none", says="home/none") for row in MODELS if "pre" not in row),
    *(changed(row, to="~/none", says="home/none") for row in TABLES),
    *(changed(row, to="~/a.tsv", says="home/a.tsv: is a file") for row in OUTS),
    ("pretrain", {"--data": "~/none"}, "home/none: no such directory"),
    ("pretrain", {"--size": None, "--preset": "~/none"}, "home/none: no such directory"),
    ("prepare", {"--corpus": "~/none"}, "home/none: no such file or directory"),
    ("prepare", {"--tokenizer": "~/none"}, "home/none: no such directory"),
    ("tokenizer train", {"--corpus": "~/none"}, "home/none: no such file or directory"),
    ("report", {"": "~/none.tflite"}, "home/none.tflite: no such file"),
    ("report", {"--preset": "~/none"}, "home/none: no such directory"),
    ("evaluate", {"--tokenizer": "~/none"}, "home/none: no such directory"),
    ("evaluate", {"--out": "~/a.tsv"}, "home/a.tsv: is a file"),
    ("predict", {"--out": "~/folder.csv"}, "home/folder.csv: is a directory"),
    ("export", {"--out": "~/folder.csv"}, "home/folder.csv: a TFLite file's name ends"),
    ("demo", {"--out": "~/a.tsv"}, "home/a.tsv: is a file"),
    # What is there already, or of no known kind.
    *(changed(row, to="full", says="full: ") for row in OUTS),
    *(
        changed(row, to="text", says="text: holds no checkpoint")
        for row in ("finetune --preset", "evaluate --model", "export --preset", "convert --model")
    ),
    ("pretrain", {"--data": "text"}, "text: no shards here"),
    ("evaluate", {"--predictions": "a.json"}, "give --model, or --predictions of any model"),
    ("predict", {"--text-pair": "b"}, "--text-pair: goes with texts; name a column as"),
    ("predict", {"--option": "b"}, "give texts or --data, not both"),
    ("evaluate", {"--model": "broken.tflite"}, "broken.tflite: is not a TFLite model"),
    ("predict", {"--out": "a.xml"}, "a.xml: name it .txt, .tsv, .csv, .jsonl"),
    # Names that are not known.
    ("finetune", {"--task": "clasify"}, "did you mean classify?"),
    ("finetune", {"--dtype": "float8"}, "--dtype 'float8': expected one of"),
    ("finetune", {"--strategy": "miror"}, "did you mean mirrored?"),
    ("pretrain", {"--recipe": "oneday"}, "did you mean one-day?"),
    ("pretrain", {"--size": "smal"}, "did you mean small?"),
    ("pretrain", {"--objectives": "mlm,clm"}, "--objectives mlm,clm: give one or more"),
    ("export", {"--format": "savedmodel"}, "did you mean saved-model?"),
    ("export", {"--quantization": "int9"}, "--quantization 'int9': expected one of"),
    ("convert", {"--to": "kears"}, "did you mean keras?"),
    ("predict", {"--format": "jsn"}, "--format 'jsn': expected one of text, tsv, csv, jsonl"),
    ("prepare", {"--documents": "blok"}, "did you mean block?"),
    ("finetune", {"--label-column": "lable"}, "a.tsv: no column 'lable'"),
    ("evaluate", {"--text-column": "txt"}, "a.tsv: no column 'txt'"),
    ("predict", {"--text-pair-column": "b"}, "a.tsv: no column 'b'"),
    ("launch", {"": "demo"}, "'demo' knows no workers"),
    # Numbers.
    *(
        (command, {option: value}, f"{option} ")
        for command, option in (
            ("finetune", "--epochs"),
            ("finetune", "--learning-rate"),
            ("pretrain", "--steps"),
            ("pretrain", "--hours"),
            ("pretrain", "--tokens"),
            ("prepare", "--processes"),
            ("tokenizer train", "--vocab-size"),
            ("evaluate", "--threads"),
            ("predict", "--threshold"),
            ("export", "--top-k"),
            ("compress trim", "--min-count"),
            ("compress trim", "--keep"),
            ("demo", "--epochs"),
            ("report", "--limit"),
        )
        for value in ("x", "0", "1.5.2", "-1")
    ),
    ("launch", {"--workers": "x"}, "'--workers'"),
    ("launch", {"--workers": "0"}, "'--workers'"),
    ("finetune", {"--epochs": "2.5"}, "--epochs must be a whole number; got '2.5'"),
    ("finetune", {"--learning-rate": "nan"}, "--learning-rate must be positive; got nan"),
    ("pretrain", {"--hours": "inf"}, "--hours must be a number; got inf"),
    ("evaluate", {"--threshold": "1.5"}, "--threshold must be between 0 and 1; got 1.5"),
    ("export", {"--sequence-lengths": "32,x"}, "--sequence-lengths '32,x'"),
    *(
        ("export", {"--sequence-lengths": given}, f"--sequence-lengths: {shown} do not increase")
        for given, shown in (("32,16", "32, 16"), ("16,32,32", "16, 32, 32"))
    ),
    ("export", {"--sequence-lengths": "auto"}, "--sequence-lengths 'auto': there are no texts"),
    ("export", {"--sequence-lengths": "4000"}, "--sequence-lengths: 4000 is outside 3..32"),
    # A path that is called as an option is.
    ("predict", {"--model": "tokenizer"}, "error: tokenizer: no such"),
    ("evaluate", {"--model": "threads"}, "error: threads: no such"),
    ("export", {"--preset": "inputs"}, "error: inputs: no such"),
    # What belongs together, or not.
    ("pretrain", {"--steps": None}, "say how long: --steps, --tokens or --hours"),
    ("pretrain", {"--size": None}, "say what to train: --size"),
    ("export", {"--quantization": "int8", "--calibration": "a.tsv"}, "--calibration: quantization"),
    ("predict", {"": "a text"}, "give texts or --data, not both"),
    ("demo", {"--dev": None}, "--preset and --train and --dev: the three go together"),
    ("prepare", {"--runner-option": "--x"}, "--runner-option is for a --runner"),
    # A wrong type in a file of settings.
    ("finetune", {"--preset": "mistyped"}, "num_layers must be an integer; got 'two'"),
    ("evaluate", {"--model": "mistyped"}, "num_layers must be an integer; got 'two'"),
    ("pretrain", {"--size": None, "--preset": "mistyped"}, "num_layers must be an integer"),
    # Options and commands that are not there.
    *(
        (command, {f"{option}x": "1"}, f"No such option: {option}x; did you mean {option}?")
        for command, values in RIGHT.items()
        for option in list(values)[:1]
        if option and command != "launch"  # which passes options on
    ),
    ("finetun", {}, "No such command 'finetun'; did you mean finetune?"),
    ("tokenizer trian", {}, "No such command 'trian'"),
    ("compress trm", {}, "No such command 'trm'"),
    ("compress prune", {"--preset": "none"}, "none: no such directory"),
    ("compress cluster", {"--train": "none"}, "none: no such file"),
    ("compress prune", {"--sparsity": "1"}, "--sparsity"),
    ("compress prune", {"--structure": "2:4", "--sparsity": "0.8"}, "--sparsity: of 2:4 it is"),
    ("compress cluster", {"--clusters": "1"}, "--clusters"),
    ("compress qat", {"--quantization": "int3"}, "--quantization 'int3': expected one of"),
]
SCRIPT = """
import contextlib, io, json, os, sys
from keras_roberta.cli import main
found, before = [], set()
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
            code = None
        except SystemExit as end:
            code = end.code
    heavy = {"tensorflow", "keras"} & set(sys.modules)
    written = os.path.exists("out")
    found.append([code, out.getvalue(), err.getvalue(), sorted(heavy - before), written])
    before |= heavy
print(json.dumps(found))
"""


def arguments_of(command, changes):
    values = {**RIGHT.get(command, {}), **changes}
    found = command.split()
    for option, value in values.items():
        if value is not None:
            found += [option, value] if option else []
    return found + ([values[""]] if values.get("") else [])


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("wrong")
    (path / "a.tsv").write_text("text\tlabel\na film\tgood\nanother\tbad\n")
    (path / "broken.tflite").write_bytes(b"no model")
    (path / "home" / "folder.csv").mkdir(parents=True)
    (path / "home" / "a.tsv").touch()
    for name in ("text", "full"):
        (path / name).mkdir()
        (path / name / "a.txt").write_text("some text\n")
    options = PrepareOptions(near_duplicates=0, heldout=0)
    prepare(path / "text", PRESET, path / "shards", options, processes=1)
    shutil.copytree(PRESET, path / "mistyped")
    config = json.loads((path / "mistyped" / "config.json").read_text())
    config["config"]["config"]["num_layers"] = "two"
    (path / "mistyped" / "config.json").write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def found(directory):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([arguments_of(command, changes) for command, changes, _ in CASES]),
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, "HOME": str(directory / "home")},
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: "-".join([CASES[n][0], str(n)]))
def test_one_line_that_says_what_to_do(found, number):
    command, changes, says = CASES[number]
    code, stdout, stderr, heavy, written = found[number]
    asked = " ".join(arguments_of(command, changes))
    assert (code, stdout) == (2, ""), (asked, stderr)
    assert stderr.startswith("error: ") and stderr.count("\n") == 1, (asked, stderr)
    assert any(part in stderr for part in says.split("|")), (asked, stderr)
    assert "Error" not in stderr and "Value error" not in stderr
    assert not heavy, asked
    assert not written, asked
