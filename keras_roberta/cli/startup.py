"""Imports TensorFlow without the lines that it prints when it starts."""

import contextlib
import os
import sys
import tempfile

DEBUG_VARIABLE = "KERAS_ROBERTA_DEBUG"


def start_tensorflow():
    """Imports TensorFlow quietly; call it before anything that imports it itself."""
    if os.environ.get(DEBUG_VARIABLE):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # XLA and oneDNN log before that variable is read, straight to the file descriptor.
    with _stderr_held_back():
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  It brings a second copy of those libraries.
    tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _stderr_held_back():
    """Hides what is written to file descriptor 2, unless an exception makes it of interest."""
    sys.stderr.flush()
    descriptor = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(descriptor, held_back.read())
            raise
        finally:
            os.dup2(descriptor, 2)
            os.close(descriptor)
