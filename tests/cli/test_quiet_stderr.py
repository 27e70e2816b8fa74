"""What is kept off the error output, and what is not."""

import os
import re
import subprocess
import sys

import pytest

from keras_roberta.cli.quiet_stderr import stderr_without

NOISE = re.compile(rb"INFO: .*\n")


def write_past_python(text):
    os.write(2, text)


def test_only_what_matches_is_dropped(capfd):
    with stderr_without(NOISE):
        write_past_python(b"before\nINFO: noise\nafter\n")
    write_past_python(b"INFO: later\n")
    assert capfd.readouterr().err == "before\nafter\nINFO: later\n"


def test_an_error_shows_all(capfd):
    with pytest.raises(ValueError), stderr_without(NOISE):
        write_past_python(b"INFO: why\n")
        raise ValueError
    assert capfd.readouterr().err == "INFO: why\n"


@pytest.mark.parametrize("started", [True, False])
def test_the_notice_of_the_interpreter(started):
    """It is printed when the first model of a process is opened; commands have that behind them."""
    code = (
        "from keras_roberta.cli import quiet_interpreter\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        f"if {started}: quiet_interpreter.start_interpreter()\n"
        "content = quiet_interpreter._smallest_model()\n"
        "Interpreter(model_content=content).allocate_tensors()\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_ROBERTA_DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert ("XNNPACK delegate" in done.stderr) != started
