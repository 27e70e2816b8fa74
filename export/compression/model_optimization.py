"""tensorflow-model-optimization (tfmot) in a process with Keras 3.

It is written for Keras 2: its import sets `TF_USE_LEGACY_KERAS`, by which `tf.keras` becomes the
package tf_keras wherever it is looked up for the first time afterwards, also in programs that this
one starts. Used here are the parts that compute on TensorFlow's variables and tensors, whichever
Keras they belong to.
"""

import contextlib
import functools
import importlib
import os
import warnings
from collections.abc import Iterator
from types import ModuleType

_LEGACY = "TF_USE_LEGACY_KERAS"


@functools.cache
def part_of_tfmot(name: str) -> ModuleType:
    """A module of tfmot by its name below `python.core`; `tf.keras` and the environment stay.

    >>> part_of_tfmot("sparsity.keras.pruning_schedule").PolynomialDecay.__name__
    'PolynomialDecay'
    """
    with _environment_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it asks distutils for versions
        import tensorflow_model_optimization as tfmot

        return importlib.import_module(f"{tfmot.__name__}.python.core.{name}")


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    import tensorflow as tf

    before = os.environ.get(_LEGACY)
    getattr(tf.keras, "version", None)  # it loads when first used: now, by the setting of before
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
