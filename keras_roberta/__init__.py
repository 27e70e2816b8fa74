"""RoBERTa for Keras: pre-train, fine-tune on raw strings, ship to phones and servers."""

import importlib

from keras_roberta.startup import import_tensorflow_quietly, turn_onednn_on
from keras_roberta.tasks.registry import TASKS

__version__ = "0.1.0"

turn_onednn_on()
import_tensorflow_quietly()

# Name -> module. Loaded when first asked for, so that `keras-roberta --help` and light worker
# processes do not wait for TensorFlow.
_PUBLIC = {
    "RobertaConfig": "config",
    "RobertaTokenizer": "tokenizers",
    "RobertaPreprocessor": "data.examples.preprocessor",
    "RobertaMaskedLMPreprocessor": "data.examples.masked_lm_preprocessor",
    "RobertaTextEmbedderPreprocessor": "data.examples.text_embedder_preprocessor",
    "RobertaMultipleChoicePreprocessor": "data.examples.multiple_choice_preprocessor",
    "RobertaTokenPreprocessor": "data.examples.token_preprocessor",
    "RobertaBackbone": "models.roberta_backbone",
    "open_task": "tasks.registry",
    "register_task": "tasks.registry",
    "student_of": "tasks.student",
    "Distillation": "training.step.distillation",
    "RDrop": "training.step.r_drop",
    "ConfidencePenalty": "training.step.confidence_penalty",
    "FastGradientMethod": "training.step.fast_gradient_method",
    "Mixout": "training.step.mixout",
    **{entry.class_name: entry.module.removeprefix("keras_roberta.") for entry in TASKS},
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
