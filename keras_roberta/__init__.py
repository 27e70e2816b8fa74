"""RoBERTa for Keras: pre-train, fine-tune on raw strings, ship to phones and servers."""

import importlib

__version__ = "0.1.0"

# Name -> module. Loaded when first asked for, so that `keras-roberta --help` and light worker
# processes do not wait for TensorFlow.
_PUBLIC = {
    "RobertaConfig": "config",
    "RobertaTokenizer": "tokenizers",
    "RobertaPreprocessor": "data.preprocessor",
    "RobertaBackbone": "models.roberta_backbone",
    "RobertaTextClassifier": "models.roberta_text_classifier",
    "RobertaMaskedLM": "models.roberta_masked_lm",
    "RobertaPretrainer": "models.roberta_pretrainer",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
