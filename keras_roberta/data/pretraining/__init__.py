"""Batches for pre-training from shards of token ids."""

import importlib

# Name -> module. Modules are loaded at first use, since options are read without TensorFlow.
_PUBLIC = {
    "BatchOptions": "pretraining.batch_options",
    "batch_statistics": "pretraining.batches",
    "evaluation_batches": "pretraining.batches",
    "input_errors": "pretraining.batches",
    "open_shards": "corpus.shards",
    "pretraining_batches": "pretraining.batches",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"keras_roberta.data.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
