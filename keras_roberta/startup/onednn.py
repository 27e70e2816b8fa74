"""oneDNN's matrix products, also where TensorFlow would not take them by itself."""

import logging
import os
import platform
import sys


def turn_onednn_on() -> None:
    """Asks TensorFlow for oneDNN's products, unless the environment says something of them.

    It takes them by itself on few x86 processors only, although they are faster than its own on the
    others too. It reads the variable when it is imported first.
    """
    if platform.machine() not in ("x86_64", "AMD64") or "TF_ENABLE_ONEDNN_OPTS" in os.environ:
        return
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    if "tensorflow" in sys.modules:
        logging.getLogger("keras_roberta").info(
            "TensorFlow was imported before keras_roberta, perhaps without oneDNN's products: set "
            "TF_ENABLE_ONEDNN_OPTS=1, or import keras_roberta first"
        )
