"""Reports over `.tflite` files are made where there is no TensorFlow."""

import subprocess
import sys

PROGRAM = """
import sys
from keras_roberta import export
export.report
import keras_roberta.reports.picture, keras_roberta.reports.write
print([name for name in ("keras", "tensorflow") if name in sys.modules])
"""


def test_no_tensorflow():
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
