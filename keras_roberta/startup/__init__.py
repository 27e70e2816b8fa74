"""What `import keras_roberta` decides for TensorFlow, which looks at it when it is imported."""

from keras_roberta.startup.onednn import turn_onednn_on
from keras_roberta.startup.quiet_tensorflow import import_tensorflow_quietly

__all__ = ["import_tensorflow_quietly", "turn_onednn_on"]
