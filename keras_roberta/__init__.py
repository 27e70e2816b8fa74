"""RoBERTa for Keras: pre-train, fine-tune on raw strings, ship to phones and servers."""

import importlib
import logging
import os
import platform
import sys

from keras_roberta.tasks.registry import TASKS

__version__ = "0.1.0"

# TensorFlow takes oneDNN's matrix products by itself on few x86 processors only; on the others they
# are up to 1.8 times as fast as its own. It reads this when it is imported first.
if platform.machine() in ("x86_64", "AMD64") and "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    if "tensorflow" in sys.modules:
        logging.getLogger(__name__).info(
            "TensorFlow was imported before keras_roberta, perhaps without oneDNN's products: set "
            "TF_ENABLE_ONEDNN_OPTS=1, or import keras_roberta first"
        )

# Name -> module. Loaded when first asked for, so that `keras-roberta --help` and light worker
# processes do not wait for TensorFlow.
_PUBLIC = {
    "RobertaConfig": "config",
    "RobertaTokenizer": "tokenizers",
    "RobertaPreprocessor": "data.examples.preprocessor",
    "RobertaBackbone": "models.roberta_backbone",
    "open_task": "tasks.registry",
    "register_task": "tasks.registry",
    **{entry.class_name: entry.module.removeprefix("keras_roberta.") for entry in TASKS},
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
