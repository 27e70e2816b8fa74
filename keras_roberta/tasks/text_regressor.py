"""A number for a text or a pair of texts."""

import keras
import tensorflow as tf

from keras_roberta.checkpoints.hugging_face_labels import classifier_dropout
from keras_roberta.layers.output_distributions import Normal
from keras_roberta.schemas import Value
from keras_roberta.tasks.sequence_task import RobertaSequenceTask, SequenceHead, sequence_head


@keras.saving.register_keras_serializable(package="keras_roberta")
class RobertaTextRegressor(RobertaSequenceTask):
    """RoBERTa with a head of one output on `<s>`, trained on real numbers.

    Args:
        backbone: a `RobertaBackbone`.
        preprocessor: a `RobertaPreprocessor`, or None to take token ids only.
        dropout: rate in the head; the backbone's by default.
        hidden_dim: width of the head's first layer; the backbone's by default.

    Returns:
        float32 (batch, 1)

    Example:
    ```python
    task = kr.RobertaTextRegressor.from_preset("roberta-base/")
    task.fit((["a dog runs"], ["a dog sleeps"]), [2.5])
    ```
    """

    schema_cls = Value
    output_distribution = Normal()
    hugging_face = sequence_head("regression")

    def __init__(self, backbone, preprocessor=None, dropout=None, hidden_dim=None, **kwargs):
        super().__init__(backbone, 1, preprocessor, dropout, hidden_dim=hidden_dim, **kwargs)

    @property
    def schema(self):
        return Value()

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def default_metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def exported_head(self):
        return ValueHead(self.schema)

    # === Checkpoints ===

    @staticmethod
    def settings_from_other_task(registered_name, settings):
        """A classifier of one class, as regressions were saved before they had a class."""
        if registered_name != "keras_roberta>RobertaTextClassifier":
            return None
        if settings.get("num_classes") != 1:
            return None
        return {k: v for k, v in settings.items() if k != "num_classes"}

    @staticmethod
    def settings_from_hugging_face(head, config):
        return {"dropout": classifier_dropout(config)}


class ValueHead(SequenceHead):
    """`logits` float32 (batch, 1) and `value` float32 (batch)."""

    def __call__(self, encoder, token_ids, padding_mask):
        logits = self.logits(encoder, token_ids, padding_mask)
        return {"logits": logits, "value": tf.reshape(logits, (-1,))}
