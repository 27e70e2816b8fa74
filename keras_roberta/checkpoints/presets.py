"""The former names of what `formats`, `keras_preset` and `preset_mixin` hold."""

from keras_roberta.checkpoints.formats import open_checkpoint
from keras_roberta.checkpoints.keras_preset import remove_preset
from keras_roberta.checkpoints.preset_mixin import PresetMixin
from keras_roberta.checkpoints.protocol import logger

__all__ = ["PresetMixin", "logger", "open_preset", "remove_preset"]
open_preset = open_checkpoint
