"""Imports TensorFlow without the lines that it prints when it starts."""

import os
import re

from keras_roberta.cli.quiet_stderr import stderr_without

DEBUG_VARIABLE = "KERAS_ROBERTA_DEBUG"
EVERYTHING = re.compile(rb".*", re.DOTALL)


def start_tensorflow():
    """Imports TensorFlow quietly; call it before anything that imports it itself."""
    if os.environ.get(DEBUG_VARIABLE):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # XLA and oneDNN log before that variable is read, straight to the file descriptor.
    with stderr_without(EVERYTHING):
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  It brings a second copy of those libraries.
    tf.get_logger().setLevel("ERROR")
