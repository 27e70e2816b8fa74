"""LiteRT's notice is kept off the error output of commands."""

import os
import subprocess
import sys

import pytest


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
