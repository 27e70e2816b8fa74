"""Opens what was exported, whichever the format."""

from __future__ import annotations

import os
import pathlib

from keras_roberta.export.runner import Runner
from keras_roberta.export.saved_model_runner import SavedModelRunner
from keras_roberta.export.tflite_runner import TFLiteRunner
from keras_roberta.tokenizers import Tokenizer
from keras_roberta.unknown_arguments import named_arguments


@named_arguments
def load(
    path: str | os.PathLike, tokenizer: Tokenizer | None = None, threads: int | None = None
) -> Runner:
    """Opens an exported model. A `.tflite` needs no TensorFlow.

    A runner may be used from several threads. A `.tflite` answers one call at a time, the others
    wait: an interpreter for each thread would pack the weights for each anew, and `threads` speeds
    up each call without. A SavedModel answers all at once.

    A pickled runner holds the path and opens the file again. In a process that was forked a
    `.tflite` is opened again when it is first used; TensorFlow, and so a SavedModel, does not work
    in one.

    Args:
        path: a `.tflite` file, or the directory of a SavedModel, written by this package.
        tokenizer: the model's tokenizer. Only a model that was exported with `inputs="tokens"`
            needs it, to take texts; the others have theirs inside.
        threads: number of threads that one call of a `.tflite` computes with, 1 by default. A
            SavedModel uses TensorFlow's, whose number is set once in a process.

    Returns:
        a `Runner`

    Raises:
        InputError: the file is not such a model, or the tokenizer is not the one of the model.
    """
    path = pathlib.Path(path).expanduser()
    cls = SavedModelRunner if path.is_dir() else TFLiteRunner
    return cls(path, tokenizer, threads)
