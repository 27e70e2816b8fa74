"""TFLite's interpreter of a file."""

import re

from keras_roberta.cli.quiet_stderr import stderr_without

_NOTICE = re.compile(rb"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.\n")


def open_interpreter(path, threads=1):
    """`ai_edge_litert`'s `Interpreter`, its first signature allocated.

    The first one of a process prints a line when XNNPACK takes the graph over; it is left out.

    Raises:
        ValueError: TFLite cannot open the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with stderr_without(_NOTICE):
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter
