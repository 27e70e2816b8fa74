"""Weights that pack small: magnitude pruning, weight clustering, quantisation-aware training.

Each is a Keras callback for `fit` of a task:

    task.fit(texts, labels, epochs=3, callbacks=[MagnitudePruning(0.8)])

The task stays what it was, and its presets are presets like others. The callbacks need the
TensorFlow backend. tensorflow-model-optimization is imported when one of them trains, not before.
"""

import importlib

_PUBLIC = {
    "MagnitudePruning": "pruning",
    "WeightClustering": "clustering",
    "QuantizationAwareTraining": "quantization_aware",
    "measure_weights": "weights_of_file",
    "WeightsOfFile": "weights_of_file",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
