"""Models for phones and servers: `.tflite` files and SavedModels, checked before they appear."""

import importlib

# Name -> module, of this package or in full. Loaded when first asked for: running a `.tflite`
# needs no TensorFlow.
_PUBLIC = {
    "to_tflite": "tflite",
    "to_saved_model": "saved_model",
    "best_lengths": "signature_lengths",
    "load": "runtime",
    "read_metadata": "metadata",
    "report": "keras_roberta.reports.exported_files",
    "ExportMismatch": "mismatch",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        module = _PUBLIC[name] if "." in _PUBLIC[name] else f"{__name__}.{_PUBLIC[name]}"
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
