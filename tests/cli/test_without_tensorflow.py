"""A `.tflite` is measured and asked without TensorFlow."""

import json
import pathlib
import subprocess
import sys

FROZEN = pathlib.Path(__file__).parents[1] / "golden" / "frozen"
SCRIPT = """
import contextlib, io, json, re, sys
from keras_roberta.cli import main
found = []
for arguments in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main(arguments)
        except SystemExit as end:
            assert not end.code, (arguments, end.code)
    found.append(out.getvalue())
heavy = {"tensorflow", "keras", "keras_hub", "sklearn", "scipy", "matplotlib"} & set(sys.modules)
# Not getrusage's, which counts the process that this one was forked from.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
print(json.dumps([found, sorted(heavy), peak]))
"""


def test_predict_and_evaluate_on_a_small_file(tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("text\tlabel\na fine film\tgood\na dull film\tbad\n")
    model = ["--model", str(FROZEN / "classifier-text.tflite")]
    tokens = ["--model", str(FROZEN / "classifier-tokens.tflite")]
    tokens += ["--tokenizer", str(FROZEN / "classifier")]
    commands = [
        ["predict", *model, "a fine film", "--format", "jsonl", "--all-scores"],
        ["predict", *tokens, "a fine film", "--format", "jsonl", "--all-scores"],
        ["evaluate", *model, "--data", str(data), "--json"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    found, heavy, peak = json.loads(done.stdout)
    assert heavy == [] and done.stderr == ""
    assert peak < 300_000  # kilobytes
    text, tokens, measured = map(json.loads, found)
    assert text["label"] == tokens["label"] == max(text["all_scores"], key=text["all_scores"].get)
    assert measured["rows"] == 2 and len(measured["classes"]) == 3
    assert sum(map(sum, measured["confusion"][0]["counts"])) == 2
