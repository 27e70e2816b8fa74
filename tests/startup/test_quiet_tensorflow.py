"""A script's own first line is the first on the terminal."""

import os
import subprocess
import sys

SCRIPT = """
import keras_roberta as kr
print("mine")
kr.RobertaTextClassifier  # imports TensorFlow
import tensorflow as tf
tf.constant(1.0)
assert type(tf.__spec__.loader).__name__ == "SourceFileLoader"
"""


def run(**environment):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_ROBERTA_DEBUG")
    }
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**kept, **environment},
        check=True,
        timeout=120,
    )


def test_nothing_is_printed_before_the_scripts_own_lines():
    done = run()
    assert (done.stdout, done.stderr) == ("mine\n", "")


def test_who_asks_for_lines_gets_them():
    assert "oneDNN" in run(TF_CPP_MIN_LOG_LEVEL="0").stderr
