"""From a preset to a Hugging Face directory, and back."""

from keras_roberta.checkpoints.presets import open_preset
from keras_roberta.errors import InputError
from keras_roberta.files.output_directory import check_output_directory
from keras_roberta.models.roberta_backbone import RobertaBackbone
from keras_roberta.tasks.masked_lm import RobertaMaskedLM
from keras_roberta.tasks.pretrainer import RobertaPretrainer
from keras_roberta.tasks.text_classifier import RobertaTextClassifier

FORMATS = ("hugging-face", "keras")
# The first that finds its head in a checkpoint reads it. The pre-trainer comes last: with a
# language model head it goes out as RobertaMaskedLM, as which Transformers knows it.
TASKS = (RobertaTextClassifier, RobertaMaskedLM, RobertaPretrainer)


def convert(model, out, to, overwrite=False):
    """Writes a model in another format.

    Args:
        model: a preset or a Hugging Face directory, or hf://org/name.
        out: directory to write.
        to: "hugging-face", for Transformers, or "keras", a preset.
        overwrite: replace files in `out`.

    Returns:
        the name of the class that was written.

    Raises:
        InputError: there is no model, or `out` is in use.
    """
    if to not in FORMATS:
        raise InputError(f"--to {to!r}: expected one of {', '.join(FORMATS)}")
    check_output_directory(out, overwrite)
    source = open_preset(model)
    for task in TASKS:
        if source.task_settings(task) is not None:
            converted = task.from_preset(model)
            _save(converted, out, to)
            return task.__name__
    backbone, tokenizer = RobertaBackbone.from_preset(model), source.tokenizer()
    _save(backbone, out, to)
    tokenizer.save(out if to == "hugging-face" else f"{out}/assets/tokenizer")
    return RobertaBackbone.__name__


def _save(model, out, to):
    (model.save_to_hugging_face if to == "hugging-face" else model.save_to_preset)(out)
