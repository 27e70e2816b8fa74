"""Where an exported model comes from."""

import hashlib
import importlib.metadata

import keras
import numpy as np

import keras_roberta

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer")


def provenance(task):
    """Plain values that say what a file was made of.

    Returns:
        dict of `made_with`, versions by package, and `weights_sha256`, of the encoder's and the
        head's weights in the order of their names, each its name in UTF-8 and its numbers in
        little-endian float32.
    """
    digest = hashlib.sha256()
    weights = task.backbone.weights_by_name() | {
        f"head/{name}": value for name, value in task.head_weights_by_name().items()
    }
    for name in sorted(weights):
        digest.update(name.encode())
        values = keras.ops.convert_to_numpy(keras.ops.cast(weights[name], "float32"))
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return {"made_with": _versions(), "weights_sha256": digest.hexdigest()}


def _versions():
    found = {"keras_roberta": keras_roberta.__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # as of a nightly of another name
            continue
    return found
